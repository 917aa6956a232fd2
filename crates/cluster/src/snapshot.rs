//! What is known about the cluster at one moment.

/// The capacity of both tiers as the cluster tells it. `None` means not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSnapshot {
    /// Whether the Deployments are being watched, and if not, why.
    pub state: ClusterState,
    /// The same for the autoscalers, which may be refused by themselves.
    pub autoscalers: ClusterState,
    /// The Deployment of the edge tier; `None` also when there is no such Deployment.
    pub edge: Option<DeploymentCapacity>,
    /// The Deployment of the cloud tier; `None` also when there is no such Deployment.
    pub cloud: Option<DeploymentCapacity>,
}

impl ClusterSnapshot {
    /// Nothing known, for one and the same reason.
    pub(crate) fn unknown(state: ClusterState) -> Self {
        Self { autoscalers: state.clone(), state, edge: None, cloud: None }
    }
}

/// How it stands with the connection to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterState {
    /// There is no cluster to ask: switched off, not inside a pod, or no usable kubeconfig.
    Absent {
        /// Why, in words.
        reason: String,
    },
    /// The first answer is still awaited.
    Connecting,
    /// The API server does not answer, or answers with a failure. What it said before is kept for
    /// [`Pacing::keep`], then forgotten.
    ///
    /// [`Pacing::keep`]: crate::Pacing::keep
    Unreachable {
        /// Why, in words.
        reason: String,
    },
    /// The API server answers but does not let this process see them (401, 403), or does not have
    /// this kind of resource (404).
    Refused {
        /// The API server's own words.
        reason: String,
    },
    /// A watch is open: changes arrive as they happen.
    Watching,
}

impl ClusterState {
    /// One word for it, e.g. for a label or a status line.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "absent",
            Self::Connecting => "connecting",
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { .. } => "refused",
            Self::Watching => "watching",
        }
    }

    /// Why it is not being watched, where there is a reason.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Absent { reason } | Self::Unreachable { reason } | Self::Refused { reason } => {
                Some(reason)
            }
            Self::Connecting | Self::Watching => None,
        }
    }
}

/// The pods of one Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeploymentCapacity {
    /// How many pods its specification wants.
    pub desired: u32,
    /// How many pods are ready.
    pub ready: u32,
    /// The autoscaler whose target it is; `None` when there is none or when autoscalers are not
    /// known.
    pub hpa: Option<HpaState>,
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HpaState {
    /// The least pods that it scales to.
    pub min: u32,
    /// The most pods that it scales to.
    pub max: u32,
    /// How many pods there were when it last evaluated.
    pub current: u32,
    /// It has no further pods to give: `current` has reached `max`, or it wants more than `max`.
    pub at_maximum: bool,
}
