//! Follows both Deployments and the autoscalers, once there is a client.

use crate::ClusterConfig;
use crate::board::Board;
use crate::capacity::{Autoscaler, Pods};
use crate::connect::{Connection, connect};
use crate::follow::Follower;
use crate::objects::{AUTOSCALERS, DEPLOYMENTS};
use backoff::Backoff;
use kube::Api;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::time::sleep;

/// Never ends by itself.
pub(crate) async fn watch_all(config: ClusterConfig, board: Arc<Board>) -> Infallible {
    let Connection { client, namespace } = connection(&config, &board).await;
    let ClusterConfig { edge_deployment, cloud_deployment, pacing, .. } = config;
    let deployments = Api::namespaced_with(client.clone(), &namespace, &DEPLOYMENTS.resource());
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
        api: Api::namespaced_with(client, &namespace, &AUTOSCALERS.resource()),
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
    let mut backoff = Backoff::new(config.pacing.first_retry, config.pacing.longest_retry);
    loop {
        match connect(config).await {
            Ok(connection) => return connection,
            Err(error) => board.absent(&text::with_causes(&error)),
        }
        sleep(backoff.next_delay()).await;
    }
}
