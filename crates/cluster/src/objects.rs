//! What matters of a Deployment and of a HorizontalPodAutoscaler.

use crate::HpaState;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

/// The pods of a Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pods {
    pub(crate) desired: u32,
    pub(crate) ready: u32,
}

impl Pods {
    pub(crate) fn of(deployment: &Deployment) -> Self {
        // the API server fills in 1 where a manifest says nothing
        let desired = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas);
        Self { desired: count(desired), ready: count(ready.unwrap_or(0)) }
    }
}

/// An autoscaler and what it scales.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Autoscaler {
    /// The name of the Deployment that it scales; `None` when it scales something else.
    pub(crate) deployment: Option<String>,
    pub(crate) state: HpaState,
}

impl Autoscaler {
    pub(crate) fn of(hpa: &HorizontalPodAutoscaler) -> Self {
        let spec = hpa.spec.as_ref();
        let status = hpa.status.as_ref();
        let target =
            spec.map(|spec| &spec.scale_target_ref).filter(|target| target.kind == "Deployment");
        let max = count(spec.map_or(0, |spec| spec.max_replicas));
        let current = count(status.and_then(|status| status.current_replicas).unwrap_or(0));
        // the controller's own word that it would like more than it may have
        let capped =
            status.and_then(|status| status.conditions.as_ref()).into_iter().flatten().any(
                |condition| {
                    condition.type_ == "ScalingLimited"
                        && condition.status == "True"
                        && condition.reason.as_deref() == Some("TooManyReplicas")
                },
            );
        Self {
            deployment: target.map(|target| target.name.clone()),
            state: HpaState {
                // the API server fills in 1 where a manifest says nothing
                min: count(spec.and_then(|spec| spec.min_replicas).unwrap_or(1)),
                max,
                current,
                at_maximum: capped || (spec.is_some() && current >= max),
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
    fn a_new_autoscaler_has_one_pod_at_least_and_scales_what_its_target_says() {
        let value = json!({"metadata": {}, "spec": {"maxReplicas": 4, "scaleTargetRef": {"kind": "StatefulSet", "name": "edge"}}});
        let autoscaler = Autoscaler::of(&serde_json::from_value(value).unwrap());
        assert_eq!(autoscaler.state, HpaState { min: 1, max: 4, current: 0, at_maximum: false });
        assert_eq!(autoscaler.deployment, None);
    }
}
