//! KEDA's ScaledObjects: <https://keda.sh/docs/latest/reference/scaledobject-spec/>.

use super::{Autoscaler, AutoscalerKind, hpa, left_out, refuse_faults};
use crate::ManifestError;
use crate::object::{Field, Object};
use autoscale::{Metric, Spec};

/// The version whose fields are known.
const API_VERSION: &str = "keda.sh/v1alpha1";
/// What the trigger takes when it does not say.
const LAG_THRESHOLD: u64 = 10;
/// What KEDA takes when `maxReplicaCount` is not set.
const MAX_REPLICAS: i64 = 100;

pub(super) fn read(object: &Object) -> Result<Autoscaler, ManifestError> {
    refuse_faults(object, API_VERSION)?;
    let spec = object.at("spec");
    let (min, max) = bounds(&spec)?;
    let triggers = spec.get("triggers");
    if !triggers.exists() {
        return Err(ManifestError::at(&triggers, "is missing"));
    }
    let metrics = triggers.items().iter().map(metric).collect::<Result<Vec<_>, _>>()?;
    let behavior = spec.at("advanced.horizontalPodAutoscalerConfig.behavior");
    let behavior = behavior.exists().then(|| hpa::read_behavior(&behavior)).transpose()?;
    let mut notes = left_out(&metrics);
    if min == 0 {
        notes.push(
            "minReplicaCount is 0: the way to no pod and back is not simulated, the last pod stays"
                .into(),
        );
    }
    let target = spec.get("scaleTargetRef");
    Ok(Autoscaler {
        kind: AutoscalerKind::ScaledObject,
        name: required(&object.at("metadata.name"))?,
        target_kind: target.get("kind").text().unwrap_or("Deployment").to_owned(),
        target: required(&target.get("name"))?,
        spec: Spec { min: min.max(1), max, metrics, behavior },
        notes,
    })
}

fn required(field: &Field<'_>) -> Result<String, ManifestError> {
    field.text().map(str::to_owned).ok_or_else(|| ManifestError::at(field, "is missing"))
}

fn bounds(spec: &Field<'_>) -> Result<(u32, u32), ManifestError> {
    let (low, high) = (spec.get("minReplicaCount"), spec.get("maxReplicaCount"));
    let max = high.integer().unwrap_or(MAX_REPLICAS);
    let min = u32::try_from(low.integer().unwrap_or(0))
        .map_err(|_| ManifestError::value(&low, "at least 0"))?;
    match u32::try_from(max) {
        Ok(max) if max >= min.max(1) => Ok((min, max)),
        _ => {
            let problem =
                format!("is {max}, it must be at least 1 and spec.minReplicaCount, which is {min}");
            Err(ManifestError::at(&high, problem))
        }
    }
}

fn metric(trigger: &Field<'_>) -> Result<Metric, ManifestError> {
    let metadata = trigger.get("metadata");
    let whole = |name: &str, default: Option<u64>| {
        let field = metadata.get(name);
        match field.text() {
            None => default.ok_or_else(|| ManifestError::at(&field, "is missing")),
            Some(text) => match text.parse() {
                Ok(value) if value >= 1 => Ok(value),
                _ => Err(ManifestError::value(&field, "a whole number of at least 1")),
            },
        }
    };
    let kind = required(&trigger.get("type"))?;
    if !metadata.exists() {
        return Err(ManifestError::at(&metadata, "is missing"));
    }
    match (kind.as_str(), trigger.get("metricType").text()) {
        ("kafka" | "apache-kafka", None | Some("AverageValue")) => {
            Ok(Metric::Lag { per_replica: whole("lagThreshold", Some(LAG_THRESHOLD))? })
        }
        ("cpu", Some("Utilization")) => {
            let percent = u32::try_from(whole("value", None)?)
                .map_err(|_| ManifestError::value(&metadata.get("value"), "a percentage"))?;
            let container = metadata.get("containerName").text().map(str::to_owned);
            Ok(Metric::CpuUtilisation { container, percent })
        }
        _ => Ok(Metric::Other { name: kind }),
    }
}
