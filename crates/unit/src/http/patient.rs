//! A stream that is patient with its client, but not for ever.

use super::HttpBounds;
use super::counts::{Closed, HttpCounts};
use super::idle::{IdleOnes, Idling};
use super::phase::Phase;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

/// Who takes an answer more slowly than this, in bytes per second, counts as one who does not take
/// it: a client that reads a byte now and then would otherwise hold its connection for years.
const SLOWEST_BYTES_PER_S: u32 = 1024;

/// A stream that ends with an error when its client does not go on.
pub(super) struct Patient<S> {
    stream: S,
    phase: Phase,
    counts: HttpCounts,
    idle_ones: IdleOnes,
    head_timeout: Duration,
    idle_timeout: Duration,
    answer: Answer,
    request: Request,
    has_given_up: bool,
}

/// An answer that waits to be taken.
#[derive(Debug)]
struct Answer {
    patience: Duration,
    /// The time that its client has kept it waiting, less what was taken meanwhile at the slowest
    /// pace allowed.
    debt: Duration,
    waits: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// A request that is waited for.
#[derive(Default)]
struct Request {
    /// Its first byte is there.
    has_begun: bool,
    /// Ends when it is waited for no longer, with the reason.
    limit: Option<Pin<Box<dyn Future<Output = Closed> + Send>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(
        stream: S,
        bounds: &HttpBounds,
        phase: Phase,
        idle_ones: IdleOnes,
        counts: HttpCounts,
    ) -> Self {
        let answer = Answer { patience: bounds.write_timeout, debt: Duration::ZERO, waits: None };
        let (head_timeout, idle_timeout) = (bounds.head_timeout, bounds.idle_timeout);
        Self {
            stream,
            phase,
            counts,
            idle_ones,
            head_timeout,
            idle_timeout,
            answer,
            request: Request::default(),
            has_given_up: false,
        }
    }

    /// The stream, unless its client has had its time.
    pub(super) fn into_inner(self) -> Option<S> {
        (!self.has_given_up).then_some(self.stream)
    }

    /// The error that ends the connection.
    fn give_up(&mut self, why: Closed) -> io::Error {
        self.has_given_up = true;
        self.counts.closed(why);
        let what = match why {
            Closed::AnswerNotTaken => "the client does not take its answer",
            Closed::Handshake => "the handshake does not come to its end",
            Closed::SlowHead => "the head of a request does not come to its end",
            Closed::Idle => "no request comes",
            Closed::Displaced => "no request came when others needed the place",
            Closed::Panicked => "what served the connection panicked",
        };
        io::Error::new(ErrorKind::TimedOut, what)
    }

    /// What became of a write.
    fn written(
        &mut self,
        outcome: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Pending => {
                ready!(self.answer.wait(cx));
                Poll::Ready(Err(self.give_up(Closed::AnswerNotTaken)))
            }
            Poll::Ready(outcome) => Poll::Ready(
                outcome
                    .inspect(|bytes| self.answer.taken(*bytes))
                    .map_err(|error| self.timed(error)),
            ),
        }
    }

    /// The kernel gives up in the same way when what it has sent is not acknowledged.
    fn timed(&mut self, error: io::Error) -> io::Error {
        if error.kind() == ErrorKind::TimedOut {
            self.has_given_up = true;
            self.counts.closed(Closed::AnswerNotTaken);
        }
        error
    }
}

/// Idles until the time is over or the place is needed.
async fn idle(time: Duration, (_idling, displaced): (Idling, CancellationToken)) -> Closed {
    tokio::select! {
        () = tokio::time::sleep(time) => Closed::Idle,
        () = displaced.cancelled() => Closed::Displaced,
    }
}

impl Answer {
    /// Ready when the patience is over.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.patience.saturating_sub(self.debt);
        let now = Instant::now();
        let (_, alarm) =
            self.waits.get_or_insert_with(|| (now, Box::pin(tokio::time::sleep_until(now + left))));
        alarm.as_mut().poll(cx)
    }

    fn taken(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waits.take() {
            self.debt += since.elapsed();
        }
        let paid = Duration::from_secs_f64(bytes as f64 / f64::from(SLOWEST_BYTES_PER_S));
        self.debt = self.debt.saturating_sub(paid);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if self.phase.is_at_work() {
            // a body has limits of its own, which are the handler's
            self.request = Request::default();
            return outcome.map_err(|error| self.timed(error));
        }
        match outcome {
            Poll::Ready(Ok(())) => {
                if !self.request.has_begun && buffer.filled().len() > before {
                    let end = tokio::time::sleep(self.head_timeout);
                    let limit = Box::pin(async move {
                        end.await;
                        Closed::SlowHead
                    });
                    self.request = Request { has_begun: true, limit: Some(limit) };
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.timed(error))),
            Poll::Pending => {
                let (idle_timeout, idle_ones) = (self.idle_timeout, self.idle_ones.clone());
                let limit = self
                    .request
                    .limit
                    .get_or_insert_with(|| Box::pin(idle(idle_timeout, idle_ones.begin())));
                let why = ready!(limit.as_mut().poll(cx));
                self.request = Request::default();
                Poll::Ready(Err(self.give_up(why)))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(outcome, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.written(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// With TLS, what was written may still wait here to be taken.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx).map_ok(|()| 0);
        self.written(outcome, cx).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(600);

    fn pair(bounds: HttpBounds) -> (Patient<DuplexStream>, DuplexStream, Phase) {
        let (ours, theirs) = tokio::io::duplex(1000);
        let phase = Phase::default();
        (
            Patient::new(ours, &bounds, phase.clone(), IdleOnes::default(), HttpCounts::default()),
            theirs,
            phase,
        )
    }

    fn bounds() -> HttpBounds {
        HttpBounds {
            max_connections: 1,
            max_per_peer: 1,
            proxies: super::super::Networks::default(),
            write_timeout: LONG,
            head_timeout: LONG,
            idle_timeout: LONG,
            drain: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_not_taken_ends_the_connection() {
        let (mut patient, theirs, _) = pair(HttpBounds { write_timeout: SHORT, ..bounds() });
        let error = patient.write_all(&[0; 2000]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(theirs);
    }

    #[tokio::test]
    async fn neither_does_a_trickle_help() {
        let (mut patient, mut theirs, _) = pair(HttpBounds { write_timeout: SHORT, ..bounds() });
        let trickle = async {
            let mut byte = [0];
            while theirs.read_exact(&mut byte).await.is_ok() {
                tokio::time::sleep(SHORT / 4).await;
            }
        };
        tokio::select! {
            outcome = patient.write_all(&[0; 2000]) => assert_eq!(outcome.unwrap_err().kind(), ErrorKind::TimedOut),
            () = trickle => panic!("the stream has ended"),
        }
    }

    #[tokio::test]
    async fn who_takes_it_slowly_but_steadily_gets_it_all() {
        let (mut patient, mut theirs, _) = pair(HttpBounds { write_timeout: SHORT, ..bounds() });
        let taker = tokio::spawn(async move {
            let mut bytes = [0; 500];
            let mut taken = 0;
            // 5000 bytes per second, over five times the write timeout
            while taken < 5000 {
                tokio::time::sleep(SHORT / 2).await;
                taken += theirs.read(&mut bytes).await.unwrap();
            }
        });
        patient.write_all(&[0; 5000]).await.unwrap();
        taker.await.unwrap();
    }

    #[tokio::test]
    async fn a_request_has_limits_until_it_is_worked_on() {
        let mut byte = [0];
        let (mut idle, _theirs, _) = pair(HttpBounds { idle_timeout: SHORT, ..bounds() });
        assert!(idle.read(&mut byte).await.unwrap_err().to_string().contains("no request"));

        let (mut slow, mut theirs, phase) = pair(HttpBounds { head_timeout: SHORT, ..bounds() });
        theirs.write_all(b"G").await.unwrap();
        slow.read_exact(&mut byte).await.unwrap();
        let work = phase.begin();
        assert!(
            tokio::time::timeout(2 * SHORT, slow.read(&mut byte)).await.is_err(),
            "it is worked on"
        );
        drop(work);
        theirs.write_all(b"G").await.unwrap();
        slow.read_exact(&mut byte).await.unwrap();
        assert!(slow.read(&mut byte).await.unwrap_err().to_string().contains("head"));
    }
}
