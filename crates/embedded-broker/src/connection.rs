//! One connection: reads requests, has them answered one after the other, writes the answers in
//! order.
//!
//! A request is read while the one before it is being answered, so that a peer that goes away is
//! noticed while a fetch or a rebalance waits.

use crate::api;
use crate::node::Node;
use bytes::{BufMut, Bytes, BytesMut};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// The largest request that may carry messages, in bytes; Kafka's own limit.
const MAX_REQUEST_BYTES: usize = 100 * 1024 * 1024;
/// The largest other request. Four megabytes name a hundred thousand partitions.
const MAX_SMALL_REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// Memory for a request is taken as its bytes arrive, in steps of at most this: a length is only a
/// claim.
const READ_STEP: usize = 1024 * 1024;
/// So much of a request is read without asking for room, so that heartbeats and commits need not
/// wait for frames.
const FREE_BYTES: usize = 16 * 1024;
/// All requests that are being read or answered hold no more than this beyond [`FREE_BYTES`] each,
/// in KiB; one of the largest size fits.
pub(crate) const ROOM_KIB: usize = 128 * 1024;
/// A request that comes more slowly than this, in bytes per second, is given up some time after it
/// began.
const SLOWEST: u64 = 16 * 1024;
/// A request's length, and its key, on which depends how long it may be.
const HEAD: usize = 6;
/// Requests that may wait for their turn; each can be as large as a message.
const READ_AHEAD: usize = 1;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Hangup {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("a request came too slowly, or there was no room for it")]
    TooSlow,
    #[error("a request of {0} bytes is too large")]
    TooLarge(usize),
    #[error("an answer cannot be encoded: {0}")]
    Encode(String),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the broker is stopping")]
    Stopping,
}

const CUT_OFF: Hangup = Hangup::Malformed("the connection ended within a request");

/// Serves one client until it goes or `stop`.
pub(crate) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    node: Arc<Node>,
    stop: CancellationToken,
) {
    match serve_requests(socket, peer, node, stop).await {
        Ok(()) | Err(Hangup::Io(_) | Hangup::Stopping) => debug!(%peer, "connection closed"),
        Err(reason) => warn!(%peer, %reason, "closed a connection"),
    }
}

async fn serve_requests(
    socket: TcpStream,
    peer: SocketAddr,
    node: Arc<Node>,
    stop: CancellationToken,
) -> Result<(), Hangup> {
    // answers are written whole, so there is nothing to wait for
    socket.set_nodelay(true)?;
    let local = socket.local_addr()?;
    let (reading, mut writing) = socket.into_split();
    // cancelled when nobody would read an answer any more, so that nothing waits in vain
    let gone = stop.child_token();
    let _ends_the_reader = gone.clone().drop_guard();
    let (frames, mut requests) = mpsc::channel(READ_AHEAD);
    let intake = Intake {
        socket: reading,
        room: Arc::clone(&node.room),
        patience: node.config.request_patience,
    };
    let reader = tokio::spawn(read_frames(intake, frames, gone.clone()));
    let peer = api::Peer { host: peer.ip().to_string(), reached: local.ip(), gone: gone.clone() };
    let outcome = loop {
        let request = tokio::select! {
            biased;
            () = stop.cancelled() => break Ok(()),
            request = requests.recv() => match request {
                Some(request) => request,
                None => break Ok(()),
            },
        };
        match answer(&node, &peer, request, &mut writing).await {
            Ok(()) => {}
            Err(reason) => break Err(reason),
        }
    };
    gone.cancel();
    match (outcome, reader.await) {
        (Ok(()), Ok(read)) => read,
        (outcome, _) => outcome,
    }
}

async fn answer(
    node: &Arc<Node>,
    peer: &api::Peer,
    request: Request,
    writing: &mut (impl AsyncWriteExt + Unpin),
) -> Result<(), Hangup> {
    let answer = api::answer(node, peer, request.bytes).await?;
    drop(request.room);
    let Some(response) = answer else { return Ok(()) };
    let mut rest = &response[..];
    while !rest.is_empty() {
        // who reads nothing for so long holds an answer in vain
        let written = tokio::time::timeout(node.config.request_patience, writing.write(rest)).await;
        match written.map_err(|_| Hangup::TooSlow)?? {
            0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
            len => rest = &rest[len..],
        }
    }
    Ok(())
}

/// A request, and the memory that it may take.
struct Request {
    bytes: Bytes,
    room: Option<OwnedSemaphorePermit>,
}

/// Where requests come from.
struct Intake {
    socket: OwnedReadHalf,
    room: Arc<Semaphore>,
    /// How long a peer may send nothing in the middle of a request.
    patience: Duration,
}

/// Reads until the peer or the broker ends the connection.
async fn read_frames(
    mut intake: Intake,
    frames: mpsc::Sender<Request>,
    gone: CancellationToken,
) -> Result<(), Hangup> {
    let result = gone
        .run_until_cancelled(async {
            while let Some(frame) = read_frame(&mut intake).await? {
                if frames.send(frame).await.is_err() {
                    break;
                }
            }
            Ok(())
        })
        .await
        .unwrap_or(Ok(()));
    gone.cancel();
    result
}

/// The next request without its length; `None` when the peer has closed the connection between two
/// requests.
async fn read_frame(intake: &mut Intake) -> Result<Option<Request>, Hangup> {
    let Intake { socket, room, patience } = intake;
    let mut head = [0; HEAD];
    let mut filled = 0;
    while filled < HEAD {
        let read = socket.read(&mut head[filled..]);
        // between two requests a peer may take its time
        let read = if filled == 0 { read.await? } else { in_time(*patience, read).await? };
        match read {
            0 if filled == 0 => return Ok(None),
            0 => return Err(CUT_OFF),
            read => filled += read,
        }
    }
    let [l0, l1, l2, l3, k0, k1] = head;
    let negative = |_| Hangup::Malformed("a request of negative length");
    let len = usize::try_from(i32::from_be_bytes([l0, l1, l2, l3])).map_err(negative)?;
    let limit = if api::may_be_large(i16::from_be_bytes([k0, k1])) {
        MAX_REQUEST_BYTES
    } else {
        MAX_SMALL_REQUEST_BYTES
    };
    if len > limit {
        return Err(Hangup::TooLarge(len));
    }
    if len < 2 {
        return Err(Hangup::Malformed("a request without a header"));
    }
    // as slow as it may be
    let limit = *patience + Duration::from_secs(len as u64 / SLOWEST);
    let read = read_body(socket, room, *patience, (len, [k0, k1]));
    tokio::time::timeout(limit, read).await.map_err(|_| Hangup::TooSlow)?.map(Some)
}

async fn in_time<T>(
    patience: Duration,
    io: impl Future<Output = io::Result<T>>,
) -> Result<T, Hangup> {
    Ok(tokio::time::timeout(patience, io).await.map_err(|_| Hangup::TooSlow)??)
}

/// Reads what follows a request's length and key.
async fn read_body(
    socket: &mut OwnedReadHalf,
    all_room: &Arc<Semaphore>,
    patience: Duration,
    (len, key): (usize, [u8; 2]),
) -> Result<Request, Hangup> {
    let mut room: Option<OwnedSemaphorePermit> = None;
    let mut frame = BytesMut::with_capacity(len.min(FREE_BYTES));
    frame.put_slice(&key);
    while frame.len() < len {
        if frame.len() == frame.capacity() {
            let step = frame.len().min(READ_STEP).min(len - frame.len());
            let kib = u32::try_from(step.div_ceil(1024)).unwrap_or(u32::MAX);
            let more = Arc::clone(all_room).acquire_many_owned(kib);
            let more = tokio::time::timeout(patience, more)
                .await
                .map_err(|_| Hangup::TooSlow)?
                .map_err(|_| Hangup::Stopping)?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
            frame.reserve(step);
        }
        // never into the next request
        let free = (frame.capacity() - frame.len()).min(len - frame.len());
        if in_time(patience, (&mut *socket).take(free as u64).read_buf(&mut frame)).await? == 0 {
            return Err(CUT_OFF);
        }
    }
    Ok(Request { bytes: frame.freeze(), room })
}
