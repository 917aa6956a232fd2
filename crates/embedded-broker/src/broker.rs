//! The broker as its users see it: start, address, shutdown.

use crate::config::{BrokerConfig, FsyncPolicy};
use crate::error::BrokerError;
use crate::node::Node;
use crate::{server, upkeep};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::info;

/// Requests that are being answered when the broker stops get this long.
const DRAIN: Duration = Duration::from_secs(2);

/// What a background task of the broker does.
pub type BrokerTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A running broker. Dropping it stops it too, but only [`Broker::shutdown`] waits and flushes.
pub struct Broker {
    address: SocketAddr,
    pub(crate) node: Arc<Node>,
    tasks: TaskTracker,
    stop: DropGuard,
    /// Ends the tasks that do not stop in time.
    hard_stop: DropGuard,
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
        Self::start_with(config, |_, _, task| drop(tokio::spawn(task))).await
    }

    /// The same with background tasks that the caller spawns, so that it sees what becomes of them:
    /// each comes with its name, and with the token that asks it to end. One that ends before that,
    /// or panics, leaves a broker that does not do its work any more.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub async fn start_with(
        config: BrokerConfig,
        mut spawn: impl FnMut(&'static str, CancellationToken, BrokerTask),
    ) -> Result<Self, BrokerError> {
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
        let (tasks, hard_stop) = (TaskTracker::new(), CancellationToken::new());
        let mut begin = |name, task: BrokerTask| {
            let bounded = hard_stop.clone().run_until_cancelled_owned(task);
            let tracked = tasks.track_future(bounded);
            spawn(
                name,
                stop.clone(),
                Box::pin(async move {
                    tracked.await;
                }),
            );
        };
        begin("connections", Box::pin(server::serve(listener, Arc::clone(&node), stop.clone())));
        begin("upkeep", Box::pin(upkeep::run(Arc::clone(&node), stop.clone())));
        info!(%address, dir = %node.config.dir.display(), "embedded broker listening");
        let (stop, hard_stop) = (stop.drop_guard(), hard_stop.drop_guard());
        Ok(Self { address, node, tasks, stop, hard_stop })
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
        let Self { node, tasks, stop, hard_stop, address } = self;
        stop.disarm().cancel();
        tasks.close();
        if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
            hard_stop.disarm().cancel();
            tasks.wait().await;
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
