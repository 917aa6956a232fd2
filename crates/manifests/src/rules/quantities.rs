//! Quantities: no schema knows their form.

use crate::finding::Finding;
use crate::object::Field;
use crate::quantity::number;
use crate::world::World;

pub(super) const ID: &str = "quantity";

const OF_OBJECTS: [&str; 9] = [
    "spec.resources.requests.*",
    "spec.resources.limits.*",
    "spec.volumeClaimTemplates[].spec.resources.requests.*",
    "spec.metrics[].containerResource.target.averageValue",
    "spec.metrics[].resource.target.averageValue",
    "spec.metrics[].pods.target.averageValue",
    "spec.metrics[].external.target.averageValue",
    "spec.metrics[].external.target.value",
    "spec.hard.*",
];

const OF_PODS: [&str; 4] = [
    "volumes[].emptyDir.sizeLimit",
    "volumes[].ephemeral.volumeClaimTemplate.spec.resources.requests.*",
    "containers[].env[].valueFrom.resourceFieldRef.divisor",
    "overhead.*",
];

const OF_CONTAINERS: [&str; 2] = ["resources.requests.*", "resources.limits.*"];

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let of_objects = world
        .objects
        .iter()
        .flat_map(|object| OF_OBJECTS.iter().flat_map(|pattern| object.root().each(pattern)));
    let of_pods = world
        .workloads
        .iter()
        .flat_map(|workload| OF_PODS.iter().flat_map(|pattern| workload.pod.each(pattern)));
    let of_containers = world.containers().flat_map(|(_, container)| {
        OF_CONTAINERS.iter().flat_map(|pattern| container.field.each(pattern))
    });
    let mut findings: Vec<Finding> = of_objects
        .chain(of_pods)
        .chain(of_containers)
        .filter_map(|field| unreadable(&field))
        .collect();
    findings.extend(
        world
            .containers()
            .flat_map(|(_, container)| above_limit(&container.field.get("resources"))),
    );
    findings
}

fn unreadable(field: &Field<'_>) -> Option<Finding> {
    let text = field.scalar()?;
    match number(&text) {
        Some(value) if value >= 0.0 => None,
        Some(_) => Some(field.error(ID, format!("'{text}' is negative"))),
        None => {
            Some(field.error(ID, format!("'{text}' is not a quantity")).help(
                "a number with one of m, k, M, G, Ki, Mi, Gi and so on, e.g. 250m, 1.5, 64Mi",
            ))
        }
    }
}

fn above_limit(resources: &Field<'_>) -> Vec<Finding> {
    let value = |field: &Field<'_>| field.scalar().and_then(|text| number(&text));
    let above = |(name, request): (&str, Field<'_>)| {
        let limit = resources.get("limits").get(name);
        let (asked, allowed) = (value(&request)?, value(&limit)?);
        let message = || {
            format!(
                "the request {} is above the limit {}",
                request.scalar().unwrap_or_default(),
                limit.scalar().unwrap_or_default()
            )
        };
        (asked > allowed).then(|| request.error(ID, message()))
    };
    resources.get("requests").entries().into_iter().filter_map(above).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::found_in_container;

    #[test]
    fn quantities_are_read_and_compared() {
        let found =
            |resources: &str| found_in_container(&format!("resources: {resources}"), "quantity");
        assert!(found("{requests: {cpu: 250m, memory: 64Mi}, limits: {memory: 64Mi}}").is_empty());
        assert!(found("{requests: {memory: 64MB}}")[0].contains("'64MB' is not a quantity"));
        assert!(
            found("{requests: {memory: 65Mi}, limits: {memory: 64Mi}}")[0]
                .contains("above the limit")
        );
        assert!(found("{requests: {cpu: -1}}")[0].contains("negative"));
    }
}
