//! HorizontalPodAutoscalers and ScaledObjects.

use super::quantity::number;
use super::{ManifestError, is, keda, strictly};
use hpa::{Behavior, ChangePolicy, Metric, PolicyKind, Rules, Select, Spec, TOLERANCE};
use k8s_openapi::api::autoscaling::v2::{
    HPAScalingRules, HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, MetricSpec,
    MetricTarget,
};
use serde_json::Value;
use std::time::Duration;

/// An autoscaler and what it scales.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    /// What it is.
    pub kind: ScalerKind,
    /// Its name.
    pub name: String,
    /// The kind of what it scales.
    pub target_kind: String,
    /// The name of what it scales.
    pub target: String,
    /// What it is told.
    pub spec: Spec,
    /// What of it the algorithm does not follow, in words.
    pub notes: Vec<String>,
}

/// What an autoscaler is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalerKind {
    /// A `HorizontalPodAutoscaler`.
    Hpa,
    /// KEDA's `ScaledObject`, which makes a HorizontalPodAutoscaler.
    ScaledObject,
}

/// The autoscaler that `object` is; `None` when it is something else.
///
/// # Errors
/// When it has fields that are not known, of the wrong type or out of range, or an API version that
/// is no longer served.
pub fn scaler(object: &Value) -> Result<Option<Scaler>, ManifestError> {
    if is(object, "keda.sh", "ScaledObject") {
        return keda::scaled_object(object).map(Some);
    }
    if !is(object, "autoscaling", "HorizontalPodAutoscaler") {
        return Ok(None);
    }
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    if version != "autoscaling/v2" {
        return Err(ManifestError::of(
            object,
            format!("apiVersion is {version}, it must be autoscaling/v2"),
        ));
    }
    let decoded: HorizontalPodAutoscaler = strictly(object)?;
    let spec = decoded.spec.ok_or_else(|| ManifestError::of(object, "spec is missing"))?;
    let min = spec.min_replicas.unwrap_or(1);
    let metrics =
        spec.metrics.unwrap_or_default().iter().map(metric).collect::<Result<Vec<_>, _>>();
    let metrics =
        metrics.map_err(|problem| ManifestError::of(object, format!("spec.metrics: {problem}")))?;
    let behavior = spec.behavior.as_ref().map(behavior).transpose();
    let behavior = behavior
        .map_err(|problem| ManifestError::of(object, format!("spec.behavior.{problem}")))?;
    // what the API server fills in
    let default = vec![Metric::CpuUtilisation { container: None, percent: 80 }];
    let metrics = if metrics.is_empty() { default } else { metrics };
    Ok(Some(Scaler {
        kind: ScalerKind::Hpa,
        name: decoded.metadata.name.unwrap_or_default(),
        target_kind: spec.scale_target_ref.kind,
        target: spec.scale_target_ref.name,
        notes: others(&metrics),
        spec: bounds(min, spec.max_replicas)
            .map(|(min, max)| Spec { min, max, metrics, behavior })
            .map_err(|problem| ManifestError::of(object, problem))?,
    }))
}

fn bounds(min: i32, max: i32) -> Result<(u32, u32), String> {
    match (u32::try_from(min), u32::try_from(max)) {
        (Ok(min), Ok(max)) if min >= 1 && min <= max => Ok((min, max)),
        _ if min < 1 => Err(format!("spec.minReplicas is {min}, it must be at least 1")),
        _ => Err(format!(
            "spec.maxReplicas is {max}, it must be at least spec.minReplicas, which is {min}"
        )),
    }
}

/// A note for each metric that is left out.
pub(super) fn others(metrics: &[Metric]) -> Vec<String> {
    let note = |metric: &Metric| match metric {
        Metric::Other { name } => Some(format!("the metric {name} is not simulated")),
        _ => None,
    };
    metrics.iter().filter_map(note).collect()
}

fn metric(spec: &MetricSpec) -> Result<Metric, String> {
    let (container, resource, target) = match (
        spec.type_.as_str(),
        &spec.container_resource,
        &spec.resource,
    ) {
        ("ContainerResource", Some(source), _) => {
            (Some(source.container.clone()), &source.name, &source.target)
        }
        ("Resource", _, Some(source)) => (None, &source.name, &source.target),
        ("ContainerResource", None, _) => {
            return Err("type is ContainerResource, but containerResource is missing".into());
        }
        ("Resource", _, None) => return Err("type is Resource, but resource is missing".into()),
        (kind @ ("Pods" | "Object" | "External"), ..) => {
            return Ok(Metric::Other { name: kind.to_owned() });
        }
        (kind, ..) => {
            return Err(format!(
                "type is '{kind}', it must be ContainerResource, Resource, Pods, Object or External"
            ));
        }
    };
    if resource != "cpu" {
        return Ok(Metric::Other { name: resource.clone() });
    }
    cpu(container, target)
}

fn cpu(container: Option<String>, target: &MetricTarget) -> Result<Metric, String> {
    match (target.type_.as_str(), target.average_utilization, &target.average_value) {
        ("Utilization", Some(percent), None) => match u32::try_from(percent) {
            Ok(percent) if percent >= 1 => Ok(Metric::CpuUtilisation { container, percent }),
            _ => Err(format!(
                "averageUtilization is {percent}, it must be at least 1 (per cent of the requests)"
            )),
        },
        ("AverageValue", None, Some(value)) => match number(&value.0) {
            Some(cores) if cores >= 0.001 => {
                Ok(Metric::CpuUsage { container, millicores: (cores * 1000.0).round() as u64 })
            }
            _ => Err(format!(
                "averageValue is '{}', it must be cores above 0, such as 500m",
                value.0
            )),
        },
        ("Utilization", ..) => {
            Err("target.type is Utilization: averageUtilization must be set, and nothing beside it"
                .into())
        }
        ("AverageValue", ..) => {
            Err("target.type is AverageValue: averageValue must be set, and nothing beside it"
                .into())
        }
        (kind, ..) => {
            Err(format!("target.type is '{kind}', for cpu it must be Utilization or AverageValue"))
        }
    }
}

/// What a `behavior` says, over what the API server fills in.
pub(super) fn behavior(behavior: &HorizontalPodAutoscalerBehavior) -> Result<Behavior, String> {
    let direction = |name: &str, rules: &Option<HPAScalingRules>, default: Rules| match rules {
        Some(rules) => direction(rules, default).map_err(|problem| format!("{name}.{problem}")),
        None => Ok(default),
    };
    Ok(Behavior {
        up: direction("scaleUp", &behavior.scale_up, Rules::up())?,
        down: direction("scaleDown", &behavior.scale_down, Rules::down())?,
    })
}

fn direction(rules: &HPAScalingRules, default: Rules) -> Result<Rules, String> {
    let window = match rules.stabilization_window_seconds {
        None => default.stabilisation,
        Some(seconds @ 0..=3600) => Duration::from_secs(u64::from(seconds.unsigned_abs())),
        Some(seconds) => {
            return Err(format!("stabilizationWindowSeconds is {seconds}, it must be 0 to 3600"));
        }
    };
    let select = match rules.select_policy.as_deref() {
        None | Some("Max") => Select::Max,
        Some("Min") => Select::Min,
        Some("Disabled") => Select::Disabled,
        Some(other) => {
            return Err(format!("selectPolicy is '{other}', it must be Max, Min or Disabled"));
        }
    };
    let mut policies = Vec::new();
    for policy in rules.policies.iter().flatten() {
        let kind = match policy.type_.as_str() {
            "Pods" => PolicyKind::Pods,
            "Percent" => PolicyKind::Percent,
            other => {
                return Err(format!("policies: type is '{other}', it must be Pods or Percent"));
            }
        };
        let value = u32::try_from(policy.value).ok().filter(|value| *value > 0);
        let value = value
            .ok_or_else(|| format!("policies: value is {}, it must be at least 1", policy.value))?;
        let seconds = u64::try_from(policy.period_seconds)
            .ok()
            .filter(|seconds| (1..=1800).contains(seconds));
        let seconds = seconds.ok_or_else(|| {
            format!("policies: periodSeconds is {}, it must be 1 to 1800", policy.period_seconds)
        })?;
        policies.push(ChangePolicy { kind, value, period: Duration::from_secs(seconds) });
    }
    let tolerance = match &rules.tolerance {
        None => TOLERANCE,
        Some(text) => number(&text.0)
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| format!("tolerance is '{}', it must be 0 to 1, such as 0.05", text.0))?,
    };
    let policies = if policies.is_empty() { default.policies } else { policies };
    Ok(Rules { stabilisation: window, policies, select, tolerance })
}
