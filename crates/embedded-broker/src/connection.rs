//! One connection: reads requests, has them answered one after the other, writes the answers in order.
//!
//! A request is read while the one before it is being answered, so that a peer that goes away is noticed while a fetch or a
//! rebalance waits.

use crate::api;
use crate::node::Node;
use bytes::{BufMut, Bytes, BytesMut};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// The largest request that may carry messages, in bytes; Kafka's own limit.
const MAX_REQUEST_BYTES: usize = 100 * 1024 * 1024;
/// The largest other request. Four megabytes name a hundred thousand partitions.
const MAX_SMALL_REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// Memory for a request is taken in steps of this as its bytes arrive: a length is only a claim.
const READ_STEP: usize = 1024 * 1024;
/// A request's length, and its key, on which depends how long it may be.
const HEAD: usize = 6;
/// Requests that may wait for their turn; each can be as large as a message.
const READ_AHEAD: usize = 1;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Hangup {
    #[error("{0}")]
    Malformed(&'static str),
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
pub(crate) async fn serve(socket: TcpStream, peer: SocketAddr, node: Arc<Node>, stop: CancellationToken) {
    match serve_requests(socket, peer, node, stop).await {
        Ok(()) | Err(Hangup::Io(_) | Hangup::Stopping) => debug!(%peer, "connection closed"),
        Err(reason) => warn!(%peer, %reason, "closed a connection"),
    }
}

async fn serve_requests(socket: TcpStream, peer: SocketAddr, node: Arc<Node>, stop: CancellationToken) -> Result<(), Hangup> {
    // answers are written whole, so there is nothing to wait for
    socket.set_nodelay(true)?;
    let local = socket.local_addr()?;
    let (reading, mut writing) = socket.into_split();
    // cancelled when nobody would read an answer any more, so that nothing waits in vain
    let gone = stop.child_token();
    let _ends_the_reader = gone.clone().drop_guard();
    let (frames, mut requests) = mpsc::channel(READ_AHEAD);
    let reader = tokio::spawn(read_frames(reading, frames, gone.clone()));
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
    request: Bytes,
    writing: &mut (impl AsyncWriteExt + Unpin),
) -> Result<(), Hangup> {
    if let Some(response) = api::answer(node, peer, request).await? {
        writing.write_all(&response).await?;
    }
    Ok(())
}

/// Reads until the peer or the broker ends the connection.
async fn read_frames(mut socket: OwnedReadHalf, frames: mpsc::Sender<Bytes>, gone: CancellationToken) -> Result<(), Hangup> {
    let result = gone
        .run_until_cancelled(async {
            while let Some(frame) = read_frame(&mut socket).await? {
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

/// The next request without its length; `None` when the peer has closed the connection between two requests.
async fn read_frame(socket: &mut OwnedReadHalf) -> Result<Option<Bytes>, Hangup> {
    let mut head = [0; HEAD];
    let mut filled = 0;
    while filled < HEAD {
        match socket.read(&mut head[filled..]).await? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(CUT_OFF),
            read => filled += read,
        }
    }
    let [l0, l1, l2, l3, k0, k1] = head;
    let negative = |_| Hangup::Malformed("a request of negative length");
    let len = usize::try_from(i32::from_be_bytes([l0, l1, l2, l3])).map_err(negative)?;
    let limit = if api::may_be_large(i16::from_be_bytes([k0, k1])) { MAX_REQUEST_BYTES } else { MAX_SMALL_REQUEST_BYTES };
    if len > limit {
        return Err(Hangup::TooLarge(len));
    }
    if len < 2 {
        return Err(Hangup::Malformed("a request without a header"));
    }
    let mut frame = BytesMut::with_capacity(len.min(READ_STEP));
    frame.put_slice(&[k0, k1]);
    while frame.len() < len {
        let missing = len - frame.len();
        frame.reserve(missing.min(READ_STEP));
        // never into the next request
        if (&mut *socket).take(missing as u64).read_buf(&mut frame).await? == 0 {
            return Err(CUT_OFF);
        }
    }
    Ok(Some(frame.freeze()))
}
