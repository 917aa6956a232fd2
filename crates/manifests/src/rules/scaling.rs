//! Autoscalers against what they scale.

use crate::finding::Finding;
use crate::object::Field;
use crate::world::{Scaler, Workload, World, together};
use text::similar;

pub(super) const TARGET: &str = "scale-target";
pub(super) const RANGE: &str = "scale-range";
pub(super) const REPLICAS: &str = "replicas";
pub(super) const METRIC: &str = "scale-metric";

pub(super) fn targets(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for scaler in &world.scalers {
        let (kind, name) = (scaler.target_kind, scaler.target.text().unwrap_or_default());
        let Some(workload) = world.workload(kind, name) else {
            findings.push(absent(world, scaler, kind, name));
            continue;
        };
        let mut others =
            world.scalers_of(workload.object).take_while(|other| !std::ptr::eq(*other, scaler));
        let before =
            others.find(|other| together(&other.object.namespace, &scaler.object.namespace));
        if let Some(other) = before {
            let message = format!(
                "{} scales {kind}/{name} already: two autoscalers undo each other's work",
                other.object.title()
            );
            findings.push(scaler.target.error(TARGET, message).help("keep one of the two"));
        }
    }
    findings
}

fn absent(world: &World<'_>, scaler: &Scaler<'_>, kind: &str, name: &str) -> Finding {
    let finding = scaler.target.error(TARGET, format!("there is no {kind} '{name}' to scale"));
    let of_kind = || {
        world
            .workloads
            .iter()
            .filter(|workload| workload.object.kind == kind)
            .map(|workload| workload.object.name.as_str())
    };
    match similar(name, &mut of_kind()) {
        Some(meant) => finding.help(format!("did you mean '{meant}'?")),
        None => finding.help(format!("there are: {}", of_kind().collect::<Vec<_>>().join(", "))),
    }
}

pub(super) fn ranges(world: &World<'_>) -> Vec<Finding> {
    let above =
        world.scalers.iter().filter(|scaler| scaler.max_field.exists() && scaler.min > scaler.max);
    let finding = |scaler: &Scaler<'_>| {
        scaler
            .max_field
            .error(RANGE, format!("the maximum {} is below the minimum {}", scaler.max, scaler.min))
    };
    above.map(finding).collect()
}

/// Each apply would set the number back to what the file says, against the autoscaler.
pub(super) fn replicas(world: &World<'_>) -> Vec<Finding> {
    if world.is_live() {
        return Vec::new();
    }
    let finding = |workload: &Workload<'_>| {
        let replicas = workload.object.at("spec.replicas");
        let scaler = world.scaler_of(workload.object).filter(|_| replicas.exists())?;
        let message = format!(
            "{} scales this: each apply would set it back to {}",
            scaler.object.title(),
            replicas.scalar().unwrap_or_default()
        );
        Some(replicas.error(REPLICAS, message).help("leave replicas out"))
    };
    world.workloads.iter().filter_map(finding).collect()
}

pub(super) fn metrics(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for scaler in &world.scalers {
        let workload =
            scaler.target.text().and_then(|name| world.workload(scaler.target_kind, name));
        let metrics = scaler.object.at("spec.metrics");
        if scaler.object.kind == "HorizontalPodAutoscaler"
            && metrics.items().is_empty()
            && scaler.object.api_version == "autoscaling/v2"
        {
            findings.push(metrics.warning(
                METRIC,
                "without metrics it goes by 80 % of the CPU request of all containers",
            ));
        }
        let Some(workload) = workload else { continue };
        for metric in metrics.items() {
            findings.extend(of_metric(&metric, workload));
        }
    }
    findings
}

fn of_metric(metric: &Field<'_>, workload: &Workload<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let kind = metric.get("type").text().unwrap_or_default();
    let key = match kind {
        "ContainerResource" => "containerResource",
        "Resource" => "resource",
        _ => return findings,
    };
    let source = metric.get(key);
    if !source.exists() {
        return vec![
            source
                .error(METRIC, format!("a metric of type {kind} says the rest in the field {key}")),
        ];
    }
    let main = || workload.containers.iter().filter(|container| !container.is_init);
    let container = source.get("container");
    let measured: Vec<_> = match container.text() {
        Some(name) => main().filter(|container| container.name == name).collect(),
        None => main().collect(),
    };
    if measured.is_empty() {
        let names: Vec<&str> = main().map(|container| container.name).collect();
        let message = format!(
            "{} has no container '{}'",
            workload.object.title(),
            container.text().unwrap_or_default()
        );
        findings
            .push(container.error(METRIC, message).help(format!("it has: {}", names.join(", "))));
    }
    let target = source.get("target");
    let resource = source.get("name").text().unwrap_or_default();
    let by_share = target.get("type").text() == Some("Utilization");
    for container in measured.iter().filter(|_| by_share) {
        let request = container.field.at("resources.requests").get(resource);
        // a limit without a request counts as both
        let limit = container.field.at("resources.limits").get(resource);
        if !request.exists() && !limit.exists() {
            let message = format!(
                "the autoscaler measures the share of the {resource} request, and there is none: \
                 it can never act"
            );
            findings.push(
                request
                    .error(METRIC, message)
                    .help("set what the unit needs when it works, from a measurement"),
            );
        }
    }
    if by_share && !target.get("averageUtilization").exists() {
        findings.push(
            target
                .get("averageUtilization")
                .error(METRIC, "a target of type Utilization says its percentage here"),
        );
    }
    if target
        .get("averageUtilization")
        .integer()
        .is_some_and(|percent| !(1..=1000).contains(&percent))
    {
        findings.push(
            target.get("averageUtilization").error(METRIC, "this must be a percentage above 0"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found, hpa};

    #[test]
    fn an_autoscaler_fits_what_it_scales() {
        let set = deployment("worker", "resources: {requests: {cpu: 1}}", "");
        for rule in ["scale-target", "scale-range", "scale-metric", "replicas"] {
            assert_eq!(
                found(&(set.clone() + &hpa("worker", "worker", 1, 3)), rule),
                Vec::<String>::new(),
                "{rule}"
            );
        }
        let cases = [
            (set.clone() + &hpa("worke", "worker", 1, 3), "scale-target", "did you mean 'worker'?"),
            (
                set.clone() + &hpa("worker", "worker", 1, 3) + &hpa("worker", "worker", 1, 3),
                "scale-target",
                "undo each other's work",
            ),
            (
                set.clone() + &hpa("worker", "worker", 5, 3),
                "scale-range",
                "maximum 3 is below the minimum 5",
            ),
            (
                set.clone() + &hpa("worker", "other", 1, 3),
                "scale-metric",
                "has no container 'other'",
            ),
            (
                deployment("worker", "", "") + &hpa("worker", "worker", 1, 3),
                "scale-metric",
                "it can never act",
            ),
            (
                set.replace("spec: {selector", "spec: {replicas: 2, selector")
                    + &hpa("worker", "worker", 1, 3),
                "replicas",
                "set it back to 2",
            ),
        ];
        for (text, rule, part) in cases {
            let found = found(&text, rule);
            assert!(found.len() == 1 && found[0].contains(part), "{rule} {part}: {found:?}");
        }
    }
}
