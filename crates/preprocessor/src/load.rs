//! Watching how much work the tiers have.

use crate::LoadSnapshot;
use crate::metrics::Metrics;
use frame::{Destination, Topics};
use frame_bus::Bus;
use settings::Settings;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

/// Old enough to be cheap, fresh enough for a queue that holds seconds of work.
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

/// The latest snapshot; looking stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    latest: watch::Receiver<LoadSnapshot>,
    _watching: DropGuard,
}

impl Load {
    /// Begins to look. Until the first answer, and whenever there is none, the backlogs are not known.
    pub(crate) fn watch(bus: Bus, topics: Topics, groups: TierGroups, metrics: Metrics) -> Self {
        let (sender, latest) = watch::channel(LoadSnapshot::default());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(stopped.run_until_cancelled_owned(async move {
            loop {
                let backlog = async |tier| backlog(&bus, groups.of(tier), topics.for_destination(tier)).await;
                let (edge_backlog, cloud_backlog) = tokio::join!(backlog(Destination::Edge), backlog(Destination::Cloud));
                metrics.backlog(Destination::Edge, edge_backlog);
                metrics.backlog(Destination::Cloud, cloud_backlog);
                sender.send_replace(LoadSnapshot { edge_backlog, cloud_backlog });
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }));
        Self { latest, _watching: stop.drop_guard() }
    }

    pub(crate) fn latest(&self) -> LoadSnapshot {
        *self.latest.borrow()
    }
}

async fn backlog(bus: &Bus, group: &str, topic: &str) -> Option<u64> {
    match bus.lag(group, topic).await {
        Ok(lag) => Some(lag.messages),
        Err(error) => {
            debug!(group, topic, %error, "backlog is not known");
            None
        }
    }
}
