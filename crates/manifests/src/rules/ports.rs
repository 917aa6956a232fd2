//! Ports of Services, Ingresses, monitors and containers.

use crate::finding::Finding;
use crate::object::{Field, Object};
use crate::world::{Container, Workload, World};

pub(super) const ID: &str = "port";

/// The variables by which a unit is told where to listen.
pub(super) const LISTENS: [&str; 2] = ["MLVI_HTTP_LISTEN", "MLVI_ADMIN_LISTEN"];

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let services = world.service_ports();
    let services = services.iter().filter_map(|(entry, workload)| of_service(entry, workload));
    let ingresses = world.of_kind("Ingress").flat_map(|ingress| of_ingress(world, ingress));
    let monitors = world.objects.iter().flat_map(|object| of_monitor(world, object));
    let containers = world.units().flat_map(|(_, container, _)| of_container(container));
    let names = world.workloads.iter().flat_map(of_names);
    services.chain(ingresses).chain(monitors).chain(containers).chain(names).collect()
}

fn of_service(entry: &Field<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let target = entry.get("targetPort");
    let port = if target.exists() { target } else { entry.get("port") };
    let known: Vec<(Option<&str>, i64)> = served(workload);
    let there = match port.text() {
        Some(name) => known.iter().any(|(own, _)| *own == Some(name)),
        None => known.iter().any(|(_, own)| Some(*own) == port.integer()),
    };
    let message = || {
        let title = workload.object.title();
        format!("no container of {title} has the port {}", port.scalar().unwrap_or_default())
    };
    (!there).then(|| port.error(ID, message()).help(format!("it has: {}", listed(&known))))
}

/// What the containers declare, and where our units listen even if they do not declare it.
fn served<'a>(workload: &Workload<'a>) -> Vec<(Option<&'a str>, i64)> {
    let containers = workload.containers.iter().filter(|container| !container.is_init);
    let mut ports: Vec<_> = containers.clone().flat_map(Container::ports).collect();
    for container in containers {
        let listens =
            LISTENS.iter().filter_map(|variable| container.listens(variable)).map(|(port, _)| port);
        for port in listens {
            if !ports.iter().any(|(_, own)| *own == port) {
                ports.push((None, port));
            }
        }
    }
    ports
}

pub(super) fn listed(ports: &[(Option<&str>, i64)]) -> String {
    let one = |(name, number): &(Option<&str>, i64)| {
        name.map_or(number.to_string(), |name| format!("{name} ({number})"))
    };
    if ports.is_empty() {
        "none".into()
    } else {
        ports.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

fn of_ingress(world: &World<'_>, ingress: &Object) -> Vec<Finding> {
    let paths = ingress.root().each("spec.rules[].http.paths[].backend.service");
    let finding = |backend: Field<'_>| {
        let service = world.find("Service", backend.get("name").text()?, &ingress.namespace)?;
        let (number, name) = (backend.at("port.number"), backend.at("port.name"));
        let ports = service.at("spec.ports").items();
        let fits = |port: &Field<'_>| match name.text() {
            Some(name) => port.get("name").text() == Some(name),
            None => port.get("port").integer() == number.integer(),
        };
        let message = || format!("{} has no such port", service.title());
        (!ports.iter().any(fits)).then(|| backend.get("port").error(ID, message()))
    };
    paths.into_iter().filter_map(finding).collect()
}

fn of_monitor(world: &World<'_>, object: &Object) -> Vec<Finding> {
    let (pattern, selector) = match object.kind.as_str() {
        "ServiceMonitor" => ("spec.endpoints[].port", object.at("spec.selector")),
        "PodMonitor" => ("spec.podMetricsEndpoints[].port", object.at("spec.selector")),
        _ => return Vec::new(),
    };
    let names: Vec<&str> = if object.kind == "PodMonitor" {
        let pods = world.selected(&selector, &object.namespace);
        pods.iter().flat_map(|workload| served(workload)).filter_map(|(name, _)| name).collect()
    } else {
        let fits = |service: &&Object| {
            crate::labels::fit(&selector, &crate::labels::of(&service.at("metadata.labels")))
        };
        let services: Vec<&Object> = world.of_kind("Service").filter(fits).collect();
        services
            .iter()
            .flat_map(|service| service.root().each("spec.ports[].name"))
            .filter_map(|name| name.text())
            .collect()
    };
    // a selector that fits nothing is another rule's
    if names.is_empty() {
        return Vec::new();
    }
    let absent = object
        .root()
        .each(pattern)
        .into_iter()
        .filter(|port| port.text().is_some_and(|port| !names.contains(&port)));
    absent
        .map(|port| {
            port.error(ID, "what this monitor selects has no port of this name")
                .help(format!("there are: {}", names.join(", ")))
        })
        .collect()
}

/// A port that a unit declares without listening there.
fn of_container(container: &Container<'_>) -> Vec<Finding> {
    let listens: Vec<i64> = LISTENS
        .iter()
        .filter_map(|variable| container.listens(variable))
        .map(|(port, _)| port)
        .collect();
    if listens.is_empty() {
        return Vec::new();
    }
    let ports = container.field.each("ports[].containerPort").into_iter();
    let idle = ports.filter(|port| port.integer().is_some_and(|port| !listens.contains(&port)));
    let own = listens.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    idle.map(|port| port.error(ID, format!("the unit does not listen here: it listens on {own}")))
        .collect()
}

/// Names of ports are those of a whole pod.
fn of_names(workload: &Workload<'_>) -> Vec<Finding> {
    let names = workload.pod.each("containers[].ports[].name");
    let twice = |(place, name): (usize, &Field<'_>)| {
        let before = names[..place].iter().any(|other| other.text() == name.text());
        (name.exists() && before).then(|| name.error(ID, "two ports of this pod have this name"))
    };
    let long = |name: &Field<'_>| {
        name.text()
            .filter(|text| text.len() > 15)
            .map(|_| name.error(ID, "a port's name has at most 15 characters"))
    };
    names.iter().enumerate().filter_map(twice).chain(names.iter().filter_map(long)).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    #[test]
    fn a_service_leads_to_a_port_of_its_pods() {
        let service = |target: &str| {
            format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{selector: \
                 {{app: worker}}, ports: [{{port: 80, targetPort: {target}}}]}}\n"
            )
        };
        let set = deployment("worker", "ports: [{name: http, containerPort: 9600}]", "");
        for (target, faults) in [("http", 0), ("9600", 0), ("web", 1), ("8080", 1)] {
            assert_eq!(found(&(set.clone() + &service(target)), "port").len(), faults, "{target}");
        }
    }

    #[test]
    fn a_unit_declares_the_ports_on_which_it_listens() {
        let found = found(&deployment("worker", "ports: [{containerPort: 9601}]", ""), "port");
        assert!(found[0].contains("listens on 9600"), "{found:?}");
    }
}
