//! What scales what.

use super::together;
use crate::autoscaler::AutoscalerKind;
use crate::object::{Field, Object};

/// A HorizontalPodAutoscaler or a ScaledObject.
#[derive(Debug)]
pub(crate) struct Scaler<'a> {
    pub(crate) object: &'a Object,
    pub(crate) target_kind: &'a str,
    pub(crate) target: Field<'a>,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) max_field: Field<'a>,
}

impl<'a> Scaler<'a> {
    pub(super) fn of(object: &'a Object) -> Option<Self> {
        let is_hpa = match AutoscalerKind::of(object)? {
            AutoscalerKind::Hpa => true,
            AutoscalerKind::ScaledObject => false,
        };
        let (min, max, kind) = if is_hpa {
            (object.at("spec.minReplicas"), object.at("spec.maxReplicas"), "")
        } else {
            // KEDA's default for the kind is a Deployment
            (object.at("spec.minReplicaCount"), object.at("spec.maxReplicaCount"), "Deployment")
        };
        // KEDA makes an autoscaler of its own for each ScaledObject
        if object
            .root()
            .each("metadata.ownerReferences[].kind")
            .iter()
            .any(|kind| kind.text() == Some("ScaledObject"))
        {
            return None;
        }
        Some(Self {
            object,
            target_kind: object.at("spec.scaleTargetRef.kind").text().unwrap_or(kind),
            target: object.at("spec.scaleTargetRef.name"),
            min: min.integer().unwrap_or(i64::from(is_hpa)),
            max: max.integer().unwrap_or(if is_hpa { 0 } else { 100 }),
            max_field: max,
        })
    }

    pub(crate) fn scales(&self, object: &Object) -> bool {
        self.target_kind == object.kind
            && self.target.text() == Some(&object.name)
            && together(&self.object.namespace, &object.namespace)
    }
}
