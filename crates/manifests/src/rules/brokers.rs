//! The addresses of brokers, and what their listeners speak.

use crate::broker::{Broker, Listener, Pods, Way, addresses, follow};
use crate::finding::Finding;
use crate::world::{Container, Setting, World};

pub(super) const ADDRESS: &str = "broker-address";
pub(super) const SECURITY: &str = "broker-security";

pub(super) fn addresses_of_units(world: &World<'_>) -> Vec<Finding> {
    let brokers = Broker::all(world);
    let mut findings = Vec::new();
    let mut reached = Vec::new();
    for (workload, container, _) in world.on_the_bus() {
        let Some(setting) = container.setting("MLVI_BROKERS") else { continue };
        let (mut here, mut outside) = (Vec::new(), Vec::new());
        for (host, port) in addresses(&setting.value) {
            let way = follow(world, &brokers, host, port, &workload.object.namespace);
            let fault = match &way {
                Way::Listener { broker, .. } => {
                    here.push(broker.title.clone());
                    continue;
                }
                Way::Outside => {
                    match brokers.iter().find(|broker| broker.is_known_as(host, world)) {
                        Some(broker) => here.push(broker.title.clone()),
                        None => outside.push(host.to_owned()),
                    }
                    fault_of_outside(host)
                }
                Way::NoService(name) => Some((
                    format!("there is no Service '{name}' among these objects"),
                    services(world),
                )),
                Way::NoPort { service, ports } => {
                    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
                    Some((
                        format!("the Service '{service}' has no port {port}"),
                        format!("it has: {}", ports.join(", ")),
                    ))
                }
                Way::NoBroker(service) => {
                    Some((format!("the Service '{service}' leads to no broker"), services(world)))
                }
                Way::NoListener { broker, port } => {
                    let listeners = brokers
                        .iter()
                        .filter(|own| own.title == *broker)
                        .flat_map(|own| &own.listeners);
                    let listeners: Vec<String> =
                        listeners.map(|own| format!("{} ({})", own.name, own.port)).collect();
                    Some((
                        format!("{broker} does not listen on {port} for clients"),
                        format!("it has: {}", listeners.join(", ")),
                    ))
                }
            };
            findings.extend(fault.map(|(message, help)| {
                setting.field.error(ADDRESS, format!("{host}:{port}: {message}")).help(help)
            }));
        }
        for hosts in [&mut here, &mut outside] {
            hosts.sort_unstable();
            hosts.dedup();
        }
        reached.push(Reached {
            unit: workload.object.title(),
            setting,
            here: here.join(", "),
            outside: outside.join(", "),
        });
    }
    findings.extend(differing(&reached, |reached| &reached.here));
    findings.extend(differing(&reached, |reached| &reached.outside));
    // an operator may have given its brokers any name
    if brokers.iter().all(|broker| matches!(broker.pods, Pods::Workload(_))) {
        findings.extend(apart(&reached));
    }
    findings
}

/// `localhost` in a pod is the pod itself.
fn fault_of_outside(host: &str) -> Option<(String, String)> {
    let own = host == "localhost" || host.starts_with("127.") || host == "::1" || host == "[::1]";
    own.then(|| {
        (
            "this is the pod itself, where no broker runs".into(),
            "set MLVI_BROKERS to the Service of the broker".into(),
        )
    })
}

fn services(world: &World<'_>) -> String {
    let names: Vec<&str> = world.of_kind("Service").map(|service| service.name.as_str()).collect();
    if names.is_empty() {
        "there are no Services among these objects".into()
    } else {
        format!("there are: {}", names.join(", "))
    }
}

/// Where a unit's addresses lead.
struct Reached<'a> {
    unit: String,
    setting: Setting<'a>,
    /// Brokers among the objects.
    here: String,
    /// Hosts that are no Service here.
    outside: String,
}

/// Units at different brokers never meet.
fn differing<'r>(
    reached: &'r [Reached<'_>],
    at: impl Fn(&'r Reached<'_>) -> &'r str,
) -> Vec<Finding> {
    let mut known = reached
        .iter()
        .map(|reached| (reached, at(reached)))
        .filter(|(_, brokers)| !brokers.is_empty());
    let Some((first, usual)) = known.next() else { return Vec::new() };
    known
        .filter(|(_, brokers)| *brokers != usual)
        .map(|(Reached { unit, setting, .. }, brokers)| {
            setting.field.error(
                ADDRESS,
                format!("{unit} goes to {brokers}, {} to {usual}: they never meet", first.unit),
            )
        })
        .collect()
}

/// A name from outside may be another name of a broker here, and nothing here says that it is.
fn apart(reached: &[Reached<'_>]) -> Vec<Finding> {
    let Some(inside) = reached.iter().find(|reached| !reached.here.is_empty()) else {
        return Vec::new();
    };
    let strangers =
        reached.iter().filter(|reached| reached.here.is_empty() && !reached.outside.is_empty());
    strangers
        .map(|Reached { unit, setting, outside, .. }| {
            let message = format!(
                "{unit} goes to {outside}, {} to {}: they meet only if that is another name of the \
                 same broker",
                inside.unit, inside.here
            );
            let help =
                "if it is, let the broker advertise it (advertised.listeners, or a variable of its \
                 container that has the name)";
            setting.field.warning(ADDRESS, message).help(help)
        })
        .collect()
}

pub(super) fn security(world: &World<'_>) -> Vec<Finding> {
    let brokers = Broker::all(world);
    let mut findings = Vec::new();
    for (workload, container, program) in world.on_the_bus() {
        let Some(setting) =
            container.setting("MLVI_BROKERS").filter(|_| program.knows("MLVI_KAFKA_SECURITY"))
        else {
            continue;
        };
        for (host, port) in addresses(&setting.value) {
            if let Way::Listener { listener, .. } =
                follow(world, &brokers, host, port, &workload.object.namespace)
            {
                findings.extend(of_listener(container, listener));
            }
        }
    }
    findings
}

fn of_listener(container: &Container<'_>, listener: &Listener) -> Option<Finding> {
    let own = container.setting("MLVI_KAFKA_SECURITY")?;
    let spoken = listener.security.as_deref()?;
    let at = format!("the listener {} on port {}", listener.name, listener.port);
    if own.value != spoken {
        let message = format!("{at} speaks {spoken}, and MLVI_KAFKA_SECURITY is {}", own.value);
        return Some(
            own.field
                .error(SECURITY, message)
                .help(format!("set MLVI_KAFKA_SECURITY={spoken}, or go to another port")),
        );
    }
    let mechanism = container.setting("MLVI_KAFKA_SASL_MECHANISM")?;
    let offered = spoken.starts_with("sasl") && !listener.mechanisms.is_empty();
    if offered && !listener.mechanisms.contains(&mechanism.value) {
        let message = format!(
            "{at} offers {}, and MLVI_KAFKA_SASL_MECHANISM is {}",
            listener.mechanisms.join(", "),
            mechanism.value
        );
        return Some(mechanism.field.error(SECURITY, message));
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::testing::{broker, deployment, found};

    fn unit(name: &str, brokers: &str, security: &str) -> String {
        let env = format!(
            "env: [{{name: MLVI_BROKERS, value: '{brokers}'}}, {{name: MLVI_KAFKA_SECURITY, value: \
             {security}}}]"
        );
        deployment(name, &format!("image: worker:1, {env}"), "")
    }

    #[test]
    fn an_address_leads_to_a_listener() {
        let cases = [
            ("kafka:9092", ""),
            ("kafka.mlvi.svc.cluster.local:9092", ""),
            ("kafka-0.kafka.mlvi.svc:9092,kafka:9092", ""),
            ("broker.example.com:9094", ""),
            ("kafa:9092", "no Service 'kafa'"),
            ("kafka:9095", "no port 9095"),
            ("kafka:9093", "does not listen on 9093"),
            ("localhost:9092", "the pod itself"),
        ];
        for (address, fault) in cases {
            let found = found(&(broker() + &unit("a", address, "plaintext")), "broker-address");
            match fault {
                "" => assert!(found.is_empty(), "{address}: {found:?}"),
                part => {
                    assert!(found.len() == 1 && found[0].contains(part), "{address}: {found:?}")
                }
            }
        }
    }

    #[test]
    fn units_meet_at_one_broker() {
        let both = |of_a: &str, of_b: &str| {
            let second = format!("---\n{}", broker().replace("kafka", "other"));
            found(
                &(broker()
                    + &second
                    + &unit("a", of_a, "plaintext")
                    + &unit("b", of_b, "plaintext")),
                "broker-address",
            )
        };
        for (of_a, of_b) in
            [("kafka:9092", "other:9092"), ("one.example.com:9092", "two.example.com:9092")]
        {
            let found = both(of_a, of_b);
            assert!(found.len() == 1 && found[0].contains("they never meet"), "{found:?}");
        }
        let nodes =
            ("a.example.com:9092,b.example.com:9092", "b.example.com:9092,a.example.com:9092");
        for (of_a, of_b) in [("kafka:9092", "kafka.mlvi.svc:9092"), nodes] {
            assert_eq!(both(of_a, of_b), Vec::<String>::new());
        }
    }

    #[test]
    fn an_outside_name_is_that_of_the_broker_that_advertises_it() {
        let units =
            unit("a", "kafka:9092", "plaintext") + &unit("b", "kafka.example.com:9094", "sasl_ssl");
        let apart = found(&(broker() + &units), "broker-address");
        assert!(
            apart.len() == 1
                && apart[0].starts_with("warning")
                && apart[0].contains("kafka.example.com"),
            "{apart:?}"
        );
        let listeners = "listeners=SITE:";
        let advertised = format!(
            "advertised.listeners=SITE://kafka:9092,CLOUD://kafka.example.com:9094\n    {listeners}"
        );
        let environment = "image: kafka:4\n        env: [{name: OUTSIDE, value: \
            'CLOUD://kafka.example.com:9094'}]";
        for broker in [
            broker().replace(listeners, &advertised),
            broker().replace("image: kafka:4", environment),
        ] {
            assert_eq!(found(&(broker + &units), "broker-address"), Vec::<String>::new());
        }
        let operated = "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {name: site}\n\
             spec: {kafka: {listeners: [{name: tls, port: 9093, type: internal, tls: true}]}}\n";
        let both = |of_a: &str, of_b: &str| {
            let units = unit("a", of_a, "ssl") + &unit("b", of_b, "ssl");
            found(&(operated.to_owned() + &units), "broker-address")
        };
        assert_eq!(
            both("site-kafka-bootstrap:9093", "kafka.example.com:9094"),
            Vec::<String>::new()
        );
        let two = both("one.example.com:9094", "two.example.com:9094");
        assert!(two.len() == 1 && two[0].contains("they never meet"), "{two:?}");
    }

    #[test]
    fn a_listener_speaks_one_protocol() {
        let set =
            |port: u32, security: &str| broker() + &unit("a", &format!("kafka:{port}"), security);
        assert!(found(&set(9092, "plaintext"), "broker-security").is_empty());
        assert!(found(&set(9094, "sasl_ssl"), "broker-security").is_empty());
        assert!(found(&set(9094, "plaintext"), "broker-security")[0].contains("speaks sasl_ssl"));
    }
}
