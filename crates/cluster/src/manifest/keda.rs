//! KEDA's ScaledObjects: <https://keda.sh/docs/latest/reference/scaledobject-spec/>.

use super::autoscaler::{behavior, others};
use super::{ManifestError, Scaler, ScalerKind, strictly};
use hpa::{Metric, Spec};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the trigger takes when it does not say.
const LAG_THRESHOLD: u64 = 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "named so that only what is really unknown is refused")]
struct ScaledObject {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: ScaledObjectSpec,
    status: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "named so that only what is really unknown is refused")]
struct ScaledObjectSpec {
    scale_target_ref: TargetRef,
    min_replica_count: Option<u32>,
    max_replica_count: Option<u32>,
    idle_replica_count: Option<u32>,
    polling_interval: Option<u32>,
    cooldown_period: Option<u32>,
    initial_cooldown_period: Option<u32>,
    fallback: Option<Value>,
    advanced: Option<Advanced>,
    triggers: Vec<Trigger>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "named so that only what is really unknown is refused")]
struct TargetRef {
    name: String,
    kind: Option<String>,
    api_version: Option<String>,
    env_source_container_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "named so that only what is really unknown is refused")]
struct Advanced {
    restore_to_original_replica_count: Option<bool>,
    horizontal_pod_autoscaler_config: Option<HpaConfig>,
    scaling_modifiers: Option<Value>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "named so that only what is really unknown is refused")]
struct HpaConfig {
    name: Option<String>,
    behavior: Option<HorizontalPodAutoscalerBehavior>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "named so that only what is really unknown is refused")]
struct Trigger {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    use_cached_metrics: Option<bool>,
    metric_type: Option<String>,
    metadata: BTreeMap<String, String>,
    authentication_ref: Option<Value>,
}

pub(super) fn scaled_object(object: &Value) -> Result<Scaler, ManifestError> {
    let decoded: ScaledObject = strictly(object)?;
    let spec = decoded.spec;
    let wrong = |problem: String| ManifestError::of(object, problem);
    let (min, max) = (spec.min_replica_count.unwrap_or(0), spec.max_replica_count.unwrap_or(100));
    if max < min.max(1) {
        return Err(wrong(format!(
            "spec.maxReplicaCount is {max}, it must be at least 1 and spec.minReplicaCount, which is {min}"
        )));
    }
    let metrics = spec.triggers.iter().map(metric).collect::<Result<Vec<_>, _>>();
    let metrics = metrics.map_err(|problem| wrong(format!("spec.triggers: {problem}")))?;
    let config = spec.advanced.and_then(|advanced| advanced.horizontal_pod_autoscaler_config);
    let rules = config.and_then(|config| config.behavior).as_ref().map(behavior).transpose();
    let rules = rules.map_err(|problem| {
        wrong(format!("spec.advanced.horizontalPodAutoscalerConfig.behavior.{problem}"))
    })?;
    let mut notes = others(&metrics);
    if min == 0 {
        notes.push(
            "minReplicaCount is 0: the way to no pod and back is not simulated, the last pod stays"
                .into(),
        );
    }
    Ok(Scaler {
        kind: ScalerKind::ScaledObject,
        name: decoded.metadata.name.ok_or_else(|| wrong("metadata.name is missing".into()))?,
        target_kind: spec.scale_target_ref.kind.unwrap_or_else(|| "Deployment".into()),
        target: spec.scale_target_ref.name,
        spec: Spec { min: min.max(1), max, metrics, behavior: rules },
        notes,
    })
}

fn metric(trigger: &Trigger) -> Result<Metric, String> {
    let whole = |name: &str, default: Option<u64>| match trigger.metadata.get(name) {
        None => default.ok_or_else(|| format!("{}: metadata.{name} is missing", trigger.kind)),
        Some(text) => match text.parse() {
            Ok(value) if value >= 1 => Ok(value),
            _ => Err(format!(
                "{}: metadata.{name} is '{text}', it must be a whole number of at least 1",
                trigger.kind
            )),
        },
    };
    match (trigger.kind.as_str(), trigger.metric_type.as_deref()) {
        ("kafka" | "apache-kafka", None | Some("AverageValue")) => {
            Ok(Metric::Lag { per_replica: whole("lagThreshold", Some(LAG_THRESHOLD))? })
        }
        ("cpu", Some("Utilization")) => {
            let percent =
                u32::try_from(whole("value", None)?).map_err(|error| error.to_string())?;
            Ok(Metric::CpuUtilisation {
                container: trigger.metadata.get("containerName").cloned(),
                percent,
            })
        }
        (kind, _) => Ok(Metric::Other { name: kind.to_owned() }),
    }
}
