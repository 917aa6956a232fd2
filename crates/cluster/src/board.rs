//! The one place where what each watch has seen comes together, is published and is told to the
//! log.

use crate::capacity::{Autoscaler, Pods};
use crate::{ClusterConfig, ClusterSnapshot, ClusterState, DeploymentCapacity};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;
use tracing::{info, warn};

/// Takes in what the watches see and publishes what follows from it.
#[derive(Debug)]
pub(crate) struct Board {
    view: Mutex<View>,
    published: watch::Sender<ClusterSnapshot>,
}

/// What each watch has seen last.
#[derive(Debug)]
pub(crate) struct View {
    edge_name: String,
    cloud_name: String,
    pub(crate) edge: Feed<Pods>,
    pub(crate) cloud: Feed<Pods>,
    pub(crate) autoscalers: Feed<Autoscaler>,
    /// What the log was told last.
    told: Option<News>,
}

/// The objects of one watch by name, and how it stands with it.
#[derive(Debug)]
pub(crate) struct Feed<T> {
    pub(crate) state: ClusterState,
    /// `None` when nothing is known.
    pub(crate) objects: Option<BTreeMap<String, T>>,
}

/// What is worth a line in the log when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Absent,
    Unreachable,
    Refused,
    Watching,
    WatchingWithoutAutoscalers,
}

impl Board {
    /// Nothing is known yet.
    pub(crate) fn new(config: &ClusterConfig) -> Self {
        let view = View {
            edge_name: config.edge_deployment.clone(),
            cloud_name: config.cloud_deployment.clone(),
            edge: Feed::unknown(ClusterState::Connecting),
            cloud: Feed::unknown(ClusterState::Connecting),
            autoscalers: Feed::unknown(ClusterState::Connecting),
            told: None,
        };
        let published = watch::Sender::new(ClusterSnapshot::unknown(ClusterState::Connecting));
        Self { view: Mutex::new(view), published }
    }

    /// Whoever wants to see.
    pub(crate) fn subscribe(&self) -> watch::Receiver<ClusterSnapshot> {
        self.published.subscribe()
    }

    /// There is no cluster to watch.
    pub(crate) fn absent(&self, reason: &str) {
        self.update(|view| {
            let state = ClusterState::Absent { reason: reason.to_owned() };
            view.edge = Feed::unknown(state.clone());
            view.cloud = Feed::unknown(state.clone());
            view.autoscalers = Feed::unknown(state);
        });
    }

    /// Something has been seen: tells everyone, and the log at each change of the state.
    pub(crate) fn update(&self, change: impl FnOnce(&mut View)) {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut view);
        let snapshot = view.snapshot();
        view.tell(&snapshot);
        self.published.send_if_modified(|published| {
            let changed = *published != snapshot;
            *published = snapshot;
            changed
        });
    }
}

impl<T> Feed<T> {
    const fn unknown(state: ClusterState) -> Self {
        Self { state, objects: None }
    }
}

impl View {
    fn snapshot(&self) -> ClusterSnapshot {
        ClusterSnapshot {
            state: common(&self.edge.state, &self.cloud.state).clone(),
            autoscalers: self.autoscalers.state.clone(),
            edge: self.capacity(&self.edge, &self.edge_name),
            cloud: self.capacity(&self.cloud, &self.cloud_name),
        }
    }

    fn capacity(&self, deployments: &Feed<Pods>, name: &str) -> Option<DeploymentCapacity> {
        let pods = deployments.objects.as_ref()?.get(name)?;
        let mut autoscalers = self.autoscalers.objects.iter().flat_map(BTreeMap::values);
        // two autoscalers for one Deployment are a mistake: at least it is always the same that is
        // shown
        let hpa = autoscalers.find(|autoscaler| autoscaler.deployment.as_deref() == Some(name));
        Some(DeploymentCapacity {
            desired: pods.desired,
            ready: pods.ready,
            hpa: hpa.map(|autoscaler| autoscaler.state),
        })
    }

    fn tell(&mut self, snapshot: &ClusterSnapshot) {
        let news = match &snapshot.state {
            ClusterState::Connecting => return,
            ClusterState::Absent { .. } => News::Absent,
            ClusterState::Unreachable { .. } => News::Unreachable,
            ClusterState::Refused { .. } => News::Refused,
            ClusterState::Watching => match snapshot.autoscalers {
                // in a moment it will be known which of the two it is
                ClusterState::Connecting => return,
                ClusterState::Refused { .. } => News::WatchingWithoutAutoscalers,
                _ => News::Watching,
            },
        };
        if self.told.replace(news) == Some(news) {
            return;
        }
        let (edge, cloud) = (self.edge_name.as_str(), self.cloud_name.as_str());
        let reason = snapshot.state.reason().or(snapshot.autoscalers.reason()).unwrap_or_default();
        match news {
            News::Absent => info!(
                reason,
                "no cluster is watched: the capacity of the tiers is not known from it"
            ),
            News::Unreachable => warn!(
                reason,
                "the cluster's API server does not answer, trying again until it does"
            ),
            News::Refused => {
                warn!(
                    reason,
                    edge,
                    cloud,
                    "the cluster does not let this process watch the deployments, trying again"
                )
            }
            News::Watching => info!(edge, cloud, "watching the deployments and their autoscalers"),
            News::WatchingWithoutAutoscalers => {
                warn!(
                    reason,
                    edge,
                    cloud,
                    "watching the deployments, but the cluster does not let this process see \
                     autoscalers"
                );
            }
        }
    }
}

/// The state of two watches together. One that is open counts, since a Role may name a single
/// Deployment, and as long as one has not been answered nothing is certain; else the first one's.
fn common<'a>(edge: &'a ClusterState, cloud: &'a ClusterState) -> &'a ClusterState {
    let rank = |state: &ClusterState| match state {
        ClusterState::Watching => 0,
        ClusterState::Connecting => 1,
        _ => 2,
    };
    std::cmp::min_by_key(edge, cloud, |state| rank(state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HpaState;

    const HPA: HpaState = HpaState { min: 1, max: 3, current: 3, at_maximum: true };

    fn watched<T, const N: usize>(objects: [(&str, T); N]) -> Feed<T> {
        let objects = objects.into_iter().map(|(name, object)| (name.to_owned(), object)).collect();
        Feed { state: ClusterState::Watching, objects: Some(objects) }
    }

    fn refused() -> ClusterState {
        ClusterState::Refused { reason: "no".into() }
    }

    #[test]
    fn an_autoscaler_belongs_to_the_deployment_that_it_names() {
        let board = Board::new(&ClusterConfig::default());
        let receiver = board.subscribe();
        let scaler = |deployment: Option<&str>| Autoscaler {
            deployment: deployment.map(Into::into),
            state: HPA,
        };
        board.update(|view| {
            view.edge = watched([("edge-inference", Pods { desired: 2, ready: 1 })]);
            view.cloud = watched([("another", Pods { desired: 9, ready: 9 })]);
            view.autoscalers =
                watched([("a", scaler(None)), ("b", scaler(Some("cloud-inference")))]);
        });
        let snapshot = receiver.borrow().clone();
        assert_eq!(snapshot.state, ClusterState::Watching);
        assert_eq!(snapshot.edge, Some(DeploymentCapacity { desired: 2, ready: 1, hpa: None }));
        assert_eq!(snapshot.cloud, None);

        board.update(|view| view.autoscalers = watched([("edge", scaler(Some("edge-inference")))]));
        assert_eq!(receiver.borrow().edge.and_then(|edge| edge.hpa), Some(HPA));
        board.update(|view| view.autoscalers = Feed::unknown(refused()));
        assert_eq!(
            receiver.borrow().edge,
            Some(DeploymentCapacity { desired: 2, ready: 1, hpa: None })
        );
    }

    #[test]
    fn nobody_is_woken_when_nothing_has_changed() {
        let board = Board::new(&ClusterConfig::default());
        let mut receiver = board.subscribe();
        board.update(|view| {
            view.edge = watched([("edge-inference", Pods { desired: 1, ready: 1 })])
        });
        assert!(receiver.has_changed().unwrap());
        receiver.mark_unchanged();
        board.update(|view| {
            view.edge = watched([("edge-inference", Pods { desired: 1, ready: 1 })])
        });
        assert!(!receiver.has_changed().unwrap());
    }

    #[test]
    fn an_open_watch_outweighs_an_awaited_or_a_bad_answer() {
        let away = ClusterState::Unreachable { reason: "away".into() };
        let cases = [
            (ClusterState::Watching, refused(), ClusterState::Watching),
            (refused(), ClusterState::Watching, ClusterState::Watching),
            (refused(), ClusterState::Connecting, ClusterState::Connecting),
            (refused(), away.clone(), refused()),
            (away.clone(), away.clone(), away),
        ];
        for (edge, cloud, expected) in cases {
            assert_eq!(*common(&edge, &cloud), expected);
        }
    }

    #[test]
    fn without_a_cluster_nothing_is_known() {
        let board = Board::new(&ClusterConfig::default());
        board.update(|view| {
            view.edge = watched([("edge-inference", Pods { desired: 1, ready: 1 })])
        });
        board.absent("switched off");
        let expected =
            ClusterSnapshot::unknown(ClusterState::Absent { reason: "switched off".into() });
        assert_eq!(*board.subscribe().borrow(), expected);
    }
}
