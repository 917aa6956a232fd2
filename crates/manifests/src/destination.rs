//! Where a URL leads that a program inside of the cluster asks.

use crate::object::Object;
use crate::world::{Workload, World, together};

/// Where a URL leads.
pub(crate) enum Destination<'w, 'a> {
    /// Out of these objects: nobody can say.
    Outside,
    /// To a Service that is not there: its name and namespace.
    NoService(String, String),
    /// To a Service that has no such port.
    NoPort(&'a Object, i64),
    /// To these pods, each with the port of its own.
    Pods(Vec<(&'w Workload<'a>, i64)>),
}

/// Follows `http://HOST:PORT/…`, or `HOST:PORT`, from a namespace.
pub(crate) fn follow<'w, 'a>(world: &'w World<'a>, url: &str, from: &str) -> Destination<'w, 'a> {
    let Some((host, port)) = host_and_port(url) else { return Destination::Outside };
    let Some((name, namespace)) = named(world, host, from) else { return Destination::Outside };
    let Some(service) = world.find("Service", name, namespace) else {
        return Destination::NoService(name.to_owned(), namespace.to_owned());
    };
    let selector = service.at("spec.selector");
    if service.at("spec.type").text() == Some("ExternalName") || !selector.exists() {
        return Destination::Outside;
    }
    let ports = service.at("spec.ports").items();
    let Some(entry) = ports.iter().find(|entry| entry.get("port").integer() == Some(port)) else {
        return Destination::NoPort(service, port);
    };
    let target = entry.get("targetPort");
    let own = |workload: &Workload<'a>| match target.text() {
        // one that no container has is another rule's
        Some(name) => workload
            .main_containers()
            .flat_map(|container| container.ports())
            .find(|(own, _)| *own == Some(name))
            .map(|(_, number)| number),
        None => Some(target.integer().unwrap_or(port)),
    };
    let pods = world.selected(&selector, &service.namespace).into_iter();
    Destination::Pods(pods.filter_map(|workload| Some((workload, own(workload)?))).collect())
}

/// `None` for what is no such address, or has a variable in it.
fn host_and_port(url: &str) -> Option<(&str, i64)> {
    let (standard, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Some(80), rest),
        Some(("https", rest)) => (Some(443), rest),
        Some(_) => return None,
        None => (None, url),
    };
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, standard?),
    };
    let is_name = |one: char| one.is_ascii_alphanumeric() || "-.".contains(one);
    (!host.is_empty() && host.chars().all(is_name)).then_some((host, port))
}

/// The Service's name and namespace that a host means, if the namespace is among the objects.
fn named<'h>(world: &World<'_>, host: &'h str, from: &'h str) -> Option<(&'h str, &'h str)> {
    if host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok() {
        return None;
    }
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let (name, namespace) = match labels.as_slice() {
        [name] => (*name, from),
        [name, namespace] | [name, namespace, "svc", ..] => (*name, *namespace),
        _ => return None,
    };
    let mut all = world.objects.iter();
    // a name of two parts may be one of the outside
    let known = all.any(|object| object.namespace == namespace)
        || (labels.len() == 1 && together(namespace, ""));
    known.then_some((name, namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (url, expected) in [
            ("http://loki:3100/otlp", Some(("loki", 3100))),
            ("http://loki", Some(("loki", 80))),
            ("https://a.b.svc/x", Some(("a.b.svc", 443))),
            ("tempo:4317", Some(("tempo", 4317))),
            ("tempo", None),
            ("${env:HOST}:4317", None),
            ("unix:///run/x", None),
            ("http://:80", None),
        ] {
            assert_eq!(host_and_port(url), expected, "{url}");
        }
    }
}
