//! Watching how much work the tiers have: the broker's lag, and the cluster's ready pods.

use crate::decisions::Decisions;
use cluster::{Cluster, ClusterConfig, DeploymentCapacity};
use frame::{Destination, Topics};
use frame_bus::Bus;
use settings::Settings;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Old enough to be cheap, fresh enough for a queue that holds seconds of work; in between, what was sent and answered is counted.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The consumer groups of the tiers: their committed offsets tell the backlog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TierGroups {
    /// The group of all `edge-inference` replicas.
    pub edge: String,
    /// The group of all `cloud-inference` replicas.
    pub cloud: String,
}

impl TierGroups {
    pub(crate) fn from_settings(settings: &mut Settings) -> Self {
        Self {
            edge: settings.text(
                "MLVI_EDGE_GROUP",
                "mlvi-edge-inference",
                "the consumer group of edge-inference, to see its backlog",
            ),
            cloud: settings.text(
                "MLVI_CLOUD_GROUP",
                "mlvi-cloud-inference",
                "the consumer group of cloud-inference, to see its backlog",
            ),
        }
    }

    fn of(&self, tier: Destination) -> &str {
        match tier {
            Destination::Edge => &self.edge,
            Destination::Cloud => &self.cloud,
        }
    }
}

/// Where the backlog is read.
pub(crate) struct Backlog {
    pub(crate) bus: Bus,
    pub(crate) topics: Topics,
    pub(crate) groups: TierGroups,
}

impl Backlog {
    /// Tells the decisions what it sees, until shutdown. What cannot be read is not known.
    pub(crate) async fn watch(self, decisions: Decisions, shutdown: CancellationToken) {
        loop {
            let (edge, cloud) = tokio::join!(self.of(Destination::Edge), self.of(Destination::Cloud));
            decisions.lag(Destination::Edge, edge);
            decisions.lag(Destination::Cloud, cloud);
            decisions.report();
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn of(&self, tier: Destination) -> Option<u64> {
        let (group, topic) = (self.groups.of(tier), self.topics.for_destination(tier));
        match self.bus.lag(group, topic).await {
            Ok(lag) => Some(lag.messages),
            Err(error) => {
                debug!(group, topic, %error, "backlog is not known");
                None
            }
        }
    }
}

/// Tells the decisions how many pods are ready, until shutdown.
pub(crate) async fn watch_cluster(config: ClusterConfig, decisions: Decisions, shutdown: CancellationToken) {
    let cluster = Cluster::watch(config, &shutdown);
    let mut capacity = cluster.capacity();
    loop {
        let seen = capacity.borrow_and_update().clone();
        for (tier, deployment) in [(Destination::Edge, seen.edge), (Destination::Cloud, seen.cloud)] {
            let at_maximum =
                deployment.as_ref().and_then(|deployment: &DeploymentCapacity| deployment.hpa).map(|hpa| hpa.at_maximum);
            decisions.capacity(tier, deployment.map(|deployment| deployment.ready), at_maximum);
        }
        tokio::select! {
            changed = capacity.changed() => if changed.is_err() { return },
            () = shutdown.cancelled() => return,
        }
    }
}
