//! What Kubernetes itself knows of each kind: versions, fields, types.

use crate::finding::Finding;
use crate::object::{Field, Object};
use crate::path::Path;
use crate::world::World;
use kube_schema::{Fault, FieldFault, Step, known_kinds, strict};
use serde_json::Value;
use text::similar;

pub(super) const API_VERSION: &str = "api-version";
pub(super) const FIELD: &str = "unknown-field";
pub(super) const TYPE: &str = "wrong-type";

/// Versions that were served once: the kind, the version, the present one, and the release that
/// dropped it.
const GONE: [(&str, &str, &str, &str); 15] = [
    ("HorizontalPodAutoscaler", "autoscaling/v2beta1", "autoscaling/v2", "1.25"),
    ("HorizontalPodAutoscaler", "autoscaling/v2beta2", "autoscaling/v2", "1.26"),
    ("Deployment", "extensions/v1beta1", "apps/v1", "1.16"),
    ("Deployment", "apps/v1beta1", "apps/v1", "1.16"),
    ("Deployment", "apps/v1beta2", "apps/v1", "1.16"),
    ("StatefulSet", "apps/v1beta1", "apps/v1", "1.16"),
    ("StatefulSet", "apps/v1beta2", "apps/v1", "1.16"),
    ("DaemonSet", "extensions/v1beta1", "apps/v1", "1.16"),
    ("PodDisruptionBudget", "policy/v1beta1", "policy/v1", "1.25"),
    ("CronJob", "batch/v1beta1", "batch/v1", "1.25"),
    ("Ingress", "extensions/v1beta1", "networking.k8s.io/v1", "1.22"),
    ("Ingress", "networking.k8s.io/v1beta1", "networking.k8s.io/v1", "1.22"),
    ("NetworkPolicy", "extensions/v1beta1", "networking.k8s.io/v1", "1.16"),
    ("Role", "rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1", "1.22"),
    ("RoleBinding", "rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1", "1.22"),
];

/// Kinds of operators, which are known without their fields: group and present version.
const OPERATORS: [(&str, &str); 6] = [
    ("keda.sh", "v1alpha1"),
    ("kafka.strimzi.io", "v1"),
    ("monitoring.coreos.com", "v1"),
    ("cert-manager.io", "v1"),
    ("gateway.networking.k8s.io", "v1"),
    ("kustomize.config.k8s.io", "v1beta1"),
];

pub(super) fn api_versions(world: &World<'_>) -> Vec<Finding> {
    world.objects.iter().filter_map(api_version).collect()
}

fn api_version(object: &Object) -> Option<Finding> {
    let (version, kind) = (object.api_version.as_str(), object.kind.as_str());
    let field = object.at("apiVersion");
    if let Some((.., now, dropped)) =
        GONE.iter().find(|(of, old, ..)| *of == kind && *old == version)
    {
        let message = format!("{version} is not served any more since Kubernetes {dropped}");
        return Some(field.error(API_VERSION, message).help(format!("write apiVersion: {now}")));
    }
    if (version, kind) == ("autoscaling/v1", "HorizontalPodAutoscaler") {
        let message = "autoscaling/v1 knows neither ContainerResource metrics nor behavior";
        return Some(
            field
                .warning(API_VERSION, message)
                .help("write apiVersion: autoscaling/v2, with its spec.metrics"),
        );
    }
    if known_kinds().contains(&(version, kind)) {
        return None;
    }
    if let Some((group, now)) = OPERATORS.iter().find(|(group, _)| *group == object.group()) {
        let own = version.rsplit('/').next().unwrap_or_default();
        // alert rules and monitors of beta versions live on beside v1
        let old = *group == "kafka.strimzi.io" && own != *now;
        let message = format!("Strimzi 1.x serves {group}/{now} only");
        return old.then(|| {
            field.error(API_VERSION, message).help(format!("write apiVersion: {group}/{now}"))
        });
    }
    let versions: Vec<&str> =
        known_kinds().iter().filter(|(_, own)| *own == kind).map(|(version, _)| *version).collect();
    if !versions.is_empty() {
        let message = format!("there is no {kind} in '{version}'");
        return Some(
            field
                .error(API_VERSION, message)
                .help(format!("write apiVersion: {}", versions.join(" or "))),
        );
    }
    let mut kinds = known_kinds().iter().filter(|(own, _)| *own == version).map(|(_, kind)| *kind);
    let finding = object.at("kind").warning(
        API_VERSION,
        format!("{version} {kind} is not a kind that is known here: its fields are not checked"),
    );
    Some(match similar(kind, &mut kinds) {
        Some(meant) => finding.help(format!("did you mean {meant}?")),
        None => finding,
    })
}

pub(super) fn unknown_fields(world: &World<'_>) -> Vec<Finding> {
    // a cluster has dropped what it does not know; what is left and not known here is newer than
    // this
    if world.is_live() {
        return Vec::new();
    }
    each_fault(world, |field, fault| match fault {
        Fault::UnknownField => {
            let message = format!(
                "{} has no such field here: the cluster drops it, or refuses the object",
                field.object.kind
            );
            Some(field.error(FIELD, message))
        }
        Fault::WrongType(_) => None,
    })
}

pub(super) fn wrong_types(world: &World<'_>) -> Vec<Finding> {
    each_fault(world, |field, fault| match fault {
        Fault::UnknownField => None,
        Fault::WrongType(reason) => Some(field.error(TYPE, reason.clone()).help(help_for(field))),
    })
}

fn help_for(field: &Field<'_>) -> &'static str {
    match field.value {
        Some(Value::Number(_) | Value::Bool(_)) => {
            "put it in quotes where a text is meant; yes, no, on and off without quotes are \
             booleans"
        }
        Some(Value::String(_)) => "write it without quotes where a number or a boolean is meant",
        _ => "see kubectl explain for the form of this field",
    }
}

fn each_fault(
    world: &World<'_>,
    finding: impl Fn(&Field<'_>, &Fault) -> Option<Finding>,
) -> Vec<Finding> {
    let faults = world.objects.iter().filter_map(|object| {
        let faults = strict(&object.api_version, &object.kind, &object.value)?;
        Some(faults.into_iter().map(move |fault| (object, fault)))
    });
    faults
        .flatten()
        .filter_map(|(object, FieldFault { path, fault })| {
            finding(&field_at(object, Path(path)), &fault)
        })
        .collect()
}

fn field_at(object: &Object, path: Path) -> Field<'_> {
    let value = path.0.iter().try_fold(&object.value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    });
    Field { object, path, value }
}

#[cfg(test)]
mod tests {
    use crate::testing::{found, found_live};

    #[test]
    fn a_field_that_a_cluster_has_kept_is_newer_than_we_know() {
        let newer = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nfromTheFuture: 1\n";
        assert!(found(newer, "unknown-field")[0].starts_with("error fromTheFuture"));
        assert!(found_live(newer, "unknown-field", &[]).is_empty());
    }

    #[test]
    fn versions_fields_and_types() {
        let hpa = "kind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {maxReplicas: 2, \
            scaleTargetRef: {kind: Deployment, name: a}}\n";
        let old = format!("apiVersion: autoscaling/v2beta2\n{hpa}");
        assert!(
            found(&old, "api-version")
                .iter()
                .any(|finding| finding.starts_with("error apiVersion"))
        );
        let first = format!("apiVersion: autoscaling/v1\n{hpa}");
        assert!(
            found(&first, "api-version")
                .iter()
                .any(|finding| finding.starts_with("warning apiVersion"))
        );
        let wrong = "apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n";
        assert!(found(wrong, "api-version")[0].contains("apps/v1"));
        let strange = "apiVersion: v1\nkind: ConfigMapp\nmetadata: {name: a}\n";
        assert!(found(strange, "api-version")[0].contains("did you mean ConfigMap?"));
        let typo = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndate: {A: b}\n";
        assert!(found(typo, "unknown-field")[0].starts_with("error date:"));
        let number = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {A: 5}\n";
        assert!(found(number, "wrong-type")[0].starts_with("error data.A:"));
    }
}
