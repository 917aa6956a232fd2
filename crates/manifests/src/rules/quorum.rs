//! How the brokers of a quorum find each other.

use crate::broker::{Broker, NamedService, Pods, service_of};
use crate::finding::Finding;
use crate::object::{Field, Object};
use crate::world::{Workload, World};

pub(super) const ID: &str = "broker-quorum";

const VOTERS: &str = "controller.quorum.voters";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for broker in Broker::all(world) {
        let Pods::Workload(place) = broker.pods else { continue };
        let workload = &world.workloads[place];
        let Some((voters, field)) = voters_of(&broker, workload) else { continue };
        let voters: Vec<(&str, i64)> = voters.split(',').filter_map(voter).collect();
        findings.extend(count(workload, voters.len(), &field));
        findings.extend(
            voters
                .iter()
                .filter_map(|(host, port)| unreached(world, workload, host, *port, &field)),
        );
    }
    findings
}

/// The list `ID@HOST:PORT,…`, and where it is set: often in a variable that the properties name as
/// `${env:NAME}`.
fn voters_of<'a>(broker: &Broker<'a>, workload: &Workload<'a>) -> Option<(String, Field<'a>)> {
    let (text, field) = broker.properties.get(VOTERS)?;
    let Some(name) = text.strip_prefix("${env:").and_then(|rest| rest.strip_suffix('}')) else {
        return Some((text.to_owned(), field.clone()));
    };
    let variable =
        workload.containers.iter().find_map(|container| container.environment.get(name))?;
    Some((variable.value.clone()?, variable.field.clone()))
}

fn voter(text: &str) -> Option<(&str, i64)> {
    let (host, port) = text.trim().split_once('@')?.1.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// Fewer brokers than voters lack a majority one day; more of them are no part of it.
fn count(workload: &Workload<'_>, voters: usize, field: &Field<'_>) -> Option<Finding> {
    let replicas = workload.replicas();
    let fits = i64::try_from(voters).is_ok_and(|voters| voters == replicas);
    (workload.object.kind == "StatefulSet" && voters > 0 && !fits).then(|| {
        field
            .error(
                ID,
                format!(
                    "{} has {replicas} pods, and there are {voters} voters",
                    workload.object.title()
                ),
            )
            .help("each pod is a voter, and each voter a pod")
    })
}

fn unreached(
    world: &World<'_>,
    workload: &Workload<'_>,
    host: &str,
    port: i64,
    field: &Field<'_>,
) -> Option<Finding> {
    // a pod knows its own name without asking anybody, and one alone asks for no other
    if workload.replicas() == 1 && workload.has_pod(host) {
        return None;
    }
    let error = |message: String| Some(field.error(ID, format!("{host}: {message}")));
    let service = match service_of(world, host, &workload.object.namespace) {
        None => return None,
        Some(NamedService::Missing(name)) => {
            return error(format!("there is no Service '{name}' among these objects"));
        }
        Some(NamedService::There(service)) => service,
    };
    if !leads_to(service, port) {
        return error(format!("the Service '{}' has no port {port}", service.name));
    }
    if service.at("spec.publishNotReadyAddresses").flag() != Some(true) {
        let finding = error(format!(
            "the Service '{}' shows only pods that are ready, and none is before they find each \
             other",
            service.name
        ));
        return finding.map(|finding| finding.help("publishNotReadyAddresses: true"));
    }
    (service.at("spec.clusterIP").text() == Some("None")).then(|| {
        let message = format!(
            "{host}: a pod that comes back has another address, and name services go on \
                telling the old one for a while"
        );
        field.warning(ID, message).help(
            "a Service for each pod \
            (statefulset.kubernetes.io/pod-name), whose address stays",
        )
    })
}

fn leads_to(service: &Object, port: i64) -> bool {
    service.at("spec.ports").items().iter().any(|entry| entry.get("port").integer() == Some(port))
}

#[cfg(test)]
mod tests {
    use crate::testing::{broker, found};

    fn of_pod(pod: &str, more: &str) -> String {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {pod}}}\nspec: {{{more}\n  \
             selector: {{app: kafka, statefulset.kubernetes.io/pod-name: {pod}}}, ports: [{{name: \
             controller, port: 9093}}]}}\n"
        )
    }

    #[test]
    fn brokers_find_each_other_at_addresses_that_stay() {
        const OPEN: &str = "publishNotReadyAddresses: true,";
        let set = |replicas: u32, voters: &str, services: &str| {
            let broker = broker()
                .replace(
                    "listeners=SITE:",
                    &format!("controller.quorum.voters={voters}\n    listeners=SITE:"),
                )
                .replace(
                    "serviceName: kafka",
                    &format!("serviceName: kafka\n  replicas: {replicas}"),
                );
            found(&(broker + services), "broker-quorum")
        };
        let both = of_pod("kafka-0", OPEN) + &of_pod("kafka-1", OPEN);
        let shy = of_pod("kafka-0", OPEN) + &of_pod("kafka-1", "");
        let headless =
            of_pod("kafka-0", OPEN) + &of_pod("kafka-1", &format!("{OPEN} clusterIP: None,"));
        let two = "0@kafka-0:9093,1@kafka-1.mlvi.svc:9093";
        let cases = [
            (1, "0@kafka-0:9093", "", ""),
            (2, two, both.as_str(), ""),
            (2, "0@one.example.org:9093,1@two.example.org:9093", "", ""),
            (2, two, &of_pod("kafka-0", OPEN), "no Service 'kafka-1'"),
            (2, &two.replace("svc:9093", "svc:9099"), &both, "has no port 9099"),
            (2, two, &shy, "publishNotReadyAddresses"),
            (2, two, &headless, "another address"),
            (3, two, &both, "has 3 pods, and there are 2 voters"),
            (1, "0@kafka-0.kafka.mlvi.svc:9093", "", "shows only pods that are ready"),
        ];
        for (replicas, voters, services, says) in cases {
            let found = set(replicas, voters, services);
            match says {
                "" => assert!(found.is_empty(), "{voters}: {found:?}"),
                _ => assert!(found.len() == 1 && found[0].contains(says), "{voters}: {found:?}"),
            }
        }
    }

    #[test]
    fn voters_may_stand_in_a_variable() {
        let env =
            "image: kafka:4\n        env: [{name: VOTERS, value: '0@kafka-0:9093,1@kafka-1:9093'}]";
        let set = broker()
            .replace(
                "listeners=SITE:",
                "controller.quorum.voters=${env:VOTERS}\n    listeners=SITE:",
            )
            .replace("image: kafka:4", env);
        let found = found(&set, "broker-quorum");
        assert!(
            found.iter().any(|finding| finding.contains("env[0].value")
                && finding.contains("there are 2 voters")),
            "{found:?}"
        );
    }
}
