//! Deployments and pods.

use crate::kinds::{count, text};
use serde::Serialize;
use serde_json::Value;

/// The label that names the application.
const APP: &str = "/metadata/labels/app.kubernetes.io~1name";

/// A Deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeploymentStatus {
    /// Its name.
    pub name: String,
    /// Its label `app.kubernetes.io/name`, else its name.
    pub app: String,
    /// How many pods it wants.
    pub wanted: u32,
    /// How many are ready.
    pub ready: u32,
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

impl DeploymentStatus {
    pub(crate) fn of(deployment: &Value) -> Option<Self> {
        let name = text(deployment, "/metadata/name")?;
        Some(Self {
            app: text(deployment, APP).unwrap_or(name).to_owned(),
            name: name.to_owned(),
            // the API server fills in 1 where a manifest says nothing
            wanted: count(deployment, "/spec/replicas").unwrap_or(1),
            ready: count(deployment, "/status/readyReplicas").unwrap_or(0),
        })
    }
}

impl RunningPod {
    pub(crate) fn of(pod: &Value) -> Option<Self> {
        let runs = text(pod, "/status/phase") == Some("Running")
            && text(pod, "/metadata/deletionTimestamp").is_none();
        let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions.into_iter().flatten().any(|condition| {
            text(condition, "/type") == Some("Ready") && text(condition, "/status") == Some("True")
        });
        let (name, app) = (text(pod, "/metadata/name")?, text(pod, APP)?);
        runs.then(|| Self { name: name.to_owned(), app: app.to_owned(), ready })
    }
}
