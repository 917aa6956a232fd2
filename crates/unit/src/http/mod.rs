//! Serves HTTP/1.1 on a listener, with bounds against slow and ill-mannered clients.
//!
//! `axum::serve` has neither a limit on connections nor one on the time that a client may take, and
//! closes a connection hard when it has refused a body unread, so that many clients never see why.
//! Hence this loop over hyper.
//!
//! What a client may hold is bounded at every step: `accept` (connections in all, and of one
//! address in `peers`), the head and the pause between requests (`phase`), and the answer
//! (`patient`: one that is not taken ends the connection).
//! With TLS (`tls`) the handshake has to be over as soon as a head.

mod accept;
mod bounds;
mod converse;
mod counts;
mod idle;
mod patient;
mod peers;
mod phase;
mod port;
mod takeover;
mod tls;

pub use bounds::HttpBounds;
pub use counts::HttpCounts;
pub use peers::{Network, Networks};
pub use port::Port;
pub use takeover::{Connection, Duplex, Takeover};
pub use tls::{Tls, TlsError};

use accept::Acceptor;
use axum::Router;
use converse::Host;
use counts::Closed;
use futures_util::FutureExt;
use idle::IdleOnes;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves until `shutdown`, then lets open requests finish within the bounds' drain time.
pub async fn serve(
    port: impl Into<Port>,
    router: Router,
    bounds: HttpBounds,
    counts: HttpCounts,
    shutdown: CancellationToken,
) {
    let Port { listener, handshake } = port.into();
    let bounds = Arc::new(bounds);
    let idle_ones = IdleOnes::default();
    let mut acceptor = Acceptor::new(listener, bounds.clone(), idle_ones.clone(), counts.clone());
    let host = Host {
        router,
        handshake,
        bounds: bounds.clone(),
        idle_ones,
        counts: counts.clone(),
        shutdown: shutdown.clone(),
    };
    let open = TaskTracker::new();
    // ends what has not finished within the drain time
    let hard_stop = CancellationToken::new();
    while let Some(Some(guest)) = shutdown.run_until_cancelled(acceptor.next()).await {
        let talk = host.clone().converse(guest.stream);
        let (counts, hard_stop, held) = (counts.clone(), hard_stop.clone(), guest.held);
        open.spawn(async move {
            counts.connections.inc();
            // a panic costs this connection alone; the hook has logged it
            let talk = AssertUnwindSafe(talk).catch_unwind();
            if let Some(Err(_)) = hard_stop.run_until_cancelled_owned(talk).await {
                counts.closed(Closed::Panicked);
            }
            counts.connections.dec();
            drop(held);
        });
    }
    drop(acceptor);
    open.close();
    if tokio::time::timeout(bounds.drain, open.wait()).await.is_err() {
        tracing::warn!(connections = open.len(), "requests did not finish within the drain time");
        hard_stop.cancel();
        open.wait().await;
    }
}
