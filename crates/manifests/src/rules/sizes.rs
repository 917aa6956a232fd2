//! Limits of message sizes: units, topics and brokers must agree.

use super::topics;
use crate::broker::Broker;
use crate::finding::Finding;
use crate::world::World;

pub(super) const ID: &str = "message-size";

/// The properties of a broker that a message must pass, with Kafka's own default in bytes.
const OF_BROKERS: [(&str, u64); 3] = [
    ("message.max.bytes", 1_048_588),
    ("replica.fetch.max.bytes", 1_048_576),
    ("socket.request.max.bytes", 104_857_600),
];

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let needed = world.knowledge.max_message_bytes;
    let mut findings = Vec::new();
    for broker in Broker::all(world) {
        for (property, default) in OF_BROKERS {
            // a larger message still passes with one replica and a smaller fetch size, but slowly
            match broker.bytes(property) {
                Some((bytes, field)) if bytes < needed => findings
                    .push(too_small(field.error(ID, format!("{property} is {bytes}")), needed)),
                None if default < needed => {
                    let place = broker.properties.get("listeners").map(|(_, field)| field);
                    let message =
                        format!("{property} is not set, and Kafka's default is {default}");
                    findings.extend(place.map(|field| too_small(field.error(ID, message), needed)));
                }
                _ => {}
            }
        }
    }
    for (name, topic) in topics::of_strimzi(world) {
        let field = topic.at("spec.config").get("max.message.bytes");
        if let Some(bytes) =
            field.scalar().and_then(|text| text.parse::<u64>().ok()).filter(|bytes| *bytes < needed)
        {
            findings.push(too_small(
                field.error(ID, format!("the limit of {name} is {bytes}")),
                needed,
            ));
        }
    }
    findings
}

fn too_small(mut finding: Finding, needed: u64) -> Finding {
    finding.message += &format!(" bytes: the largest message of a unit has {needed}");
    finding.help(format!("set it to {needed} or more"))
}

#[cfg(test)]
mod tests {
    use crate::testing::{broker, found};

    #[test]
    fn a_broker_takes_the_largest_message() {
        assert!(found(&broker(), "message-size").is_empty());
        let small = broker().replace("message.max.bytes=1000", "message.max.bytes=999");
        assert!(found(&small, "message-size")[0].contains("message.max.bytes is 999"));
    }
}
