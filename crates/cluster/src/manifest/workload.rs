//! What a Deployment's pods request, and with which settings they run.

use super::quantity::cores;
use super::{ManifestError, is, title};
use serde_json::Value;
use std::collections::BTreeMap;

/// A Deployment, as far as its autoscaling goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// The containers of a pod.
    pub containers: Vec<Container>,
    /// How long a pod sleeps before it is asked to stop, in seconds: the longest `preStop.sleep`.
    pub pre_stop_s: f64,
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it requests, in cores.
    pub request_cores: Option<f64>,
    /// What it may use at most, in cores.
    pub limit_cores: Option<f64>,
    /// Variables with a value of their own.
    pub env: BTreeMap<String, String>,
    /// The ConfigMaps whose keys become variables; the last one wins.
    pub config_maps: Vec<String>,
}

/// The Deployment that `object` is; `None` when it is something else.
///
/// # Errors
/// When its CPU requests or limits are no quantities.
pub fn workload(object: &Value) -> Result<Option<Workload>, ManifestError> {
    if !is(object, "apps", "Deployment") {
        return Ok(None);
    }
    let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let containers: Vec<&Value> = containers.into_iter().flatten().collect();
    let pre_stop = |container: &&Value| {
        container.pointer("/lifecycle/preStop/sleep/seconds").and_then(Value::as_f64)
    };
    Ok(Some(Workload {
        name: object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        pre_stop_s: containers.iter().filter_map(pre_stop).fold(0.0, f64::max),
        containers: containers
            .into_iter()
            .map(|value| container(object, value))
            .collect::<Result<_, _>>()?,
    }))
}

/// Name and values of the ConfigMap that `object` is; `None` when it is something else.
#[must_use]
pub fn config_map(object: &Value) -> Option<(String, BTreeMap<String, String>)> {
    if !is(object, "v1", "ConfigMap") {
        return None;
    }
    let name = object.pointer("/metadata/name")?.as_str()?.to_owned();
    let data = object.get("data").and_then(Value::as_object).into_iter().flatten();
    Some((
        name,
        data.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
    ))
}

fn container(deployment: &Value, value: &Value) -> Result<Container, ManifestError> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = text(value, "name").unwrap_or_default();
    let cpu = |which: &str| match value.pointer(&format!("/resources/{which}/cpu")) {
        None => Ok(None),
        Some(quantity) => {
            // YAML reads `cpu: 2` as a number
            let written = quantity.as_str().map_or_else(|| quantity.to_string(), str::to_owned);
            let wrong = || ManifestError::Object {
                object: title(deployment),
                problem: format!(
                    "container {name}: resources.{which}.cpu is '{written}', it must be cores such as 500m or 2"
                ),
            };
            cores(&written).map(Some).ok_or_else(wrong)
        }
    };
    let env = value.get("env").and_then(Value::as_array).into_iter().flatten();
    let sources = value.get("envFrom").and_then(Value::as_array).into_iter().flatten();
    let config_map = |source: &Value| {
        source.pointer("/configMapRef/name").and_then(Value::as_str).map(str::to_owned)
    };
    Ok(Container {
        request_cores: cpu("requests")?,
        limit_cores: cpu("limits")?,
        env: env.filter_map(|entry| Some((text(entry, "name")?, text(entry, "value")?))).collect(),
        config_maps: sources.filter_map(config_map).collect(),
        name,
    })
}
