//! Addresses of what watches the suite: where units send traces, where collectors send logs, and
//! where Grafana asks. Each must lead to a Service, and be allowed by the NetworkPolicies.

use super::network::Policies;
use crate::destination::{Destination, follow};
use crate::finding::Finding;
use crate::object::Field;
use crate::world::{Workload, World};
use text::similar;

pub(super) const ID: &str = "endpoint";

/// The variables by which a unit is told where traces go, as OpenTelemetry names them.
const VARIABLES: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let policies = Policies::of(world);
    let mut findings = Vec::new();
    for (workload, container) in world.containers() {
        for variable in VARIABLES.iter().filter_map(|name| container.environment.get(name)) {
            let Some(url) = &variable.value else { continue };
            findings.extend(of_address(world, &policies, workload, &variable.field, url));
        }
    }
    findings
}

/// What is wrong with an address that `workload` asks, and that stands in `field`.
pub(super) fn of_address(
    world: &World<'_>,
    policies: &Policies<'_>,
    workload: &Workload<'_>,
    field: &Field<'_>,
    url: &str,
) -> Vec<Finding> {
    match follow(world, url, &workload.object.namespace) {
        Destination::Outside => Vec::new(),
        Destination::NoService(name, namespace) => {
            let message = format!("'{url}' leads to no Service among these objects");
            let own = |service: &&crate::object::Object| {
                crate::world::together(&service.namespace, &namespace)
            };
            let mut names =
                world.of_kind("Service").filter(own).map(|service| service.name.as_str());
            let finding = field.error(ID, message);
            vec![match similar(&name, &mut names) {
                Some(meant) => finding.help(format!("did you mean '{meant}'?")),
                None => finding.help(format!("add a Service '{name}', or name one that is there")),
            }]
        }
        Destination::NoPort(service, port) => {
            let ports = service.at("spec.ports").items();
            let ports: Vec<String> =
                ports.iter().filter_map(|port| port.get("port").scalar()).collect();
            let message = format!("'{url}': {} has no port {port}", service.title());
            vec![field.error(ID, message).help(format!("it has: {}", ports.join(", ")))]
        }
        Destination::Pods(pods) => pods
            .into_iter()
            .flat_map(|(target, port)| policies.hop(workload, target, port))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    fn set(url: &str) -> String {
        let unit = format!("env: [{{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: '{url}'}}]");
        let own = deployment("collector", "ports: [{name: otlp, containerPort: 14318}]", "")
            .replace("metadata: {name", "metadata: {namespace: seen, name");
        deployment("worker", &unit, "")
            .replace("metadata: {name", "metadata: {namespace: own, name")
            + &own
            + "---\napiVersion: v1\nkind: Service\nmetadata: {name: collector, namespace: seen}\n\
               spec: {selector: {app: collector}, ports: [{port: 4318, targetPort: otlp}]}\n"
    }

    #[test]
    fn an_address_leads_to_a_service_and_its_port() {
        for (url, expected) in [
            ("http://collector.seen:4318", ""),
            ("http://collector.seen.svc.cluster.local:4318/v1/traces", ""),
            ("http://elsewhere.example:4318", ""),
            ("http://10.0.0.1:4318", ""),
            ("http://collector.seen:4317", "no port 4317"),
            ("http://colector.seen:4318", "did you mean 'collector'?"),
            ("http://collector:4318", "leads to no Service"),
        ] {
            let found = found(&set(url), "endpoint");
            assert_eq!(found.len(), usize::from(!expected.is_empty()), "{url}: {found:?}");
            assert!(found.iter().all(|finding| finding.contains(expected)), "{url}: {found:?}");
        }
    }

    #[test]
    fn a_hop_that_is_not_allowed_is_told() {
        let deny = "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
                    metadata: {name: deny, namespace: seen}\nspec: {podSelector: {}, policyTypes: \
                    [Ingress]}\n";
        let set = set("http://collector.seen:4318") + deny;
        let found = found(&set, "network-policy");
        assert!(
            found.len() == 1 && found[0].contains("may not be reached by Deployment/worker"),
            "{found:?}"
        );
    }
}
