//! A connection that goes on in another protocol behind an answer `101` (RFC 9110, section 7.8),
//! as a WebSocket does.

use axum::body::Bytes;
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connection that HTTP is done with.
pub struct Connection {
    /// The connection. Its client's patience is for whoever takes it over.
    pub stream: Box<dyn Duplex>,
    /// What was read from it already.
    pub read: Bytes,
}

/// Every request has one among its extensions: whoever answers with `101` says here what comes
/// then. It counts as a part of the connection, and ends with it at the end of the drain time.
#[derive(Clone, Default)]
pub struct Takeover(Arc<Mutex<Option<Next>>>);

/// Gives the stream back, if its client may still have something to read from it.
type Next = Box<dyn FnOnce(Connection) -> BoxFuture<'static, Option<Box<dyn Duplex>>> + Send>;

impl Takeover {
    /// Says what is done with the connection once the answer is sent. A stream that is given back
    /// is read to its end, for a while, so that its client gets to reading the last answer.
    pub fn then<F>(&self, next: F)
    where
        F: FnOnce(Connection) -> BoxFuture<'static, Option<Box<dyn Duplex>>> + Send + 'static,
    {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(next));
    }

    pub(super) fn take(&self) -> Option<Next> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Takeover").finish_non_exhaustive()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("read", &self.read.len()).finish_non_exhaustive()
    }
}
