//! What matters of a Deployment and of a HorizontalPodAutoscaler.
//!
//! Their types have only those fields: a decode of the whole would be much code for nothing.

use crate::HpaState;
use crate::capacity::{Autoscaler, Pods};
use kube::core::{ApiResource, Object};
use serde::Deserialize;

/// A Deployment.
pub(crate) type Deployment = Object<DeploymentSpec, DeploymentStatus>;
/// A HorizontalPodAutoscaler.
pub(crate) type HorizontalPodAutoscaler = Object<HpaSpec, HpaStatus>;

/// A kind of objects.
pub(crate) struct Kind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
}

pub(crate) const DEPLOYMENTS: Kind =
    Kind { group: "apps", version: "v1", kind: "Deployment", plural: "deployments" };
pub(crate) const AUTOSCALERS: Kind = Kind {
    group: "autoscaling",
    version: "v2",
    kind: "HorizontalPodAutoscaler",
    plural: "horizontalpodautoscalers",
};

impl Kind {
    pub(crate) fn resource(&self) -> ApiResource {
        ApiResource {
            group: self.group.into(),
            version: self.version.into(),
            api_version: format!("{}/{}", self.group, self.version),
            kind: self.kind.into(),
            plural: self.plural.into(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DeploymentSpec {
    replicas: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentStatus {
    ready_replicas: Option<i32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HpaSpec {
    min_replicas: Option<i32>,
    max_replicas: i32,
    scale_target_ref: TargetRef,
}

#[derive(Clone, Debug, Deserialize)]
struct TargetRef {
    kind: String,
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HpaStatus {
    current_replicas: Option<i32>,
    conditions: Option<Vec<Condition>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: Option<String>,
}

impl Pods {
    pub(crate) fn of(deployment: &Deployment) -> Self {
        // the API server fills in 1 where a manifest says nothing
        let desired = deployment.spec.replicas.unwrap_or(1);
        let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas);
        Self { desired: count(desired), ready: count(ready.unwrap_or(0)) }
    }
}

impl Autoscaler {
    pub(crate) fn of(hpa: &HorizontalPodAutoscaler) -> Self {
        let (spec, status) = (&hpa.spec, hpa.status.as_ref());
        let target = Some(&spec.scale_target_ref).filter(|target| target.kind == "Deployment");
        let max = count(spec.max_replicas);
        let current = count(status.and_then(|status| status.current_replicas).unwrap_or(0));
        // the controller's own word that it would like more than it may have
        let capped =
            status.and_then(|status| status.conditions.as_ref()).into_iter().flatten().any(
                |condition| {
                    condition.kind == "ScalingLimited"
                        && condition.status == "True"
                        && condition.reason.as_deref() == Some("TooManyReplicas")
                },
            );
        Self {
            deployment: target.map(|target| target.name.clone()),
            state: HpaState {
                // the API server fills in 1 where a manifest says nothing
                min: count(spec.min_replicas.unwrap_or(1)),
                max,
                current,
                at_maximum: capped || current >= max,
            },
        }
    }
}

/// Kubernetes counts in `i32`, but nothing of this is ever negative.
fn count(replicas: i32) -> u32 {
    u32::try_from(replicas).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hpa(current: i32, condition: (&str, &str, &str)) -> HorizontalPodAutoscaler {
        let (kind, status, reason) = condition;
        serde_json::from_value(json!({
            "metadata": {"name": "any"},
            "spec": {"minReplicas": 2, "maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "edge"}},
            "status": {"currentReplicas": current, "desiredReplicas": 3,
                "conditions": [{"type": kind, "status": status, "reason": reason}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_deployment_without_a_status_has_no_ready_pods() {
        let deployment = |value| Pods::of(&serde_json::from_value(value).unwrap());
        let selector = json!({"matchLabels": {}});
        let spec = json!({"selector": selector, "template": {}});
        assert_eq!(
            deployment(json!({"metadata": {}, "spec": spec})),
            Pods { desired: 1, ready: 0 }
        );
        let spec = json!({"selector": selector, "template": {}, "replicas": 0});
        assert_eq!(
            deployment(json!({"metadata": {}, "spec": spec})),
            Pods { desired: 0, ready: 0 }
        );
        let spec = json!({"selector": selector, "template": {}, "replicas": 4});
        let status = json!({"replicas": 4, "readyReplicas": 3});
        assert_eq!(
            deployment(json!({"metadata": {}, "spec": spec, "status": status})),
            Pods { desired: 4, ready: 3 }
        );
    }

    #[test]
    fn the_maximum_is_reached_by_count_or_by_the_controllers_word() {
        let able = ("AbleToScale", "True", "ReadyForNewScale");
        let cases = [
            (3, able, false),
            (5, able, true),
            (6, able, true),
            (3, ("ScalingLimited", "True", "TooManyReplicas"), true),
            (3, ("ScalingLimited", "False", "TooManyReplicas"), false),
            (3, ("ScalingLimited", "True", "TooFewReplicas"), false),
        ];
        for (current, condition, at_maximum) in cases {
            let autoscaler = Autoscaler::of(&hpa(current, condition));
            let current = current.unsigned_abs();
            assert_eq!(
                autoscaler.state,
                HpaState { min: 2, max: 5, current, at_maximum },
                "{condition:?}"
            );
            assert_eq!(autoscaler.deployment.as_deref(), Some("edge"));
        }
    }

    #[test]
    fn a_new_autoscaler_has_the_defaults_of_the_api_server() {
        let value = json!({"metadata": {}, "spec": {"maxReplicas": 4, "scaleTargetRef": {"kind": "StatefulSet", "name": "edge"}}});
        let autoscaler = Autoscaler::of(&serde_json::from_value(value).unwrap());
        assert_eq!(autoscaler.state, HpaState { min: 1, max: 4, current: 0, at_maximum: false });
        assert_eq!(autoscaler.deployment, None);
    }
}
