//! What an autoscaler is told, read as strictly as a cluster reads it.

mod hpa;
mod keda;
#[cfg(test)]
mod tests;

use crate::ManifestError;
use crate::object::{Field, Object};
use crate::path::Path;
use autoscale::{Metric, Spec};
use kube_schema::{Fault, FieldFault, strict_operator};
use serde_json::Value;

/// An autoscaler, what it scales and what it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Autoscaler {
    /// What it is.
    pub kind: AutoscalerKind,
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
pub enum AutoscalerKind {
    /// A `HorizontalPodAutoscaler`.
    Hpa,
    /// KEDA's `ScaledObject`, which makes a HorizontalPodAutoscaler.
    ScaledObject,
}

impl AutoscalerKind {
    /// Which kind an object is; `None` when it is no autoscaler.
    pub(crate) fn of(object: &Object) -> Option<Self> {
        match (object.group(), object.kind.as_str()) {
            ("keda.sh", "ScaledObject") => Some(Self::ScaledObject),
            // of whatever version: an old one is a fault, and no other object
            (_, "HorizontalPodAutoscaler") => Some(Self::Hpa),
            _ => None,
        }
    }
}

impl Autoscaler {
    /// The autoscaler that `object` is; `None` when it is something else.
    ///
    /// # Errors
    /// When it has fields that are not known, of the wrong type or out of range, or an API version
    /// that is no longer served.
    pub fn read(object: &Value) -> Result<Option<Self>, ManifestError> {
        let object = Object::of(object.clone(), None);
        match AutoscalerKind::of(&object) {
            Some(AutoscalerKind::Hpa) => hpa::read(&object).map(Some),
            Some(AutoscalerKind::ScaledObject) => keda::read(&object).map(Some),
            None => Ok(None),
        }
    }
}

/// Refuses fields that this version of the kind does not have, and values of a wrong type.
fn refuse_faults(object: &Object, api_version: &str) -> Result<(), ManifestError> {
    let faults = strict_operator(api_version, &object.kind, &object.value).unwrap_or_default();
    let field =
        |path: &[kube_schema::Step]| Field { object, path: Path(path.to_vec()), value: None };
    let mut unknown: Vec<String> = Vec::new();
    for FieldFault { path, fault } in &faults {
        match fault {
            Fault::WrongType(reason) => return Err(ManifestError::at(&field(path), reason)),
            Fault::UnknownField => unknown.push(field(path).path.to_string()),
        }
    }
    let Some((last, others)) = unknown.split_last() else { return Ok(()) };
    let others: String = others.iter().map(|path| format!("{path}, ")).collect();
    Err(ManifestError::Object {
        object: format!("{} {}", object.kind, object.name),
        problem: format!("{others}{last} is not known"),
    })
}

/// A note for each metric that is left out.
fn left_out(metrics: &[Metric]) -> Vec<String> {
    let note = |metric: &Metric| match metric {
        Metric::Other { name } => Some(format!("the metric {name} is not simulated")),
        Metric::CpuUtilisation { .. } | Metric::CpuUsage { .. } | Metric::Lag { .. } => None,
    };
    metrics.iter().filter_map(note).collect()
}
