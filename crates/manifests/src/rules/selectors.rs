//! Selectors against the labels of pods.

use crate::finding::{Finding, Severity};
use crate::labels;
use crate::object::{Field, Object};
use crate::world::{Workload, World};

pub(super) const ID: &str = "selector";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let own = world.workloads.iter().filter_map(of_workload);
    let spread = world.workloads.iter().flat_map(of_spread);
    let others = world.objects.iter().flat_map(|object| of_object(world, object));
    own.chain(spread).chain(others).collect()
}

/// A Deployment must select the pods that it makes.
fn of_workload(workload: &Workload<'_>) -> Option<Finding> {
    let selector = workload.object.at("spec.selector");
    let selects = matches!(
        workload.object.kind.as_str(),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"
    );
    if !selects || !selector.exists() || labels::fit(&selector, &workload.labels) {
        return None;
    }
    let message = format!("this does not fit the labels of its own pods: {}", written(workload));
    Some(selector.error(ID, message).help(
        "the cluster refuses it: the same labels must stand in spec.template.metadata.labels",
    ))
}

/// A constraint that counts other pods spreads nothing.
fn of_spread(workload: &Workload<'_>) -> Vec<Finding> {
    let selectors = workload.pod.each("topologySpreadConstraints[].labelSelector").into_iter();
    let wrong =
        selectors.filter(|selector| selector.exists() && !labels::fit(selector, &workload.labels));
    wrong
        .map(|selector| {
            selector.error(
                ID,
                format!("this does not fit the pods that it spreads: {}", written(workload)),
            )
        })
        .collect()
}

fn of_object(world: &World<'_>, object: &Object) -> Vec<Finding> {
    match object.kind.as_str() {
        "Service" => of_pods(world, &object.at("spec.selector")),
        "PodDisruptionBudget" => of_pods(world, &object.at("spec.selector")),
        "NetworkPolicy" => {
            let root = object.root();
            let peers = ["spec.ingress[].from[]", "spec.egress[].to[]"]
                .iter()
                .flat_map(|pattern| root.each(pattern));
            // pods of other namespaces are not among these objects
            let inside = peers
                .filter(|peer| !peer.get("namespaceSelector").exists())
                .map(|peer| peer.get("podSelector"));
            // another cluster may have them: a hop that is needed and not allowed is another rule's
            let absent = inside.filter(|selector| !of_pods(world, selector).is_empty());
            let absent = absent
                .map(|selector| selector.note(ID, "no pods among these objects have these labels"));
            let mut own = of_pods(world, &object.at("spec.podSelector"));
            if world.is_live() {
                // the pods of a Job that is done go, and its policy stays
                own.iter_mut().for_each(|finding| finding.severity = Severity::Note);
            }
            own.into_iter().chain(absent).collect()
        }
        "ServiceMonitor" => of_services(world, &object.at("spec.selector")),
        "PodMonitor" => of_pods(world, &object.at("spec.selector")),
        _ => Vec::new(),
    }
}

fn of_pods(world: &World<'_>, selector: &Field<'_>) -> Vec<Finding> {
    // an empty selector means all, or none on purpose
    if !says_something(selector)
        || made_by_strimzi(world, selector)
        || !world.selected(selector, &selector.object.namespace).is_empty()
    {
        return Vec::new();
    }
    vec![
        selector
            .error(ID, "no pods among these objects have these labels")
            .help(labels_of_pods(world)),
    ]
}

fn of_services(world: &World<'_>, selector: &Field<'_>) -> Vec<Finding> {
    let wanted = labels::Selector::of(selector);
    let fits = |service: &Object| wanted.fits(&labels::of(&service.at("metadata.labels")));
    if !says_something(selector) || world.of_kind("Service").any(fits) {
        return Vec::new();
    }
    vec![selector.error(ID, "no Service among these objects has these labels")]
}

fn says_something(selector: &Field<'_>) -> bool {
    selector.value.and_then(serde_json::Value::as_object).is_some_and(|map| !map.is_empty())
}

/// Pods of an operator's broker are made by the operator.
fn made_by_strimzi(world: &World<'_>, selector: &Field<'_>) -> bool {
    let labels = labels::of(selector).into_iter().chain(labels::of(&selector.get("matchLabels")));
    world.of_kind("Kafka").next().is_some()
        && labels.into_iter().any(|(key, _)| key.starts_with("strimzi.io/"))
}

fn written(workload: &Workload<'_>) -> String {
    let pairs: Vec<String> =
        workload.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

fn labels_of_pods(world: &World<'_>) -> String {
    let pods: Vec<String> = world
        .workloads
        .iter()
        .take(8)
        .map(|workload| format!("{}: {}", workload.object.title(), written(workload)))
        .collect();
    if pods.is_empty() {
        "there are no pods among these objects".into()
    } else {
        format!("there are {}", pods.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{broker, deployment, found, found_live};

    #[test]
    fn the_policy_of_a_job_that_is_done_is_no_error_in_a_cluster() {
        let policy = "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: \
            p}\n\
             spec: {podSelector: {matchLabels: {app: gone}}, policyTypes: [Ingress]}\n";
        let set = deployment("a", "", "") + policy;
        assert!(found(&set, "selector")[0].starts_with("error spec.podSelector"));
        assert!(found_live(&set, "selector", &[])[0].starts_with("note spec.podSelector"));
    }

    #[test]
    fn a_service_can_be_that_of_one_pod_of_a_stateful_set() {
        let service = |pod: &str| {
            format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s}}\n\
                 spec: {{selector: {{app: kafka, statefulset.kubernetes.io/pod-name: {pod}}}, \
                 ports: [{{port: 9092}}]}}\n"
            )
        };
        assert_eq!(found(&(broker() + &service("kafka-0")), "selector"), Vec::<String>::new());
        // it has one pod
        for pod in ["kafka-1", "kafka-00", "other-0", "kafka"] {
            assert_eq!(found(&(broker() + &service(pod)), "selector").len(), 1, "{pod}");
        }
    }

    #[test]
    fn selectors_must_fit() {
        let service = |label: &str| {
            format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{selector: \
                 {{app: {label}}}, ports: [{{port: 80}}]}}\n"
            )
        };
        let set = deployment("a", "", "");
        assert!(found(&(set.clone() + &service("a")), "selector").is_empty());
        assert!(
            found(&(set.clone() + &service("b")), "selector")[0].contains("Deployment/a: app=a")
        );
        let wrong = set.replace("matchLabels: {app: a}", "matchLabels: {app: b}");
        assert!(found(&wrong, "selector")[0].starts_with("error spec.selector"));
    }
}
