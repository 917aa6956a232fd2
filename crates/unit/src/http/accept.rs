//! Lets connections in, as many as the bounds allow.

use super::HttpBounds;
use super::counts::HttpCounts;
use super::idle::IdleOnes;
use super::peers::{PeerPlace, Peers};
use socket2::SockRef;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Out of file descriptors: some connection has to end first. Each failure in a row doubles the
/// pause, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a connection that was told to make room may take to close, and how soon it is checked
/// again when none idles.
const CLOSING: Duration = Duration::from_secs(1);
const CHECK_AGAIN: Duration = Duration::from_millis(20);
/// How often the log says that connections cannot be accepted.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// How much the kernel holds of an answer beyond what is on its way: the less, the sooner it is
/// seen that a client takes none, and the less memory such clients hold. What is on its way is not
/// bounded by it, so fast clients are as fast as before.
const UNSENT_BYTES: u32 = 32 * 1024;

/// How many refused clients are told why at a time, and for how long; others are just closed.
const TOLD: usize = 32;
const TELLING: Duration = Duration::from_secs(1);

/// Where connections come in.
pub(super) struct Acceptor {
    listener: TcpListener,
    bounds: Arc<HttpBounds>,
    idle_ones: IdleOnes,
    counts: HttpCounts,
    places: Arc<Semaphore>,
    peers: Peers,
    telling: Arc<Semaphore>,
    troubles: Troubles,
}

/// A connection that was let in.
pub(super) struct Guest {
    pub(super) stream: TcpStream,
    /// Its places, which are free again when this is dropped.
    pub(super) held: Held,
}

/// A place among all connections, and one among those of its address unless that is not bounded.
pub(super) struct Held {
    _place: OwnedSemaphorePermit,
    _peer: Option<PeerPlace>,
}

impl Acceptor {
    pub(super) fn new(
        listener: TcpListener,
        bounds: Arc<HttpBounds>,
        idle_ones: IdleOnes,
        counts: HttpCounts,
    ) -> Self {
        let places = Arc::new(Semaphore::new(bounds.max_connections));
        let telling = Arc::new(Semaphore::new(TOLD));
        Self {
            listener,
            bounds,
            idle_ones,
            counts,
            places,
            peers: Peers::default(),
            telling,
            troubles: Troubles::default(),
        }
    }

    /// The next connection once there is a place for it: when there is none, the connection that
    /// has idled longest makes room, and without any further ones wait in the socket's backlog.
    /// `None` never comes while the listener is open.
    pub(super) async fn next(&mut self) -> Option<Guest> {
        loop {
            let (stream, from) = self.accept().await;
            let is_bounded = !self.bounds.proxies.contain(from.ip());
            let peer = is_bounded.then(|| self.peers.enter(from.ip(), self.bounds.max_per_peer));
            let Some(peer) = peer.map_or(Some(None), |place| place.map(Some)) else {
                self.refuse(stream);
                continue;
            };
            let place = self.place().await?;
            prepare(&stream, &self.bounds);
            return Some(Guest { stream, held: Held { _place: place, _peer: peer } });
        }
    }

    /// A place, which the connection that has idled longest makes if there is none.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(place) = self.places.clone().try_acquire_owned() {
                return Some(place);
            }
            // one that has just come, or just been served, idles only a moment later
            let patience = if self.idle_ones.displace_longest() { CLOSING } else { CHECK_AGAIN };
            if let Ok(place) =
                tokio::time::timeout(patience, self.places.clone().acquire_owned()).await
            {
                return place.ok();
            }
        }
    }

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.troubles.over();
                    return accepted;
                }
                Err(error) => {
                    self.counts.accept_errors.inc();
                    if let Some(pause) = self.troubles.after(&error) {
                        tokio::time::sleep(pause).await;
                    }
                }
            }
        }
    }

    /// Tells a client why it is not let in, if there is room for that.
    fn refuse(&self, stream: TcpStream) {
        self.counts.refused.inc();
        let Ok(permit) = self.telling.clone().try_acquire_owned() else { return };
        let answer = too_many(self.bounds.max_per_peer);
        tokio::spawn(async move {
            // who does not listen is closed all the same
            let _ = tokio::time::timeout(TELLING, tell(stream, &answer)).await;
            drop(permit);
        });
    }
}

/// The problem document (RFC 9457) with its head.
fn too_many(most: usize) -> String {
    let document = format!(
        "{{\"type\":\"/problems/too-many-connections\",\"title\":\"Too many \
         connections\",\"status\":429,\
         \"detail\":\"your address has {most} connections open already\"}}"
    );
    format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/problem+json\r\nretry-after: \
         1\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{document}",
        document.len()
    )
}

/// Sends an answer and closes, once the client has ended its side.
pub(super) async fn tell(mut stream: TcpStream, answer: &str) -> io::Result<()> {
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // closing with bytes unread would take the answer away from the client
    let mut dropped = [0; 4096];
    while stream.read(&mut dropped).await? > 0 {}
    Ok(())
}

/// What no system should refuse, and nobody needs to know if one does: the stream works without.
fn prepare(stream: &TcpStream, bounds: &HttpBounds) {
    let socket = SockRef::from(stream);
    // answers are small and complete: waiting for more to send only delays them
    let outcome =
        stream.set_nodelay(true).and_then(|()| socket.set_tcp_notsent_lowat(UNSENT_BYTES));
    // sees also what lies in the kernel's buffers alone, such as the comments of a silent stream
    let outcome = outcome.and_then(|()| socket.set_tcp_user_timeout(Some(bounds.write_timeout)));
    if let Err(error) = outcome {
        tracing::debug!(%error, "cannot set an option of a connection");
    }
}

/// Connections that cannot be accepted, one after the other.
#[derive(Debug, Default)]
struct Troubles {
    in_a_row: u32,
    said: Option<Instant>,
    unsaid: u64,
}

impl Troubles {
    /// How long to wait before the next try; `None` when only that one client was gone.
    fn after(&mut self, error: &io::Error) -> Option<Duration> {
        if error.kind() == ErrorKind::ConnectionAborted {
            return None;
        }
        self.unsaid += 1;
        if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            tracing::warn!(%error, times = self.unsaid, "cannot accept connections; those that are \
                open go on");
            (self.said, self.unsaid) = (Some(Instant::now()), 0);
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.in_a_row.min(10)).min(LONGEST_PAUSE);
        self.in_a_row += 1;
        Some(pause)
    }

    fn over(&mut self) {
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_wait_longer_and_are_said_once_in_a_while() {
        let mut troubles = Troubles::default();
        let full = || io::Error::from_raw_os_error(24); // EMFILE
        let pauses: Vec<u128> =
            (0..7).map(|_| troubles.after(&full()).unwrap().as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(troubles.unsaid, 6, "the first was said");
        troubles.over();
        assert_eq!(troubles.after(&full()), Some(FIRST_PAUSE));
        assert_eq!(troubles.after(&ErrorKind::ConnectionAborted.into()), None);
    }

    /// A connection that is busy when a further one comes, or is too new to have been seen idling,
    /// makes room when it idles.
    #[tokio::test]
    async fn a_place_is_made_by_one_that_idles_only_later() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let long = Duration::from_secs(600);
        let bounds = Arc::new(HttpBounds {
            max_connections: 1,
            max_per_peer: 10,
            proxies: super::super::Networks::default(),
            write_timeout: long,
            head_timeout: long,
            idle_timeout: long,
            drain: Duration::ZERO,
        });
        let ones = IdleOnes::default();
        let mut acceptor = Acceptor::new(listener, bounds, ones.clone(), HttpCounts::default());
        let (_one, _other) = (
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        );
        let first = acceptor.next().await.unwrap();
        tokio::spawn(async move {
            tokio::time::sleep(5 * CHECK_AGAIN).await;
            let (_idling, displaced) = ones.begin();
            displaced.cancelled().await;
            drop(first);
        });
        let second = tokio::time::timeout(Duration::from_secs(20), acceptor.next()).await;
        assert!(second.expect("nobody makes room").is_some());
    }
}
