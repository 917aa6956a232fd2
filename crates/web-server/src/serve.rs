//! Serves HTTP/1.1 on a listener, with bounds against slow and ill-mannered clients.
//!
//! `axum::serve` has neither a limit on connections nor one on the time that a request's head may take, and closes a connection
//! hard when it has refused a body unread, so that many clients never see why. Hence this loop over hyper.

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus_client::metrics::gauge::Gauge;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a request's head may take, and how long a connection may idle: just above the 60 s after which common load
/// balancers drop idle connections, so that these never send a request into a connection that we are closing.
const HEAD_TIMEOUT: Duration = Duration::from_secs(65);

/// Read buffer per connection, and with it the largest head; hyper's own limit of 400 KiB is more than any client of ours needs.
const BUFFER_BYTES: usize = 64 * 1024;

/// After a refusal the rest of a body is read and dropped, so that the client gets to reading the answer: at most so much …
const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// … and for at most so long.
const LINGER_TIME: Duration = Duration::from_secs(5);

/// Out of file descriptors: some connection has to end first.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How a listener is served.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) max_connections: usize,
    /// How long open requests may take to finish after `shutdown`.
    pub(crate) drain: Duration,
    /// Follows the number of open connections.
    pub(crate) connections: Gauge,
}

/// Serves until `shutdown`, then lets open requests finish.
pub(crate) async fn serve(listener: TcpListener, router: Router, serving: Serving, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(serving.max_connections));
    let open = TaskTracker::new();
    // ends what has not finished within the drain time
    let hard_stop = CancellationToken::new();
    while let Some((stream, place)) = next(&listener, &places, &shutdown).await {
        let (router, shutdown, hard_stop) = (router.clone(), shutdown.clone(), hard_stop.clone());
        let connections = serving.connections.clone();
        open.spawn(async move {
            connections.inc();
            hard_stop.run_until_cancelled_owned(converse(stream, router, shutdown)).await;
            connections.dec();
            drop(place);
        });
    }
    drop(listener);
    open.close();
    if tokio::time::timeout(serving.drain, open.wait()).await.is_err() {
        tracing::warn!(connections = open.len(), "requests did not finish within the drain time");
        hard_stop.cancel();
        open.wait().await;
    }
}

/// The next connection once there is a place for it; `None` at shutdown.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let accepted = async {
        let place = places.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accepted).await.flatten()
}

/// Serves one connection to its end.
async fn converse(stream: TcpStream, router: Router, shutdown: CancellationToken) {
    // answers are small and complete: waiting for more to send only delays them
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off Nagle's algorithm");
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request| Box::pin(router.call(request)));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(BUFFER_BYTES);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
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
    match outcome {
        // at shutdown nobody lingers: idle clients would hold it up, for they close only when they next look
        Ok(()) => drop(shutdown.run_until_cancelled(linger(connection.into_parts().io.into_inner())).await),
        Err(error) => tracing::debug!(%error, "connection ended"),
    }
}

/// Ends our side, then reads what the client still sends. Closing with bytes unread would make the kernel send a reset, which
/// lets the client lose the answer that it has not read yet (RFC 9112, section 9.6).
async fn linger(mut stream: TcpStream) {
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
