//! HorizontalPodAutoscalers.

use super::{Autoscaler, AutoscalerKind, left_out, refuse_faults};
use crate::ManifestError;
use crate::object::{Field, Object};
use crate::quantity::number;
use autoscale::{Behavior, ChangePolicy, Metric, PolicyKind, Rules, Select, Spec, TOLERANCE};
use std::time::Duration;

const API_VERSION: &str = "autoscaling/v2";

pub(super) fn read(object: &Object) -> Result<Autoscaler, ManifestError> {
    if object.api_version != API_VERSION {
        let problem = format!("is {}, it must be {API_VERSION}", object.api_version);
        return Err(ManifestError::at(&object.at("apiVersion"), problem));
    }
    refuse_faults(object, API_VERSION)?;
    let spec = object.at("spec");
    if !spec.exists() {
        return Err(ManifestError::at(&spec, "is missing"));
    }
    let metrics = spec.get("metrics").items();
    let metrics = metrics.iter().map(metric).collect::<Result<Vec<_>, _>>()?;
    // what the API server fills in
    let default = vec![Metric::CpuUtilisation { container: None, percent: 80 }];
    let metrics = if metrics.is_empty() { default } else { metrics };
    let behavior = spec.get("behavior");
    let behavior = behavior.exists().then(|| read_behavior(&behavior)).transpose()?;
    let (min, max) = bounds(&spec)?;
    let target = spec.get("scaleTargetRef");
    let text = |field: Field<'_>| field.text().unwrap_or_default().to_owned();
    Ok(Autoscaler {
        kind: AutoscalerKind::Hpa,
        name: text(object.at("metadata.name")),
        target_kind: text(target.get("kind")),
        target: text(target.get("name")),
        notes: left_out(&metrics),
        spec: Spec { min, max, metrics, behavior },
    })
}

fn bounds(spec: &Field<'_>) -> Result<(u32, u32), ManifestError> {
    let (low, high) = (spec.get("minReplicas"), spec.get("maxReplicas"));
    let (min, max) = (low.integer().unwrap_or(1), high.integer().unwrap_or(0));
    match (u32::try_from(min), u32::try_from(max)) {
        (Ok(min), Ok(max)) if min >= 1 && min <= max => Ok((min, max)),
        _ if min < 1 => Err(ManifestError::value(&low, "at least 1")),
        _ => {
            let problem = format!("is {max}, it must be at least spec.minReplicas, which is {min}");
            Err(ManifestError::at(&high, problem))
        }
    }
}

fn metric(metric: &Field<'_>) -> Result<Metric, ManifestError> {
    let kind = metric.get("type");
    let source = match kind.text() {
        Some("ContainerResource") => metric.get("containerResource"),
        Some("Resource") => metric.get("resource"),
        Some(other @ ("Pods" | "Object" | "External")) => {
            return Ok(Metric::Other { name: other.to_owned() });
        }
        _ => {
            let allowed = "ContainerResource, Resource, Pods, Object or External";
            return Err(ManifestError::value(&kind, allowed));
        }
    };
    if !source.exists() {
        let problem = format!("is missing, and the metric's type is {}", kind.text().unwrap_or(""));
        return Err(ManifestError::at(&source, problem));
    }
    match source.get("name").text() {
        Some("cpu") => cpu(source.get("container").text(), &source.get("target")),
        other => Ok(Metric::Other { name: other.unwrap_or_default().to_owned() }),
    }
}

fn cpu(container: Option<&str>, target: &Field<'_>) -> Result<Metric, ManifestError> {
    let container = container.map(str::to_owned);
    let (percent, value) = (target.get("averageUtilization"), target.get("averageValue"));
    let only = |wanted: &Field<'_>, other: &Field<'_>, kind: &str| {
        if wanted.exists() && !other.exists() {
            return Ok(());
        }
        let name = wanted.path.to_string();
        let name = name.rsplit('.').next().unwrap_or_default();
        let problem = format!("type is {kind}: {name} must be set, and nothing beside it");
        Err(ManifestError::at(target, problem))
    };
    match target.get("type").text() {
        Some("Utilization") => {
            only(&percent, &value, "Utilization")?;
            let whole = percent.integer().and_then(|percent| u32::try_from(percent).ok());
            match whole.filter(|percent| *percent >= 1) {
                Some(percent) => Ok(Metric::CpuUtilisation { container, percent }),
                None => {
                    Err(ManifestError::value(&percent, "at least 1 (per cent of the requests)"))
                }
            }
        }
        Some("AverageValue") => {
            only(&value, &percent, "AverageValue")?;
            match value.scalar().and_then(|text| number(&text)) {
                Some(cores) if cores >= 0.001 => {
                    Ok(Metric::CpuUsage { container, millicores: (cores * 1000.0).round() as u64 })
                }
                _ => Err(ManifestError::value(&value, "cores above 0, such as 500m")),
            }
        }
        _ => Err(ManifestError::value(
            &target.get("type"),
            "Utilization or AverageValue, since the metric is cpu",
        )),
    }
}

/// What a `behavior` says, over what the API server fills in.
pub(super) fn read_behavior(behavior: &Field<'_>) -> Result<Behavior, ManifestError> {
    Ok(Behavior {
        up: direction(&behavior.get("scaleUp"), Rules::up())?,
        down: direction(&behavior.get("scaleDown"), Rules::down())?,
    })
}

fn direction(rules: &Field<'_>, default: Rules) -> Result<Rules, ManifestError> {
    let window = rules.get("stabilizationWindowSeconds");
    let stabilisation = match window.integer() {
        None => default.stabilisation,
        Some(seconds @ 0..=3600) => Duration::from_secs(seconds.unsigned_abs()),
        Some(_) => return Err(ManifestError::value(&window, "0 to 3600")),
    };
    let select = rules.get("selectPolicy");
    let select = match select.text() {
        None | Some("Max") => Select::Max,
        Some("Min") => Select::Min,
        Some("Disabled") => Select::Disabled,
        Some(_) => return Err(ManifestError::value(&select, "Max, Min or Disabled")),
    };
    let tolerance = rules.get("tolerance");
    let tolerance = match tolerance.scalar() {
        None => TOLERANCE,
        Some(text) => number(&text)
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| ManifestError::value(&tolerance, "0 to 1, such as 0.05"))?,
    };
    let policies = rules.get("policies").items();
    let policies = policies.iter().map(policy).collect::<Result<Vec<_>, _>>()?;
    let policies = if policies.is_empty() { default.policies } else { policies };
    Ok(Rules { stabilisation, policies, select, tolerance })
}

fn policy(policy: &Field<'_>) -> Result<ChangePolicy, ManifestError> {
    let (kind, value) = (policy.get("type"), policy.get("value"));
    let seconds = policy.get("periodSeconds");
    Ok(ChangePolicy {
        kind: match kind.text() {
            Some("Pods") => PolicyKind::Pods,
            Some("Percent") => PolicyKind::Percent,
            _ => return Err(ManifestError::value(&kind, "Pods or Percent")),
        },
        value: value
            .integer()
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| *value > 0)
            .ok_or_else(|| ManifestError::value(&value, "at least 1"))?,
        period: seconds
            .integer()
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| (1..=1800).contains(seconds))
            .map(Duration::from_secs)
            .ok_or_else(|| ManifestError::value(&seconds, "1 to 1800"))?,
    })
}
