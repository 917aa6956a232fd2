//! Serves one connection to its end.

use super::counts::Closed;
use super::idle::IdleOnes;
use super::patient::Patient;
use super::phase::{Phase, until_sent};
use super::port::{AnyStream, Handshake};
use super::takeover::{Connection, Takeover};
use super::{HttpBounds, HttpCounts};
use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Read buffer per connection, and with it the largest head; hyper's own limit of 400 KiB is more
/// than any client of ours needs.
const BUFFER_BYTES: usize = 64 * 1024;

/// After a refusal the rest of a body is read and dropped, so that the client gets to reading the
/// answer: at most so much …
const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// … and for at most so long.
const LINGER_TIME: Duration = Duration::from_secs(5);

/// What every connection of a server needs.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) router: Router,
    pub(super) handshake: Option<Arc<dyn Handshake>>,
    pub(super) bounds: Arc<HttpBounds>,
    pub(super) idle_ones: IdleOnes,
    pub(super) counts: HttpCounts,
    pub(super) shutdown: CancellationToken,
}

impl Host {
    pub(super) async fn converse(self, stream: TcpStream) {
        let Some(stream) = self.begin(stream).await else { return };
        let Self { router, bounds, idle_ones, counts, shutdown, .. } = self;
        let phase = Phase::default();
        let patient = Patient::new(stream, &bounds, phase.clone(), idle_ones, counts);
        let router = TowerToHyperService::new(router);
        let takeover = Takeover::default();
        let offered = takeover.clone();
        let service = service_fn(move |mut request: hyper::Request<_>| {
            request.extensions_mut().insert(offered.clone());
            let (work, answer) = (phase.begin(), router.call(request));
            Box::pin(async move { answer.await.map(|response| until_sent(response, work)) })
        });
        let mut connection = http1::Builder::new()
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(patient), service);
        let mut told = false;
        let outcome = loop {
            tokio::select! {
                outcome = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break outcome,
                () = shutdown.cancelled(), if !told => {
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                    told = true;
                }
            }
        };
        let parts = connection.into_parts();
        let (stream, read) = (parts.io.into_inner().into_inner(), parts.read_buf);
        // what cannot be parsed was answered, too: with 400, 414 or 431
        let is_answered = outcome.as_ref().map_or_else(hyper::Error::is_parse, |()| true);
        if let Err(error) = outcome {
            tracing::debug!(%error, "connection ended");
        }
        let Some(stream) = stream.filter(|_| is_answered) else { return };
        let mut stream = stream;
        if let Some(next) = takeover.take() {
            let Some(left) = next(Connection { stream, read }).await else { return };
            stream = left;
        }
        // at shutdown nobody lingers: idle clients would hold it up, for they close only when
        // they next check
        let _ = shutdown.run_until_cancelled(linger(stream)).await;
    }
}

impl Host {
    /// The connection, after its handshake if there is one. Who takes longer for it than for a head
    /// is closed, and when all places are taken also who has not finished it.
    async fn begin(&self, stream: TcpStream) -> Option<AnyStream> {
        let Some(handshake) = self.handshake.clone() else { return Some(Box::new(stream)) };
        let (_idling, displaced) = self.idle_ones.begin();
        let shaken = tokio::time::timeout(self.bounds.head_timeout, handshake.shake(stream));
        let why = tokio::select! {
            shaken = shaken => match shaken {
                Ok(Ok(stream)) => return Some(stream),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "no TLS connection");
                    Closed::Handshake
                }
                Err(_) => Closed::Handshake,
            },
            () = displaced.cancelled() => Closed::Displaced,
            () = self.shutdown.cancelled() => return None,
        };
        self.counts.closed(why);
        None
    }
}

/// Ends our side, then reads what the client still sends. Closing with bytes unread would make the
/// kernel send a reset, which lets the client lose the answer that it has not read yet (RFC 9112,
/// section 9.6).
async fn linger(mut stream: AnyStream) {
    let drain = async {
        stream.shutdown().await?;
        let mut buffer = vec![0; 16 * 1024];
        let mut dropped = 0;
        while dropped < LINGER_BYTES {
            match stream.read(&mut buffer).await? {
                0 => break,
                bytes => dropped += bytes,
            }
        }
        std::io::Result::Ok(())
    };
    // whatever goes wrong now, the connection is over
    let _ = tokio::time::timeout(LINGER_TIME, drain).await;
}
