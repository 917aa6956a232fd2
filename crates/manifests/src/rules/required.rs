//! Fields without which Kubernetes refuses an object. The typed decode fills them in with nothing.

use crate::finding::Finding;
use crate::object::Object;
use crate::world::World;

pub(super) const ID: &str = "required-field";

/// Kinds, and patterns of what they must have. `template` stands for the pods' description.
const REQUIRED: &[(&str, &[&str])] = &[
    (
        "Deployment",
        &["spec.selector", "spec.template.metadata.labels", "spec.template.spec.containers"],
    ),
    (
        "StatefulSet",
        &[
            "spec.selector",
            "spec.serviceName",
            "spec.template.metadata.labels",
            "spec.template.spec.containers",
        ],
    ),
    (
        "DaemonSet",
        &["spec.selector", "spec.template.metadata.labels", "spec.template.spec.containers"],
    ),
    ("Job", &["spec.template.spec.containers", "spec.template.spec.restartPolicy"]),
    ("CronJob", &["spec.schedule", "spec.jobTemplate.spec.template.spec.containers"]),
    ("Service", &["spec.ports[].port"]),
    (
        "HorizontalPodAutoscaler",
        &["spec.maxReplicas", "spec.scaleTargetRef.kind", "spec.scaleTargetRef.name"],
    ),
    ("PodDisruptionBudget", &["spec.selector"]),
    ("NetworkPolicy", &["spec"]),
    ("Role", &["rules[].verbs"]),
    ("RoleBinding", &["roleRef.apiGroup", "roleRef.kind", "roleRef.name"]),
    ("PersistentVolumeClaim", &["spec.accessModes", "spec.resources.requests.storage"]),
    ("ScaledObject", &["spec.scaleTargetRef.name", "spec.triggers"]),
];

const OF_PODS: [&str; 9] = [
    "containers[].name",
    "containers[].image",
    "containers[].env[].name",
    "containers[].ports[].containerPort",
    "containers[].volumeMounts[].name",
    "containers[].volumeMounts[].mountPath",
    "initContainers[].name",
    "initContainers[].image",
    "volumes[].name",
];

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for object in world.objects {
        if !object.at("metadata.generateName").exists() {
            findings.extend(missing(object, "metadata.name"));
        }
        for (_, patterns) in REQUIRED.iter().filter(|(kind, _)| *kind == object.kind) {
            findings.extend(patterns.iter().flat_map(|pattern| every_missing(object, pattern)));
        }
    }
    for workload in &world.workloads {
        let places = OF_PODS.iter().flat_map(|pattern| workload.pod.each(pattern));
        findings.extend(
            places.filter(|field| !field.exists()).map(|field| field.error(ID, "this must be set")),
        );
    }
    findings
}

fn every_missing(object: &Object, pattern: &str) -> Vec<Finding> {
    if pattern.contains("[]") {
        let fields = object.root().each(pattern);
        return fields
            .into_iter()
            .filter(|field| !field.exists())
            .map(|field| field.error(ID, "this must be set"))
            .collect();
    }
    missing(object, pattern).into_iter().collect()
}

fn missing(object: &Object, path: &str) -> Option<Finding> {
    let field = object.at(path);
    (!field.exists()).then(|| field.error(ID, "this must be set"))
}

#[cfg(test)]
mod tests {
    use crate::testing::found;

    #[test]
    fn what_must_be_set_is_named() {
        let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n\
                    spec: {template: {metadata: {labels: {a: b}}, spec: {containers: [{name: \
                    a}]}}}\n";
        let found = found(text, "required-field");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("spec.selector") && found[1].contains("containers[0].image"),
            "{found:?}"
        );
    }
}
