//! Deployments, autoscalers and pods of a namespace, and what the pods' metrics say.
//!
//! Metrics come through the API server's pod proxy, which needs `get` on `pods/proxy`.

use crate::kinds::{Kind, Scope};
use crate::{AutoscalerStatus, DeploymentStatus, RunningPod};
use cluster::{ApiError, ClusterAccess, ClusterConfig, ConnectError, Connection, Pacing, connect};
use kube::Client;
use kube::core::Request;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use text::with_causes;
use tokio::time::timeout;

const DEPLOYMENTS: Kind = Kind::new("apps", "v1", "Deployment", "deployments");
const AUTOSCALERS: Kind =
    Kind::new("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
const PODS: Kind = Kind::new("", "v1", "Pod", "pods");

/// Which namespace of which cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InspectConfig {
    /// The kubeconfig; `None` is what `KUBECONFIG` names, `~/.kube/config`, or inside a pod its
    /// service account.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; `None` is its current one.
    pub context: Option<String>,
    /// The namespace; `None` is the context's.
    pub namespace: Option<String>,
}

/// A namespace that can be inspected.
#[derive(Clone)]
pub struct Inspector {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) answer: Duration,
}

/// The state of a namespace at one moment. A kind that could not be listed is an `Err`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The namespace's Deployments, by name.
    pub deployments: Result<Vec<DeploymentStatus>, ApiError>,
    /// Its autoscalers, by name.
    pub autoscalers: Result<Vec<AutoscalerStatus>, ApiError>,
    /// Its pods that are running, by name.
    pub pods: Result<Vec<RunningPod>, ApiError>,
}

impl Inspector {
    /// Reads the credentials. This does not talk to the cluster yet.
    ///
    /// # Errors
    /// When there is no usable kubeconfig and this is no pod with a service account.
    pub async fn new(config: &InspectConfig) -> Result<Self, ConnectError> {
        let pacing = Pacing::default();
        let with = |access| ClusterConfig {
            access,
            context: config.context.clone(),
            namespace: config.namespace.clone(),
            pacing: pacing.clone(),
            ..ClusterConfig::default()
        };
        let by_file = connect(&with(ClusterAccess::Kubeconfig(config.kubeconfig.clone()))).await;
        let in_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
        let connection = match by_file {
            Err(_) if in_pod && config.kubeconfig.is_none() && config.context.is_none() => {
                connect(&with(ClusterAccess::Auto)).await
            }
            other => other,
        };
        let Connection { client, namespace } = connection?;
        Ok(Self { client, namespace, answer: pacing.answer })
    }

    /// The namespace that is inspected.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Lists what is there now.
    pub async fn inspect(&self) -> Inspection {
        let (deployments, autoscalers, pods) = tokio::join!(
            self.list(DEPLOYMENTS, DeploymentStatus::of),
            self.list(AUTOSCALERS, AutoscalerStatus::of),
            self.list(PODS, RunningPod::of)
        );
        Inspection { deployments, autoscalers, pods }
    }

    async fn list<T>(&self, kind: Kind, read: fn(&Value) -> Option<T>) -> Result<Vec<T>, ApiError> {
        let scope = Scope::Namespace(&self.namespace);
        match kind.list(&self.client, scope, self.answer).await? {
            Some(objects) => Ok(objects.iter().filter_map(read).collect()),
            None => Err(ApiError::Refused(format!("the cluster does not have {}", kind.plural))),
        }
    }

    /// The text of `/metrics` on the admin port of a pod, within this time.
    ///
    /// # Errors
    /// When the API server does not let this process, or the pod does not answer.
    pub async fn metrics(
        &self,
        pod: &str,
        port: u16,
        within: Duration,
    ) -> Result<String, ApiError> {
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let request = Request::new(path).get_subresource("proxy/metrics", &format!("{pod}:{port}"));
        let request = request.map_err(|error| ApiError::Broken(with_causes(&error)))?;
        match timeout(within, self.client.request_text(request)).await {
            Ok(answered) => answered.map_err(|error| ApiError::asking(&error)),
            Err(_) => {
                Err(ApiError::Unreachable(format!("no answer within {} s", within.as_secs())))
            }
        }
    }
}
