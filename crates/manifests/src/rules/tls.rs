//! The versions of TLS that a broker speaks.

use crate::broker::{Broker, Listener};
use crate::finding::Finding;
use crate::world::World;

pub(super) const ID: &str = "broker-tls";

/// Those that nobody should speak any more (RFC 8996).
const OLD: [&str; 5] = ["SSLv2Hello", "SSLv2", "SSLv3", "TLSv1", "TLSv1.1"];
const PROTOCOLS: &str = "ssl.enabled.protocols";
const HELP: &str = "ssl.enabled.protocols=TLSv1.3,TLSv1.2";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    Broker::all(world).iter().flat_map(of_broker).collect()
}

fn of_broker(broker: &Broker<'_>) -> Vec<Finding> {
    let speaks_tls = |listener: &&Listener| {
        listener.security.as_deref().is_some_and(|security| security.ends_with("ssl"))
    };
    let mut findings = Vec::new();
    for listener in broker.listeners.iter().filter(speaks_tls) {
        let own = format!("listener.name.{}.{PROTOCOLS}", listener.name.to_lowercase());
        let Some((versions, field)) =
            broker.properties.get(&own).or_else(|| broker.properties.get(PROTOCOLS))
        else {
            let message = format!(
                "the oldest TLS that {} speaks is what its Java allows: {PROTOCOLS} is not set",
                listener.name
            );
            // an operator's broker has no such line, and the operator its own choice
            let place = broker.properties.get("listeners").map(|(_, field)| field);
            findings.extend(place.map(|field| field.warning(ID, message).help(HELP)));
            continue;
        };
        let old: Vec<&str> =
            versions.split(',').map(str::trim).filter(|version| OLD.contains(version)).collect();
        if !old.is_empty() {
            let message =
                format!("{} speaks {}, which is not safe any more", listener.name, old.join(", "));
            findings.push(field.error(ID, message).help(HELP));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::testing::{broker, found};

    #[test]
    fn the_oldest_version_is_said_and_is_not_too_old() {
        let cases = [
            ("", "warning", "is not set"),
            ("ssl.enabled.protocols=TLSv1.3,TLSv1.2", "", ""),
            ("listener.name.cloud.ssl.enabled.protocols=TLSv1.3", "", ""),
            ("ssl.enabled.protocols=TLSv1.2, TLSv1.1", "error", "CLOUD speaks TLSv1.1,"),
            ("listener.name.site.ssl.enabled.protocols=TLSv1.3", "warning", "is not set"),
        ];
        for (line, severity, says) in cases {
            let set = broker().replace(
                "message.max.bytes=1000\n    replica",
                &format!("{line}\n    message.max.bytes=1000\n    replica"),
            );
            let found = found(&set, "broker-tls");
            match severity {
                "" => assert!(found.is_empty(), "{line}: {found:?}"),
                _ => assert!(
                    found.len() == 1 && found[0].starts_with(severity) && found[0].contains(says),
                    "{line}: {found:?}"
                ),
            }
        }
    }
}
