//! What clients of a server may hold, and for how long.

use super::Networks;
use std::time::Duration;

/// The bounds of one server.
#[derive(Clone, Debug)]
pub struct HttpBounds {
    /// How many connections may be open. For a further one the connection that has idled longest
    /// is closed; when none idles, it waits.
    pub max_connections: usize,
    /// How many of them may come from one address (IPv6: from one network of 64 bits); further
    /// ones get 429.
    pub max_per_peer: usize,
    /// Whose addresses stand for many clients, and are not bounded.
    pub proxies: Networks,
    /// How long a client may leave an answer untaken.
    pub write_timeout: Duration,
    /// How long a request's head may take from its first byte on.
    pub head_timeout: Duration,
    /// How long a connection may idle between two requests, and before the first.
    pub idle_timeout: Duration,
    /// How long open requests may take to finish after the shutdown.
    pub drain: Duration,
}

impl HttpBounds {
    /// Just above the 60 s after which common load balancers drop idle connections, so that these
    /// never send a request into a connection that we are closing.
    pub const IDLE_TIMEOUT: Duration = Duration::from_secs(65);
    /// A head is one packet or two: a client on the worst of networks has sent it again by then.
    pub const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

    /// This machine itself: a proxy on it stands for all of its clients.
    pub const LOOPBACK: &str = "127.0.0.0/8,::1";

    /// [`Self::LOOPBACK`] as networks.
    #[must_use]
    pub fn loopback() -> Networks {
        Self::LOOPBACK.parse().expect("these are networks")
    }
}
