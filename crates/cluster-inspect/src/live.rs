//! The objects of a namespace as they are in the cluster now.

use crate::kinds::{Kind, Scope};
use crate::{InspectConfig, Inspector};
use cluster::{ApiError, ConnectError};
use kube::Client;
use serde_json::Value;
use std::time::Duration;

/// What was found.
#[derive(Debug, Default)]
pub struct Live {
    /// The namespace that was read.
    pub namespace: String,
    /// The objects as JSON, each with its `apiVersion` and `kind`.
    pub objects: Vec<Value>,
    /// The kinds that the cluster does not let this user see: the kind's plural name, and the API
    /// server's words.
    pub refused: Vec<(String, String)>,
    /// The kinds that this cluster does not have, e.g. those of an operator that is not installed.
    pub absent: Vec<String>,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// No kubeconfig and no service account that can be used.
    #[error("there is no cluster to ask: {}", text::with_causes(.0))]
    NoCluster(ConnectError),
    /// The API server does not answer, or answers with a failure.
    #[error("the cluster's API server does not answer: {0}")]
    Unreachable(ApiError),
}

/// What pods name, and belongs to no namespace.
const PRIORITIES: Kind = Kind::new("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses");

/// What is read of the namespace. Secrets are not: nobody needs to read them for this.
const KINDS: [Kind; 18] = [
    Kind::new("", "v1", "ConfigMap", "configmaps"),
    Kind::new("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Kind::new("", "v1", "Service", "services"),
    Kind::new("", "v1", "ServiceAccount", "serviceaccounts"),
    Kind::new("apps", "v1", "Deployment", "deployments"),
    Kind::new("apps", "v1", "StatefulSet", "statefulsets"),
    Kind::new("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind::new("batch", "v1", "Job", "jobs"),
    Kind::new("networking.k8s.io", "v1", "Ingress", "ingresses"),
    Kind::new("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    Kind::new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind::new("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Kind::new("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    Kind::new("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
    Kind::new("keda.sh", "v1alpha1", "TriggerAuthentication", "triggerauthentications"),
    Kind::new("kafka.strimzi.io", "v1", "Kafka", "kafkas"),
    Kind::new("kafka.strimzi.io", "v1", "KafkaTopic", "kafkatopics"),
    Kind::new("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
];

/// Reads the objects of one namespace. A kind that may not be seen, or that the cluster does not
/// have, is named, and the rest is read all the same.
///
/// # Errors
/// When there is no cluster, or its API server does not answer.
pub async fn read_live(config: &InspectConfig) -> Result<Live, LiveError> {
    let Inspector { client, namespace, answer } =
        Inspector::new(config).await.map_err(LiveError::NoCluster)?;
    let mut live = Live { namespace: namespace.clone(), ..Live::default() };
    for kind in KINDS {
        live.take(kind, &client, Scope::Namespace(&namespace), answer).await?;
    }
    // of the whole cluster: they say nothing about a namespace in which there is nothing else
    if !live.objects.is_empty() {
        live.take(PRIORITIES, &client, Scope::Cluster, answer).await?;
    }
    Ok(live)
}

impl Live {
    /// Lists one kind.
    async fn take(
        &mut self,
        kind: Kind,
        client: &Client,
        scope: Scope<'_>,
        answer: Duration,
    ) -> Result<(), LiveError> {
        match kind.list(client, scope, answer).await {
            Ok(Some(objects)) => self.objects.extend(objects),
            Ok(None) => self.absent.push(kind.plural.into()),
            Err(ApiError::Refused(reason)) => self.refused.push((kind.plural.into(), reason)),
            Err(error @ (ApiError::Expired | ApiError::Unreachable(_) | ApiError::Broken(_))) => {
                return Err(LiveError::Unreachable(error));
            }
        }
        Ok(())
    }
}
