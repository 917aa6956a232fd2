//! Watching how much work there is, here and at the tiers: the broker's lag, and the cluster's
//! ready pods.

use crate::decisions::Decisions;
use crate::metrics::Metrics;
use cluster::{Cluster, ClusterConfig, DeploymentCapacity};
use frame::{Destination, PerTier, Topics};
use frame_bus::Bus;
use settings::Settings;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Old enough to be cheap, fresh enough for a queue that holds seconds of work; in between, what
/// was sent and answered is counted.
const READ_EVERY: Duration = Duration::from_secs(2);

/// The consumer groups of the tiers: their committed offsets tell the backlog.
pub type TierGroups = PerTier<String>;

/// The groups that all replicas of `edge-inference` and of `cloud-inference` share.
pub(crate) fn groups_from_settings(settings: &mut Settings) -> TierGroups {
    TierGroups {
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

/// Where the backlog is read.
pub(crate) struct Backlog {
    pub(crate) bus: Bus,
    pub(crate) topics: Topics,
    pub(crate) groups: TierGroups,
    /// The group of all replicas of this unit.
    pub(crate) own_group: String,
}

impl Backlog {
    /// Tells the decisions and the metrics what it sees, until shutdown. What cannot be read is not
    /// known.
    pub(crate) async fn watch(
        self,
        decisions: Decisions,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) {
        loop {
            self.look(&decisions, &metrics).await;
            decisions.report();
            tokio::select! {
                () = tokio::time::sleep(READ_EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Reads it once.
    pub(crate) async fn look(&self, decisions: &Decisions, metrics: &Metrics) {
        let (own, edge, cloud) = tokio::join!(
            self.of(&self.own_group, &self.topics.frames),
            self.of_tier(Destination::Edge),
            self.of_tier(Destination::Cloud)
        );
        metrics.backlog(own);
        decisions.lag(Destination::Edge, edge);
        decisions.lag(Destination::Cloud, cloud);
    }

    async fn of_tier(&self, tier: Destination) -> Option<u64> {
        self.of(self.groups.of(tier), self.topics.for_destination(tier)).await
    }

    async fn of(&self, group: &str, topic: &str) -> Option<u64> {
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
pub(crate) async fn watch_cluster(
    config: ClusterConfig,
    decisions: Decisions,
    shutdown: CancellationToken,
) {
    let cluster = Cluster::watch(config, &shutdown);
    let mut capacity = cluster.capacity();
    loop {
        let seen = capacity.borrow_and_update().clone();
        for (tier, deployment) in [(Destination::Edge, seen.edge), (Destination::Cloud, seen.cloud)]
        {
            let at_maximum = deployment
                .as_ref()
                .and_then(|deployment: &DeploymentCapacity| deployment.hpa)
                .map(|hpa| hpa.at_maximum);
            decisions.capacity(tier, deployment.map(|deployment| deployment.ready), at_maximum);
        }
        tokio::select! {
            changed = capacity.changed() => if changed.is_err() { return },
            () = cluster.watching_ended() => return,
            () = shutdown.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_broker::{Broker, BrokerConfig};
    use frame_bus::{BusConfig, Outgoing};
    use offload::PolicyConfig;
    use std::time::Instant;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_backlog_is_counted_and_unknown_without_a_broker() {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
        let bus = Bus::open(BusConfig::new(broker.address().to_string(), "test")).unwrap();
        let (topics, shutdown) = (Topics::default(), CancellationToken::new());
        bus.ensure_topics(&frame_bus::topic_specs(&topics, 2), &shutdown).await.unwrap();
        for number in 0..3 {
            let out = Outgoing {
                topic: topics.frames.clone(),
                key: number.to_string(),
                headers: Vec::new(),
                payload: vec![0],
            };
            bus.send(out).await.unwrap();
        }
        let exported = unit::Metrics::default();
        let metrics = Metrics::register(&exported);
        let decisions =
            Decisions::new(&PolicyConfig::named("edge-only").unwrap(), None, metrics.clone())
                .unwrap();
        let groups = TierGroups { edge: "edge".into(), cloud: "cloud".into() };
        let backlog = Backlog { bus, topics, groups, own_group: "own".into() };
        let watching = tokio::spawn(backlog.watch(decisions, metrics, shutdown.clone()));
        let shows = async |line: &str| {
            let started = Instant::now();
            while !exported.encode().contains(line) {
                assert!(
                    started.elapsed() < Duration::from_secs(60),
                    "{line} is not in {}",
                    exported.encode()
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        shows("mlvi_preprocessor_backlog_frames 3.0\n").await;
        broker.shutdown().await.unwrap();
        shows("mlvi_preprocessor_backlog_frames NaN\n").await;
        shutdown.cancel();
        watching.await.unwrap();
    }
}
