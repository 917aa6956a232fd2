//! Watches the cluster until it is told to stop.

use crate::backoff::Backoff;
use crate::board::Board;
use crate::connect::{Connection, connect, none_wanted};
use crate::follow::Follower;
use crate::objects::{Autoscaler, Pods};
use crate::{ClusterConfig, ClusterSnapshot};
use kube::Api;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::sleep;
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

async fn watch_all(config: ClusterConfig, board: Arc<Board>) -> Infallible {
    let Connection { client, namespace } = connection(&config, &board).await;
    let ClusterConfig { edge_deployment, cloud_deployment, pacing, .. } = config;
    let deployments = Api::namespaced(client.clone(), &namespace);
    let edge = Follower {
        api: deployments.clone(),
        name: Some(edge_deployment),
        read: Pods::of,
        feed: |view| &mut view.edge,
        board: Arc::clone(&board),
        pacing: pacing.clone(),
    };
    let cloud = Follower {
        api: deployments,
        name: Some(cloud_deployment),
        read: Pods::of,
        feed: |view| &mut view.cloud,
        board: Arc::clone(&board),
        pacing: pacing.clone(),
    };
    let autoscalers = Follower {
        api: Api::namespaced(client, &namespace),
        name: None,
        read: Autoscaler::of,
        feed: |view| &mut view.autoscalers,
        board,
        pacing,
    };
    let (never, _, _) = tokio::join!(
        Box::pin(edge.follow()),
        Box::pin(cloud.follow()),
        Box::pin(autoscalers.follow())
    );
    never
}

/// Tries until there is a client: a kubeconfig or a token may be written later.
async fn connection(config: &ClusterConfig, board: &Board) -> Connection {
    let mut backoff = Backoff::new(&config.pacing);
    loop {
        match connect(config).await {
            Ok(connection) => return connection,
            Err(reason) => board.absent(&reason),
        }
        sleep(backoff.next()).await;
    }
}
