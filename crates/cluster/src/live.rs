//! The objects of a namespace as they are in the cluster now.

use crate::trouble::{Trouble, with_causes};
use crate::{LookConfig, Looker};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};
use serde_json::Value;
use std::time::Duration;

/// What was found.
#[derive(Debug, Default)]
pub struct Live {
    /// The namespace that was looked into.
    pub namespace: String,
    /// The objects as JSON, each with its `apiVersion` and `kind`.
    pub objects: Vec<Value>,
    /// The kinds that the cluster does not let this user see: the kind's plural name, and the API
    /// server's words.
    pub refused: Vec<(String, String)>,
    /// The kinds that this cluster does not have, e.g. those of an operator that is not installed.
    pub absent: Vec<String>,
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// No kubeconfig and no service account that can be used.
    #[error("there is no cluster to ask: {0}")]
    NoCluster(String),
    /// The API server does not answer, or answers with a failure.
    #[error("the cluster's API server does not answer: {0}")]
    Unreachable(String),
}

/// Group, version, kind and plural.
type Kind = (&'static str, &'static str, &'static str, &'static str);

/// What pods name, and belongs to no namespace.
const PRIORITIES: Kind = ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses");

/// What is looked at in the namespace. Secrets are not: nobody needs to read them for this.
const KINDS: [Kind; 18] = [
    ("", "v1", "ConfigMap", "configmaps"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("", "v1", "Service", "services"),
    ("", "v1", "ServiceAccount", "serviceaccounts"),
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ("batch", "v1", "Job", "jobs"),
    ("networking.k8s.io", "v1", "Ingress", "ingresses"),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
    ("keda.sh", "v1alpha1", "TriggerAuthentication", "triggerauthentications"),
    ("kafka.strimzi.io", "v1", "Kafka", "kafkas"),
    ("kafka.strimzi.io", "v1", "KafkaTopic", "kafkatopics"),
    ("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
];

/// Reads the objects of one namespace. A kind that may not be seen, or that the cluster does not
/// have, is named, and the rest is read all the same.
///
/// # Errors
/// When there is no cluster, or its API server does not answer.
pub async fn read_live(config: &LookConfig) -> Result<Live, LiveError> {
    let Looker { client, namespace, answer } =
        Looker::new(config).await.map_err(LiveError::NoCluster)?;
    let mut live = Live { namespace: namespace.clone(), ..Live::default() };
    for kind in KINDS {
        live.take(
            kind,
            |resource| Api::namespaced_with(client.clone(), &namespace, resource),
            answer,
        )
        .await?;
    }
    // of the whole cluster: they say nothing about a namespace in which there is nothing else
    if !live.objects.is_empty() {
        live.take(PRIORITIES, |resource| Api::all_with(client.clone(), resource), answer).await?;
    }
    Ok(live)
}

impl Live {
    /// Lists one kind.
    async fn take(
        &mut self,
        (group, version, kind, plural): Kind,
        api: impl Fn(&ApiResource) -> Api<DynamicObject>,
        answer: Duration,
    ) -> Result<(), LiveError> {
        let api_version =
            if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let resource = ApiResource {
            group: group.into(),
            version: version.into(),
            api_version: api_version.clone(),
            kind: kind.into(),
            plural: plural.into(),
        };
        let params = ListParams::default();
        let listed = tokio::time::timeout(answer, api(&resource).list(&params)).await;
        let listed = listed.map_err(|_| {
            LiveError::Unreachable(format!("no answer within {} s", answer.as_secs()))
        })?;
        match listed {
            Ok(list) => self
                .objects
                .extend(list.items.into_iter().map(|object| plain(object, &api_version, kind))),
            Err(kube::Error::Api(status)) if status.code == 404 => self.absent.push(plural.into()),
            Err(error) => match Trouble::asking(&error) {
                Trouble::Refused(reason) => self.refused.push((plural.into(), reason)),
                Trouble::Unreachable(reason) | Trouble::Broken(reason) => {
                    return Err(LiveError::Unreachable(reason));
                }
                Trouble::Expired => return Err(LiveError::Unreachable(with_causes(&error))),
            },
        }
        Ok(())
    }
}

/// An object of a list, which does not repeat its type, as one by itself, without what the cluster
/// keeps for its own use.
fn plain(object: DynamicObject, api_version: &str, kind: &str) -> Value {
    let mut value = object.data;
    value["apiVersion"] = api_version.into();
    value["kind"] = kind.into();
    let mut metadata = serde_json::to_value(object.metadata).unwrap_or_default();
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("managedFields");
    }
    value["metadata"] = metadata;
    value
}
