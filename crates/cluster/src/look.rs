//! One look at a namespace: Deployments, autoscalers, pods, and what the pods' metrics say.
//!
//! Unlike [`Cluster::watch`](crate::Cluster::watch) this is for a person who asks once. Each kind
//! is listed by itself, so that a Role that allows only some of them shows those. Metrics come
//! through the API server's pod proxy, which needs `get` on `pods/proxy`.

use crate::connect::{Connection, connect};
use crate::trouble::{Trouble, with_causes};
use crate::{ClusterAccess, ClusterConfig, Pacing};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus,
};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::core::Request;
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// Where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookConfig {
    /// The kubeconfig; `None` is what `KUBECONFIG` names, `~/.kube/config`, or inside a pod its
    /// service account.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; `None` is its current one.
    pub context: Option<String>,
    /// The namespace; `None` is the context's.
    pub namespace: Option<String>,
}

/// A cluster that can be looked at.
#[derive(Clone)]
pub struct Looker {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) answer: Duration,
}

/// What one look saw. What could not be seen is an `Err` with the reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The namespace's Deployments, by name.
    pub deployments: Result<Vec<DeploymentSeen>, String>,
    /// Its autoscalers, by name.
    pub autoscalers: Result<Vec<AutoscalerSeen>, String>,
    /// Its pods that are running, by name.
    pub pods: Result<Vec<RunningPod>, String>,
}

/// A Deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeploymentSeen {
    /// Its name.
    pub name: String,
    /// Its label `app.kubernetes.io/name`, else its name.
    pub app: String,
    /// How many pods it wants.
    pub wanted: u32,
    /// How many are ready.
    pub ready: u32,
}

/// An autoscaler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AutoscalerSeen {
    /// Its name.
    pub name: String,
    /// The name of the Deployment that it scales.
    pub deployment: String,
    /// `minReplicas`.
    pub min: u32,
    /// `maxReplicas`.
    pub max: u32,
    /// How many pods there were when it last looked.
    pub current: u32,
    /// How many it wanted then.
    pub desired: u32,
    /// Each metric as `cpu 45/60 %`; `?` is what has not been measured.
    pub metrics: Vec<String>,
    /// What keeps it from scaling as its metrics say, in the controller's words; `None`: nothing.
    pub kept_by: Option<String>,
}

/// A pod that is running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningPod {
    /// Its name.
    pub name: String,
    /// Its label `app.kubernetes.io/name`.
    pub app: String,
    /// Whether it is ready.
    pub ready: bool,
}

impl Looker {
    /// Reads the credentials. This does not talk to the cluster yet.
    ///
    /// # Errors
    /// When there is no usable kubeconfig and this is no pod with a service account; in words.
    pub async fn new(config: &LookConfig) -> Result<Self, String> {
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

    /// The namespace that is looked at.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Looks once.
    pub async fn look(&self) -> Sighting {
        let (deployments, autoscalers, pods) = tokio::join!(
            self.list(|deployment: &Deployment| Some(DeploymentSeen::of(deployment))),
            self.list(AutoscalerSeen::of),
            self.list(RunningPod::of)
        );
        Sighting { deployments, autoscalers, pods }
    }

    async fn list<K, T>(&self, read: impl Fn(&K) -> Option<T>) -> Result<Vec<T>, String>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug,
        <K as kube::Resource>::DynamicType: Default,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        match timeout(self.answer, api.list(&ListParams::default())).await {
            Ok(Ok(list)) => Ok(list.items.iter().filter_map(read).collect()),
            Ok(Err(error)) => Err(words(&error)),
            Err(_) => Err("the API server takes too long to answer".into()),
        }
    }

    /// What `/metrics` on the admin port of a pod says within this time.
    ///
    /// # Errors
    /// When the API server does not let this process, or the pod does not answer; in words.
    pub async fn metrics(&self, pod: &str, port: u16, within: Duration) -> Result<String, String> {
        let path = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let request = Request::new(path).get_subresource("proxy/metrics", &format!("{pod}:{port}"));
        let request = request.map_err(|error| with_causes(&error))?;
        match timeout(within, self.client.request_text(request)).await {
            Ok(answered) => answered.map_err(|error| words(&error)),
            Err(_) => Err(format!("no answer within {} s", within.as_secs())),
        }
    }
}

fn words(error: &kube::Error) -> String {
    match Trouble::asking(error) {
        Trouble::Refused(reason) | Trouble::Unreachable(reason) | Trouble::Broken(reason) => reason,
        Trouble::Expired => "the API server has forgotten the list".into(),
    }
}

fn count(replicas: Option<i32>) -> u32 {
    u32::try_from(replicas.unwrap_or(0)).unwrap_or(0)
}

const APP: &str = "app.kubernetes.io/name";

impl DeploymentSeen {
    fn of(deployment: &Deployment) -> Self {
        let wanted = deployment.spec.as_ref().map_or(1, |spec| count(spec.replicas.or(Some(1))));
        let name = deployment.name_any();
        Self {
            app: deployment.labels().get(APP).unwrap_or(&name).clone(),
            name,
            wanted,
            ready: count(deployment.status.as_ref().and_then(|status| status.ready_replicas)),
        }
    }
}

impl RunningPod {
    fn of(pod: &Pod) -> Option<Self> {
        let status = pod.status.as_ref()?;
        let runs =
            status.phase.as_deref() == Some("Running") && pod.metadata.deletion_timestamp.is_none();
        let app = pod.labels().get(APP)?.clone();
        let conditions = status.conditions.as_deref().unwrap_or_default();
        let ready = conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        runs.then(|| Self { name: pod.name_any(), app, ready })
    }
}

impl AutoscalerSeen {
    fn of(hpa: &HorizontalPodAutoscaler) -> Option<Self> {
        let spec = hpa.spec.as_ref().filter(|spec| spec.scale_target_ref.kind == "Deployment")?;
        let status = hpa.status.as_ref();
        let measured: Vec<MetricStatus> =
            status.and_then(|status| status.current_metrics.clone()).unwrap_or_default();
        let metrics = spec.metrics.iter().flatten();
        Some(Self {
            name: hpa.name_any(),
            deployment: spec.scale_target_ref.name.clone(),
            min: count(spec.min_replicas.or(Some(1))),
            max: count(Some(spec.max_replicas)),
            current: count(status.and_then(|status| status.current_replicas)),
            desired: count(status.map(|status| status.desired_replicas)),
            metrics: metrics.map(|metric| metric_text(metric, &measured)).collect(),
            kept_by: kept_by(hpa),
        })
    }
}

/// The first condition that says that it cannot, or may not, do what its metrics ask for.
fn kept_by(hpa: &HorizontalPodAutoscaler) -> Option<String> {
    let conditions = hpa.status.as_ref()?.conditions.as_ref()?;
    let bad = [("ScalingActive", "False"), ("AbleToScale", "False"), ("ScalingLimited", "True")];
    let found = bad.iter().find_map(|(kind, status)| {
        conditions.iter().find(|condition| condition.type_ == *kind && condition.status == *status)
    });
    // the window of the way down is told as being able to scale
    let stabilised = || {
        conditions.iter().find(|condition| {
            matches!(
                condition.reason.as_deref(),
                Some("ScaleDownStabilized" | "ScaleUpStabilized" | "BackoffDownscale")
            )
        })
    };
    let condition = found.or_else(stabilised)?;
    let reason = condition.reason.clone().unwrap_or_default();
    Some(match &condition.message {
        Some(message) => format!("{reason}: {message}"),
        None => reason,
    })
}

fn metric_text(metric: &MetricSpec, measured: &[MetricStatus]) -> String {
    let external = |metric: &MetricSpec| {
        metric.external.as_ref().map(|source| (source.metric.name.clone(), source.target.clone()))
    };
    let container = metric
        .container_resource
        .as_ref()
        .map(|source| (source.name.clone(), source.target.clone()));
    let resource =
        || metric.resource.as_ref().map(|source| (source.name.clone(), source.target.clone()));
    let Some((name, target)) = container.or_else(resource).or_else(|| external(metric)) else {
        return metric.type_.clone();
    };
    let current = measured.iter().find_map(|status| {
        let by_container =
            status.container_resource.as_ref().map(|source| (&source.name, &source.current));
        let by_resource = status.resource.as_ref().map(|source| (&source.name, &source.current));
        let by_external =
            status.external.as_ref().map(|source| (&source.metric.name, &source.current));
        by_container
            .or(by_resource)
            .or(by_external)
            .filter(|(of, _)| **of == name)
            .map(|(_, current)| current)
    });
    format!("{name} {}", of_target(&target, current))
}

fn of_target(target: &MetricTarget, current: Option<&MetricValueStatus>) -> String {
    let unknown = || "?".to_owned();
    if let Some(percent) = target.average_utilization {
        let measured = current
            .and_then(|current| current.average_utilization)
            .map_or_else(unknown, |value| value.to_string());
        return format!("{measured}/{percent} %");
    }
    let quantity = target
        .average_value
        .as_ref()
        .or(target.value.as_ref())
        .map_or_else(unknown, |value| value.0.clone());
    let measured =
        current.and_then(|current| current.average_value.as_ref().or(current.value.as_ref()));
    format!("{}/{quantity}", measured.map_or_else(unknown, |value| value.0.clone()))
}
