//! KEDA's Kafka trigger against the unit that it scales.

use super::topics::prefix_of;
use crate::broker::{Broker, Way, addresses, follow};
use crate::finding::Finding;
use crate::object::Field;
use crate::world::{Container, Workload, World};

pub(super) const ID: &str = "keda";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let brokers = Broker::all(world);
    let mut findings = Vec::new();
    for scaler in world.scalers.iter().filter(|scaler| scaler.object.kind == "ScaledObject") {
        let target = scaler.target.text().and_then(|name| world.workload(scaler.target_kind, name));
        for trigger in scaler.object.at("spec.triggers").items() {
            if trigger.get("type").text() != Some("kafka") {
                continue;
            }
            findings.extend(of_trigger(&trigger));
            findings.extend(of_broker(world, &brokers, &trigger));
            findings.extend(target.into_iter().flat_map(|target| of_unit(&trigger, target)));
        }
    }
    findings
}

/// What the trigger says by itself.
fn of_trigger(trigger: &Field<'_>) -> Vec<Finding> {
    let metadata = trigger.get("metadata");
    let mut findings = Vec::new();
    let version = metadata.get("version");
    let major = version
        .scalar()
        .and_then(|text| text.split('.').next().and_then(|major| major.parse::<u32>().ok()));
    if major.is_none_or(|major| major < 2) {
        let message = "without a version KEDA speaks the protocol of Kafka 1.0, which Kafka 4 does \
            not any more";
        findings.push(version.error(ID, message).help("e.g. version: 3.6.0"));
    }
    for name in ["bootstrapServers", "consumerGroup", "topic"] {
        let field = metadata.get(name);
        let from_environment = metadata.get(&format!("{name}FromEnv")).exists();
        if !field.exists() && !from_environment && !trigger.get("authenticationRef").exists() {
            findings.push(field.error(ID, "the trigger must say this"));
        }
    }
    findings.extend(
        metadata.entries().into_iter().filter(|(_, field)| field.text().is_none()).map(
            |(_, field)| {
                field
                    .error(ID, "the metadata of a trigger are texts")
                    .help("put the value in quotes")
            },
        ),
    );
    let threshold = metadata.get("lagThreshold");
    if threshold.scalar().is_some_and(|text| text.parse::<i64>().is_ok_and(|lag| lag < 1)) {
        findings.push(threshold.error(ID, "this must be at least 1"));
    }
    findings
}

/// Group and topic are those of the unit.
fn of_unit(trigger: &Field<'_>, target: &Workload<'_>) -> Vec<Finding> {
    let unit =
        |container: &&Container<'_>| container.program.is_some_and(|program| program.is_unit);
    let Some(container) = target.containers.iter().find(unit) else { return Vec::new() };
    let Some(program) = container.program else { return Vec::new() };
    let Some(input) = program.input else {
        let message = format!("{} is in no consumer group: its lag says nothing", program.name);
        return vec![trigger.get("type").error(ID, message).help("scale it by CPU")];
    };
    let metadata = trigger.get("metadata");
    let group = container.setting(input.group).map(|setting| setting.value);
    let topic = prefix_of(container).map(|prefix| format!("{prefix}.{}", input.topic));
    let pairs = [("consumerGroup", group), ("topic", topic)];
    let differs = |(name, expected): (&str, Option<String>)| {
        let field = metadata.get(name);
        let (own, expected) = (field.text()?, expected?);
        let message = format!("this is '{own}', but {} uses '{expected}'", target.object.title());
        (own != expected).then(|| field.error(ID, message))
    };
    pairs.into_iter().filter_map(differs).collect()
}

/// KEDA's operator stands in a namespace of its own: a Service needs its full name, and the
/// listener its protocol.
fn of_broker(world: &World<'_>, brokers: &[Broker<'_>], trigger: &Field<'_>) -> Vec<Finding> {
    let metadata = trigger.get("metadata");
    let servers = metadata.get("bootstrapServers");
    let namespace = &trigger.object.namespace;
    let mut findings = Vec::new();
    for (host, port) in servers.text().map(addresses).unwrap_or_default() {
        if !host.contains('.') && world.find("Service", host, namespace).is_some() {
            let full = format!(
                "{host}.{}:{port}",
                if namespace.is_empty() { "NAMESPACE" } else { namespace }
            );
            findings.push(
                servers
                    .error(
                        ID,
                        format!("KEDA asks from its own namespace, where '{host}' is nobody"),
                    )
                    .help(format!("write {full}")),
            );
        }
        let message = match follow(world, brokers, host, port, namespace) {
            Way::NoService(name) => format!("there is no Service '{name}'"),
            Way::NoPort { service, .. } => format!("the Service '{service}' has no port {port}"),
            Way::NoListener { broker, port } => format!("{broker} does not listen on {port}"),
            Way::Listener { listener, .. } => {
                let security = listener.security.as_deref().unwrap_or_default();
                let sasl = metadata.get("sasl").text().is_some_and(|sasl| sasl != "none");
                if security.starts_with("sasl")
                    && !sasl
                    && !trigger.get("authenticationRef").exists()
                {
                    let field = trigger.get("authenticationRef");
                    findings.push(
                        field.error(ID, format!("the listener {} asks for a login", listener.name)),
                    );
                }
                continue;
            }
            Way::Outside | Way::NoBroker(_) => continue,
        };
        findings.push(servers.error(ID, message));
    }
    findings
}
