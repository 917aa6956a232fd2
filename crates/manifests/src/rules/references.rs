//! Objects that others name, and keys of ConfigMaps and Secrets.

use crate::files::secret_keys;
use crate::finding::{Finding, Severity};
use crate::object::{Field, Object};
use crate::world::World;
use kube_schema::Step;
use std::collections::HashSet;
use text::similar;

pub(super) const ID: &str = "missing-object";
pub(super) const KEY: &str = "missing-key";

/// Patterns within pods: where a name stands, and of what kind it is.
const OF_PODS: [(&str, &str); 16] = [
    ("volumes[].configMap.name", "ConfigMap"),
    ("volumes[].projected.sources[].configMap.name", "ConfigMap"),
    ("containers[].envFrom[].configMapRef.name", "ConfigMap"),
    ("initContainers[].envFrom[].configMapRef.name", "ConfigMap"),
    ("containers[].env[].valueFrom.configMapKeyRef.name", "ConfigMap"),
    ("initContainers[].env[].valueFrom.configMapKeyRef.name", "ConfigMap"),
    ("volumes[].secret.secretName", "Secret"),
    ("volumes[].projected.sources[].secret.name", "Secret"),
    ("containers[].envFrom[].secretRef.name", "Secret"),
    ("initContainers[].envFrom[].secretRef.name", "Secret"),
    ("containers[].env[].valueFrom.secretKeyRef.name", "Secret"),
    ("initContainers[].env[].valueFrom.secretKeyRef.name", "Secret"),
    ("imagePullSecrets[].name", "Secret"),
    ("serviceAccountName", "ServiceAccount"),
    ("priorityClassName", "PriorityClass"),
    ("volumes[].persistentVolumeClaim.claimName", "PersistentVolumeClaim"),
];

/// The same for other kinds of objects.
const OF_OBJECTS: [(&str, &str, &str); 8] = [
    ("StatefulSet", "spec.serviceName", "Service"),
    ("Ingress", "spec.rules[].http.paths[].backend.service.name", "Service"),
    ("Ingress", "spec.defaultBackend.service.name", "Service"),
    ("Ingress", "spec.tls[].secretName", "Secret"),
    ("ScaledObject", "spec.triggers[].authenticationRef.name", "TriggerAuthentication"),
    ("KafkaNodePool", "spec.template.pod.priorityClassName", "PriorityClass"),
    ("TriggerAuthentication", "spec.secretTargetRef[].name", "Secret"),
    ("TriggerAuthentication", "spec.configMapTargetRef[].name", "ConfigMap"),
];

pub(super) fn objects(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for workload in &world.workloads {
        for (pattern, kind) in OF_PODS {
            findings.extend(
                workload.pod.each(pattern).iter().filter_map(|field| missing(world, field, kind)),
            );
        }
    }
    for object in world.objects {
        for (_, pattern, kind) in OF_OBJECTS.iter().filter(|(of, ..)| *of == object.kind) {
            findings.extend(
                object.root().each(pattern).iter().filter_map(|field| missing(world, field, kind)),
            );
        }
        if object.kind == "RoleBinding" {
            findings.extend(role(world, object));
            findings.extend(subjects(world, object));
        }
    }
    once_each(findings)
}

/// A Secret that is made beside the objects is told once, not for each pod that mounts it.
fn once_each(findings: Vec<Finding>) -> Vec<Finding> {
    let mut told: HashSet<String> = HashSet::new();
    let mut is_new = |finding: &Finding| {
        told.insert(finding.message.clone()) || finding.severity != Severity::Note
    };
    findings.into_iter().filter(|finding| is_new(finding)).collect()
}

fn missing(world: &World<'_>, field: &Field<'_>, kind: &str) -> Option<Finding> {
    let name = field.text()?;
    let namespace = &field.object.namespace;
    // what every cluster has
    let expected = match kind {
        "ServiceAccount" => name == "default",
        "PriorityClass" => name.starts_with("system-"),
        _ => false,
    };
    if expected
        || world.is_hidden(kind)
        || beside(field, "optional").is_some_and(|optional| *optional == true)
        || world.find(kind, name, namespace).is_some()
    {
        return None;
    }
    if kind == "Secret" {
        return of_secret(world, field, name);
    }
    if kind == "TriggerAuthentication"
        && beside(field, "kind").is_some_and(|kind| kind == "ClusterTriggerAuthentication")
    {
        return None;
    }
    let finding = field.error(ID, format!("there is no {kind} '{name}' among these objects"));
    let mut names = world.of_kind(kind).map(|object| object.name.as_str());
    Some(finding.help(match similar(name, &mut names) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => {
            "if it stands elsewhere, check the two folders together: mlvi check DIR DIR".to_owned()
        }
    }))
}

fn of_secret(world: &World<'_>, field: &Field<'_>, name: &str) -> Option<Finding> {
    if world.is_live() {
        return None;
    }
    let expected = world.knowledge.secrets.iter();
    let names = || expected.clone().map(|secret| secret.name);
    if let Some(secret) = expected.clone().find(|secret| secret.name == name) {
        let note = field.note(ID, format!("the Secret '{name}' is made beside these objects"));
        return Some(note.help(format!("it is made by: {}", secret.command)));
    }
    let finding = field.warning(
        ID,
        format!("there is no Secret '{name}' among these objects, and nothing here makes it"),
    );
    Some(match similar(name, &mut names()) {
        Some(meant) => finding.help(format!("did you mean '{meant}'?")),
        None => finding.help("create it before these objects are applied"),
    })
}

/// What stands beside a name.
fn beside<'a>(name: &Field<'a>, key: &str) -> Option<&'a serde_json::Value> {
    let mut value = Some(&name.object.value);
    for step in &name.path.0[..name.path.0.len() - 1] {
        value = value.and_then(|value| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        });
    }
    value?.get(key)
}

fn role(world: &World<'_>, binding: &Object) -> Option<Finding> {
    let (kind, name) = (binding.at("roleRef.kind"), binding.at("roleRef.name"));
    // a ClusterRole may be one that every cluster has
    (kind.text() == Some("Role")).then(|| missing(world, &name, "Role")).flatten()
}

fn subjects(world: &World<'_>, binding: &Object) -> Vec<Finding> {
    let mut findings = Vec::new();
    for subject in binding.at("subjects").items() {
        if subject.get("kind").text() != Some("ServiceAccount") {
            continue;
        }
        let namespace = subject.get("namespace");
        if !namespace.exists() && subject.object.namespace.is_empty() {
            findings
                .push(namespace.error(ID, "a ServiceAccount that is bound needs its namespace"));
        }
        let own = namespace.text().unwrap_or(&binding.namespace);
        let name = subject.get("name").text().unwrap_or_default();
        if own == binding.namespace || binding.namespace.is_empty() {
            let known = name == "default" || world.find("ServiceAccount", name, own).is_some();
            if !known {
                findings.push(subject.get("name").error(
                    ID,
                    format!("there is no ServiceAccount '{name}' in the namespace '{own}'"),
                ));
            }
        }
    }
    findings
}

/// Patterns of a reference with a key, and the kind.
const KEYS: [(&str, &str, &str, &str); 8] = [
    ("containers[].env[].valueFrom.configMapKeyRef", "name", "key", "ConfigMap"),
    ("initContainers[].env[].valueFrom.configMapKeyRef", "name", "key", "ConfigMap"),
    ("containers[].env[].valueFrom.secretKeyRef", "name", "key", "Secret"),
    ("initContainers[].env[].valueFrom.secretKeyRef", "name", "key", "Secret"),
    ("volumes[].configMap", "name", "items[].key", "ConfigMap"),
    ("volumes[].projected.sources[].configMap", "name", "items[].key", "ConfigMap"),
    ("volumes[].secret", "secretName", "items[].key", "Secret"),
    ("volumes[].projected.sources[].secret", "name", "items[].key", "Secret"),
];

pub(super) fn keys(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let of_pods = world.workloads.iter().map(|workload| &workload.pod);
    for pod in of_pods {
        for (pattern, name, key, kind) in KEYS {
            for reference in pod.each(pattern) {
                findings.extend(missing_keys(world, &reference, name, key, kind));
            }
        }
    }
    for trigger in world.of_kind("TriggerAuthentication") {
        for reference in trigger.root().each("spec.secretTargetRef[]") {
            findings.extend(missing_keys(world, &reference, "name", "key", "Secret"));
        }
    }
    findings
}

fn missing_keys(
    world: &World<'_>,
    reference: &Field<'_>,
    name: &str,
    key: &str,
    kind: &str,
) -> Vec<Finding> {
    let Some(name) = reference.get(name).text() else { return Vec::new() };
    let namespace = &reference.object.namespace;
    let known: Option<Vec<String>> = match kind {
        "Secret" => secret_keys(world, name, namespace),
        _ => world.find(kind, name, namespace).map(|config| {
            let parts =
                ["data", "binaryData"].map(|part| config.at(part).entries()).into_iter().flatten();
            parts.map(|(key, _)| key.to_owned()).collect()
        }),
    };
    let Some(known) = known.filter(|_| reference.get("optional").flag() != Some(true)) else {
        return Vec::new();
    };
    let absent = reference
        .each(key)
        .into_iter()
        .filter(|field| field.text().is_some_and(|key| !known.iter().any(|own| own == key)));
    let finding = |field: Field<'_>| {
        let message =
            format!("the {kind} '{name}' has no key '{}'", field.text().unwrap_or_default());
        field.error(KEY, message).help(format!("it has: {}", known.join(", ")))
    };
    absent.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{found, found_live, pod};

    #[test]
    fn what_is_named_must_be_there() {
        let text = pod(
            "envFrom: [{configMapRef: {name: none}}, {configMapRef: {name: may, optional: true}}]",
            "serviceAccountName: none",
        );
        let found = found(&text, "missing-object");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("ServiceAccount 'none'")
                || found[1].contains("ServiceAccount 'none'"),
            "{found:?}"
        );
        // what the cluster did not show may be there
        let found = found_live(&text, "missing-object", &["serviceaccounts"]);
        assert!(found.len() == 1 && found[0].contains("ConfigMap 'none'"), "{found:?}");
    }

    #[test]
    fn a_priority_is_one_that_is_there() {
        let classes = "---\napiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: \
            {name: first}\nvalue: 5\n";
        let of = |name: &str| {
            pod("imagePullPolicy: Always", &format!("priorityClassName: {name}")) + classes
        };
        for name in ["first", "system-node-critical"] {
            assert_eq!(found(&of(name), "missing-object"), Vec::<String>::new(), "{name}");
        }
        let wrong = found(&of("fist"), "missing-object");
        assert!(wrong.len() == 1 && wrong[0].contains("did you mean 'first'?"), "{wrong:?}");
        assert_eq!(
            found_live(&of("other"), "missing-object", &["priorityclasses"]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_secret_that_is_made_beside_is_a_note() {
        let text = pod(
            "env: [{name: A, valueFrom: {secretKeyRef: {name: login, key: user}}}]",
            "restartPolicy: Always",
        );
        assert!(found(&text, "missing-object")[0].starts_with("note "));
        let text = found(&text, "missing-key");
        assert!(text[0].contains("has no key 'user'"), "{text:?}");
    }
}
