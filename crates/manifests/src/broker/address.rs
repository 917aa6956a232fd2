//! Where an address `HOST:PORT` leads inside a namespace.

use super::{Broker, Listener, Pods};
use crate::object::{Field, Object};
use crate::world::World;

/// Where an address leads.
#[derive(Debug)]
pub(crate) enum Way<'b> {
    /// Out of the namespace, or to something that is not among the objects and need not be.
    Outside,
    /// To a Service that is not there.
    NoService(String),
    /// To a Service that has no such port; the ports that it has.
    NoPort { service: String, ports: Vec<i64> },
    /// To a Service that selects no pods of a broker.
    NoBroker(String),
    /// To the pods of a broker that does not listen there.
    NoListener { broker: String, port: i64 },
    /// There.
    Listener { broker: &'b Broker<'b>, listener: &'b Listener },
}

/// The addresses of a list `HOST:PORT,HOST:PORT`.
pub(crate) fn addresses(list: &str) -> Vec<(&str, i64)> {
    let address = |text| {
        str::rsplit_once(text, ':').and_then(|(host, port)| Some((host, port.parse().ok()?)))
    };
    list.split(',').map(str::trim).filter_map(address).collect()
}

/// Follows one address.
pub(crate) fn follow<'b>(
    world: &World<'b>,
    brokers: &'b [Broker<'b>],
    host: &str,
    port: i64,
    namespace: &str,
) -> Way<'b> {
    let Some(names) = inside(world, host, namespace) else { return Way::Outside };
    for broker in brokers {
        let Pods::Strimzi(cluster) = &broker.pods else { continue };
        let own = [format!("{cluster}-kafka-bootstrap"), format!("{cluster}-kafka-brokers")];
        let of_listener = |listener: &&Listener| {
            let external = format!("{cluster}-kafka-{}-bootstrap", listener.name);
            listener.port == port
                && names.iter().any(|name| own.contains(name) || *name == external)
        };
        if let Some(listener) = broker.listeners.iter().find(of_listener) {
            return Way::Listener { broker, listener };
        }
        if names.iter().any(|name| own.contains(name)) {
            return Way::NoListener { broker: broker.title.clone(), port };
        }
    }
    // POD.SERVICE is a name of the Service, also where another one is called as the pod
    let found = names.iter().rev().find_map(|name| world.find("Service", name, namespace));
    let Some(service) = found else { return Way::NoService(names[0].clone()) };
    through(world, brokers, service, port)
}

/// What a host inside of the cluster means.
pub(crate) enum NamedService<'a> {
    /// A Service.
    There(&'a Object),
    /// A Service of this name, which is not there.
    Missing(String),
}

/// The Service that a host of a namespace means; `None` when the host is outside.
pub(crate) fn service_of<'a>(
    world: &World<'a>,
    host: &str,
    namespace: &str,
) -> Option<NamedService<'a>> {
    let names = inside(world, host, namespace)?;
    let found = names.iter().rev().find_map(|name| world.find("Service", name, namespace));
    Some(found.map_or_else(|| NamedService::Missing(names[0].clone()), NamedService::There))
}

fn through<'b>(
    world: &World<'b>,
    brokers: &'b [Broker<'b>],
    service: &Object,
    port: i64,
) -> Way<'b> {
    if service.at("spec.type").text() == Some("ExternalName") {
        return Way::Outside;
    }
    let ports = service.at("spec.ports").items();
    let Some(entry) = ports.iter().find(|entry| entry.get("port").integer() == Some(port)) else {
        let ports = ports.iter().filter_map(|entry| entry.get("port").integer()).collect();
        return Way::NoPort { service: service.name.clone(), ports };
    };
    let selector = service.at("spec.selector");
    if !selector.exists() {
        // its endpoints are made by hand
        return Way::Outside;
    }
    let selected = world.selected(&selector, &service.namespace);
    let is_selected = |broker: &&Broker<'_>| match broker.pods {
        Pods::Workload(place) => {
            selected.iter().any(|workload| std::ptr::eq(*workload, &world.workloads[place]))
        }
        Pods::Strimzi(_) => false,
    };
    let Some(broker) = brokers.iter().find(is_selected) else {
        return Way::NoBroker(service.name.clone());
    };
    let Pods::Workload(place) = broker.pods else { return Way::Outside };
    let ports = world.workloads[place].containers.iter().flat_map(|container| container.ports());
    let target = target_port(entry, port, ports);
    match broker.listeners.iter().find(|listener| Some(listener.port) == target) {
        Some(listener) => Way::Listener { broker, listener },
        None => Way::NoListener { broker: broker.title.clone(), port: target.unwrap_or(port) },
    }
}

/// The number of the pods' port to which a Service's port leads.
fn target_port<'a>(
    entry: &Field<'_>,
    port: i64,
    mut ports: impl Iterator<Item = (Option<&'a str>, i64)>,
) -> Option<i64> {
    let target = entry.get("targetPort");
    match target.text() {
        Some(name) => ports.find(|(own, _)| *own == Some(name)).map(|(_, number)| number),
        None => Some(target.integer().unwrap_or(port)),
    }
}

/// The names of Services that a host can mean; `None` when it is outside.
fn inside(world: &World<'_>, host: &str, namespace: &str) -> Option<Vec<String>> {
    // a pod's own name for itself is no Service
    if host == "localhost" || host.contains(':') || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return None;
    }
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let service = labels.iter().position(|label| *label == "svc");
    let names = match (labels.as_slice(), service) {
        // SERVICE.NAMESPACE.svc, POD.SERVICE.NAMESPACE.svc
        (_, Some(place)) if place >= 2 => {
            if !namespace.is_empty() && labels[place - 1] != namespace {
                return None;
            }
            &labels[..place - 1]
        }
        ([_], _) => &labels[..],
        // SERVICE.NAMESPACE or POD.SERVICE, or a name of the outside
        ([one, two], _) => {
            let known = |name: &str| world.find("Service", name, namespace).is_some();
            if *two != namespace && !known(two) && !known(one) {
                return None;
            }
            &labels[..]
        }
        _ => return None,
    };
    // a pod of a StatefulSet has its own name before the Service's
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    names.truncate(2);
    Some(names)
}
