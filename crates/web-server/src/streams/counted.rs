//! A connection whose message that is coming in has its room among the frames on their way.

use crate::pending::Hold;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use unit::http::Duplex;

/// The bytes that came since the last whole message are accounted for; with no room left, reading
/// fails as [`ErrorKind::OutOfMemory`].
pub(super) struct Counted {
    stream: Box<dyn Duplex>,
    incoming: Incoming,
}

/// How many bytes of a message came so far, and their room.
#[derive(Clone)]
pub(super) struct Incoming(Arc<Mutex<(usize, Hold)>>);

impl Incoming {
    fn lock(&self) -> MutexGuard<'_, (usize, Hold)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message is whole, and accounted for by whoever takes it.
    pub(super) fn is_whole(&self) {
        let (bytes, hold) = &mut *self.lock();
        *bytes = 0;
        // less than before
        let _ = hold.set(0);
    }

    fn came(&self, more: usize) -> Result<()> {
        let (bytes, hold) = &mut *self.lock();
        *bytes += more;
        let held = hold.set(*bytes);
        held.map_err(|_| Error::new(ErrorKind::OutOfMemory, "there is no room"))
    }
}

impl Counted {
    pub(super) fn new(stream: Box<dyn Duplex>, hold: Hold) -> (Self, Incoming) {
        let incoming = Incoming(Arc::new(Mutex::new((0, hold))));
        (Self { stream, incoming: incoming.clone() }, incoming)
    }

    /// The connection alone.
    pub(super) fn into_inner(self) -> Box<dyn Duplex> {
        self.stream
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let came = buffer.filled().len() - before;
        Poll::Ready(self.incoming.came(came))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn a_message_that_never_ends_finds_no_room() {
        let app = app(&[("MLVI_MAX_PENDING_MIB", "8")]);
        let (mut client, server) = duplex(1 << 20);
        let (mut counted, incoming) = Counted::new(Box::new(server), app.room.hold());
        let mib = vec![0; 1 << 20];
        let mut read = vec![0; 1 << 20];
        for _ in 0..8 {
            client.write_all(&mib).await.unwrap();
            counted.read_exact(&mut read).await.unwrap();
        }
        client.write_all(&mib).await.unwrap();
        let error = counted.read_exact(&mut read).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        incoming.is_whole();
        client.write_all(&mib[..10]).await.unwrap();
        assert!(counted.read(&mut read).await.unwrap() > 0);
    }
}
