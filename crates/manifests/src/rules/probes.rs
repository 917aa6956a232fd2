//! Probes against the admin port of the units.

use super::ports::listed;
use crate::finding::Finding;
use crate::object::Field;
use crate::world::{Container, World};

pub(super) const ID: &str = "probe";

const PROBES: [&str; 3] = ["startupProbe", "readinessProbe", "livenessProbe"];

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let all = world.containers().flat_map(|(_, container)| {
        PROBES.iter().filter_map(|probe| port_name(container, &container.field.get(probe)))
    });
    let units = world
        .units()
        .filter(|(_, container, _)| !container.is_init)
        .flat_map(|(_, container, _)| of_unit(container));
    all.chain(units).collect()
}

/// A name must be that of a port of the same container.
fn port_name(container: &Container<'_>, probe: &Field<'_>) -> Option<Finding> {
    let port = port_of(probe)?;
    let name = port.text()?;
    let ports = container.ports();
    let known = ports.iter().any(|(own, _)| *own == Some(name));
    (!known).then(|| {
        port.error(ID, format!("this container has no port named '{name}'"))
            .help(format!("it has: {}", listed(&ports)))
    })
}

fn port_of<'a>(probe: &Field<'a>) -> Option<Field<'a>> {
    ["httpGet.port", "tcpSocket.port", "grpc.port"]
        .iter()
        .map(|path| probe.at(path))
        .find(Field::exists)
}

fn of_unit(container: &Container<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some((admin, _)) = container.listens("MLVI_ADMIN_LISTEN") else { return findings };
    for name in PROBES {
        let probe = container.field.get(name);
        if !probe.exists() {
            let message = match name {
                "readinessProbe" => "without it a pod gets work before its model is loaded",
                "livenessProbe" => "without it a pod whose loop stands still is never restarted",
                _ => continue,
            };
            let path = if name == "livenessProbe" { "/livez" } else { "/readyz" };
            findings.push(
                probe
                    .warning(ID, message)
                    .help(format!("httpGet: {{path: {path}, port: {admin}}}")),
            );
            continue;
        }
        let get = probe.get("httpGet");
        if !get.exists() {
            continue;
        }
        let number = |port: &Field<'_>| match port.text() {
            Some(name) => container
                .ports()
                .iter()
                .find(|(own, _)| *own == Some(name))
                .map(|(_, number)| *number),
            None => port.integer(),
        };
        let port = get.get("port");
        if number(&port).is_some_and(|number| number != admin) {
            findings.push(port.error(
                ID,
                format!("the unit answers probes on its admin port {admin} (MLVI_ADMIN_LISTEN)"),
            ));
        }
        findings.extend(path(name, &get.get("path")));
    }
    findings
}

fn path(probe: &str, path: &Field<'_>) -> Option<Finding> {
    let text = path.text().unwrap_or("/");
    let wanted = if probe == "livenessProbe" { "/livez" } else { "/readyz" };
    match (probe, text) {
        (_, text) if text == wanted => None,
        ("startupProbe", "/livez") => None,
        ("livenessProbe", "/readyz") => Some(
            path.error(
                ID,
                "a broker that is away makes a unit not ready: asked here, that would \
                restart it in vain",
            )
            .help("ask /livez"),
        ),
        ("readinessProbe", "/livez") => Some(
            path.error(
                ID,
                "/livez answers before the model is loaded and the broker was \
                reached",
            )
            .help("ask /readyz"),
        ),
        _ => Some(
            path.error(ID, format!("the admin port does not answer '{text}'"))
                .help(format!("ask {wanted}")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    #[test]
    fn probes_ask_the_admin_port_for_what_they_mean() {
        let good = "readinessProbe: {httpGet: {path: /readyz, port: admin}}";
        let cases = [
            ("livenessProbe: {httpGet: {path: /livez, port: 9600}}", ""),
            ("livenessProbe: {httpGet: {path: /readyz, port: 9600}}", "livenessProbe.httpGet.path"),
            (
                "livenessProbe: {httpGet: {path: /healthz, port: 9600}}",
                "livenessProbe.httpGet.path",
            ),
            ("livenessProbe: {httpGet: {path: /livez, port: 9601}}", "livenessProbe.httpGet.port"),
            ("livenessProbe: {httpGet: {path: /livez, port: amdin}}", "livenessProbe.httpGet.port"),
            ("imagePullPolicy: Always", "livenessProbe"),
        ];
        for (probe, field) in cases {
            let container =
                format!("ports: [{{name: admin, containerPort: 9600}}], {good}, {probe}");
            let found = found(&deployment("worker", &container, ""), "probe");
            match field {
                "" => assert!(found.is_empty(), "{found:?}"),
                field => {
                    assert!(found.len() == 1 && found[0].contains(field), "{probe}: {found:?}")
                }
            }
        }
    }
}
