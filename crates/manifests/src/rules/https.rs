//! Whether a Service says of a unit's port what the unit speaks there: HTTP, or HTTPS.

use crate::finding::Finding;
use crate::object::Field;
use crate::world::{Container, Workload, World};

pub(super) const ID: &str = "https";

/// Its certificate makes a unit speak HTTPS where it listens by [`LISTEN`].
const CERTIFICATE: &str = "MLVI_TLS_CERT";
const LISTEN: &str = "MLVI_HTTP_LISTEN";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let ports = world.service_ports();
    ports.iter().filter_map(|(entry, workload)| of_port(entry, workload)).collect()
}

fn of_port(entry: &Field<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let container = workload.main_containers().find(|container| leads_to(entry, container))?;
    let is_https = container.variable(CERTIFICATE).is_some();
    let speaks = if is_https { "https" } else { "http" };
    let said = entry.get("appProtocol");
    let title = workload.object.title();
    let finding = match said.text() {
        Some(protocol @ ("http" | "https")) if protocol != speaks => {
            said.error(ID, format!("{title} speaks {speaks} on this port"))
        }
        None if is_https => {
            entry.warning(ID, format!("nothing says that {title} speaks https on this port"))
        }
        _ => return None,
    };
    let set = if is_https { "set" } else { "not set" };
    Some(finding.help(format!("appProtocol: {speaks} ({CERTIFICATE} is {set})")))
}

/// Whether a Service's port is that on which the unit in this container takes requests.
fn leads_to(entry: &Field<'_>, container: &Container<'_>) -> bool {
    let Some((own, _)) = container.listens(LISTEN) else { return false };
    let target = entry.get("targetPort");
    let target = if target.exists() { target } else { entry.get("port") };
    match target.text() {
        Some(name) => container.ports().contains(&(Some(name), own)),
        None => target.integer() == Some(own),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    #[test]
    fn a_service_says_what_its_unit_speaks() {
        let set = |certificate: &str, port: &str| {
            let unit = format!(
                "env: [{{name: MLVI_HTTP_LISTEN, value: '0.0.0.0:5000'}}{certificate}], ports: \
                 [{{name: http, containerPort: 5000}}, {{name: admin, containerPort: 9600}}]"
            );
            deployment("worker", &unit, "")
                + &format!(
                    "---\napiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{selector: \
                     {{app: worker}}, ports: [{port}]}}\n"
                )
        };
        let certificate = ", {name: MLVI_TLS_CERT, value: /etc/tls.crt}";
        for (certificate, port, expected) in [
            ("", "{port: 80, targetPort: http}", None),
            ("", "{port: 80, targetPort: http, appProtocol: http}", None),
            ("", "{port: 80, targetPort: http, appProtocol: https}", Some("error")),
            ("", "{port: 80, targetPort: http, appProtocol: kubernetes.io/ws}", None),
            (certificate, "{port: 443, targetPort: http, appProtocol: https}", None),
            (certificate, "{port: 443, targetPort: 5000, appProtocol: http}", Some("error")),
            (certificate, "{port: 443, targetPort: http}", Some("warning")),
            (certificate, "{port: 9600, targetPort: admin, appProtocol: http}", None),
            (certificate, "{port: 9600, targetPort: 9600}", None),
        ] {
            let found = found(&set(certificate, port), "https");
            let severity = found.first().and_then(|finding| finding.split(' ').next());
            assert_eq!((severity, found.len() < 2), (expected, true), "{port}: {found:?}");
        }
    }
}
