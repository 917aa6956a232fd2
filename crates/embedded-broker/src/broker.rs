//! The broker as its users see it: start, address, shutdown.

use crate::config::{BrokerConfig, FsyncPolicy};
use crate::error::BrokerError;
use crate::node::Node;
use crate::{server, upkeep};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

/// Requests that are being answered when the broker stops get this long.
const DRAIN: Duration = Duration::from_secs(2);

/// A running broker. Dropping it stops it too, but only [`Broker::shutdown`] waits and flushes.
pub struct Broker {
    address: SocketAddr,
    pub(crate) node: Arc<Node>,
    tasks: JoinSet<()>,
    stop: DropGuard,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Broker {
    /// Opens the directory, checks what is in it, and listens. From the return on, clients are
    /// served.
    ///
    /// The broker lives on the caller's runtime: where that has one thread only, whoever blocks it
    /// (as the synchronous calls of a Kafka client do) keeps the broker from answering.
    ///
    /// # Errors
    /// When the configuration cannot work, the address is taken, another broker uses the directory,
    /// or the directory cannot be read or written.
    pub async fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        config.check()?;
        let listen_error = |source| BrokerError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let opening = config.clone();
        let opened = tokio::task::spawn_blocking(move || Node::open(opening, address.port())).await;
        let node =
            Arc::new(opened.map_err(|error| BrokerError::Storage {
                path: config.dir,
                source: error.into(),
            })??);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, Arc::clone(&node), stop.clone()));
        tasks.spawn(upkeep::run(Arc::clone(&node), stop.clone()));
        info!(%address, dir = %node.config.dir.display(), "embedded broker listening");
        Ok(Self { address, node, tasks, stop: stop.drop_guard() })
    }

    /// Where clients connect to; the port is the real one where 0 was configured.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the requests that are being answered finish (for 2 s at most), closes all connections,
    /// and writes everything down. The directory and the port are free afterwards.
    ///
    /// # Errors
    /// When data cannot be forced to the disk.
    pub async fn shutdown(self) -> Result<(), BrokerError> {
        let Self { node, mut tasks, stop, address } = self;
        stop.disarm().cancel();
        let drained =
            tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tasks.shutdown().await;
        }
        node.jobs_done().await;
        let dir = node.config.dir.clone();
        let last_job = tokio::task::spawn_blocking(move || {
            let flushed =
                if node.config.fsync == FsyncPolicy::Never { Ok(()) } else { node.flush() };
            flushed.and_then(|()| node.close()).and(node.release_dir())
        });
        let flushed = last_job
            .await
            .map_err(|error| BrokerError::Storage { path: dir, source: error.into() })?;
        info!(%address, "embedded broker stopped");
        flushed
    }
}
