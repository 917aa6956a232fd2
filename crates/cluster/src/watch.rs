//! Watches the cluster until it is told to stop.

use crate::access::none_wanted;
use crate::board::Board;
#[cfg(feature = "kubernetes")]
use crate::watch_all::watch_all;
use crate::{ClusterConfig, ClusterSnapshot};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The cluster being watched, until it is dropped or the shutdown that it was given comes.
#[derive(Debug)]
pub struct Cluster {
    board: Arc<Board>,
    tasks: TaskTracker,
    /// Whether there is a cluster to watch.
    wanted: bool,
    _stop: DropGuard,
}

impl Cluster {
    /// Begins to watch and returns at once, whether there is a cluster or not.
    ///
    /// # Panics
    /// Outside of a tokio runtime, when there is a cluster to watch.
    #[must_use]
    pub fn watch(config: ClusterConfig, shutdown: &CancellationToken) -> Self {
        let board = Arc::new(Board::new(&config));
        let tasks = TaskTracker::new();
        let stop = shutdown.child_token();
        let absent = none_wanted(&config.access);
        if let Some(reason) = absent {
            board.absent(reason);
        } else {
            let watching = watch_all(config, Arc::clone(&board));
            let stop = stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(watching).await });
        }
        tasks.close();
        Self { board, tasks, wanted: absent.is_none(), _stop: stop.drop_guard() }
    }

    /// What is known, now and after each change. The last snapshot stays readable after the end.
    #[must_use]
    pub fn capacity(&self) -> watch::Receiver<ClusterSnapshot> {
        self.board.subscribe()
    }

    /// Waits until watching has ended, be it by the shutdown or by a panic: for ever when there is
    /// no cluster to watch.
    pub async fn watching_ended(&self) {
        if !self.wanted {
            std::future::pending::<()>().await;
        }
        self.tasks.wait().await;
    }

    /// Waits until the shutdown has ended everything that was started. Without a cluster that is at
    /// once.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

/// Is never called: without the feature there is always a reason to watch nothing.
#[cfg(not(feature = "kubernetes"))]
async fn watch_all(_: ClusterConfig, _: Arc<Board>) -> std::convert::Infallible {
    std::future::pending().await
}
