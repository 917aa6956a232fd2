//! Replicas against partitions: a partition has one reader of a group, so that more replicas than
//! partitions do nothing.

use super::topics;
use crate::finding::Finding;
use crate::world::{Setting, World};

pub(super) const ID: &str = "partitions";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = differing(world);
    for (workload, container, program) in world.units() {
        let Some(input) = program.input else { continue };
        let made = maker(world).and_then(|maker| maker.partitions);
        let Some(count) = made.or_else(|| partitions(container.setting("MLVI_PARTITIONS"))) else {
            continue;
        };
        let topic = topics::prefix_of(container).map(|prefix| format!("{prefix}.{}", input.topic));
        // a topic of Strimzi has its own number
        let own = topic.as_ref().and_then(|topic| {
            topics::of_strimzi(world).into_iter().find(|(name, _)| name == topic)
        });
        let count = own
            .as_ref()
            .and_then(|(_, object)| object.at("spec.partitions").integer())
            .unwrap_or(count);
        let most = match world.scaler_of(workload.object) {
            Some(scaler) => Some((scaler.max, scaler.max_field.clone())),
            None => workload
                .object
                .at("spec.replicas")
                .integer()
                .map(|replicas| (replicas, workload.object.at("spec.replicas"))),
        };
        if let Some((most, field)) = most.filter(|(most, _)| *most > count) {
            let topic = topic.unwrap_or_else(|| input.topic.to_owned());
            let message = format!(
                "up to {most} replicas share the {count} partitions of {topic}: {} of them get \
                 nothing to do",
                most - count
            );
            findings.push(field.error(ID, message).help(format!(
                "at most {count} here, or a larger MLVI_PARTITIONS; topics that are there already \
                 grow by: mlvi topics create --grow"
            )));
        }
    }
    findings
}

/// What makes the topics, if it stands among the objects.
struct Maker {
    partitions: Option<i64>,
}

fn maker(world: &World<'_>) -> Option<Maker> {
    let (_, container) = world.containers().find(|(_, container)| {
        container.program.is_some() && container.runs(&["topics", "create"])
    })?;
    Some(Maker { partitions: partitions(container.setting("MLVI_PARTITIONS")) })
}

fn partitions(setting: Option<Setting<'_>>) -> Option<i64> {
    setting?.value.parse().ok()
}

/// Whoever finds a topic missing makes it: it must not matter who comes first.
fn differing(world: &World<'_>) -> Vec<Finding> {
    let settings: Vec<(String, Setting<'_>)> = world
        .on_the_bus()
        .filter_map(|(workload, container, _)| {
            Some((workload.object.title(), container.setting("MLVI_PARTITIONS")?))
        })
        .collect();
    let Some((first, expected)) = settings.first() else { return Vec::new() };
    let others = settings.iter().filter(|(_, setting)| setting.value != expected.value);
    let finding = |(title, setting): &(String, Setting<'_>)| {
        let message = format!(
            "{title} has MLVI_PARTITIONS={}, {first} has {}: whichever starts first makes the \
             topics",
            setting.value, expected.value
        );
        setting.field.warning(ID, message).help("set it once for all, in a ConfigMap that all take")
    };
    others.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found, hpa};

    #[test]
    fn no_more_replicas_than_partitions() {
        let set = |partitions: u32| {
            deployment(
                "worker",
                &format!("env: [{{name: MLVI_PARTITIONS, value: '{partitions}'}}]"),
                "",
            )
        };
        let scaler = hpa("worker", "worker", 1, 8);
        assert!(found(&(set(8) + &scaler), "partitions").is_empty());
        let found = found(&(set(6) + &scaler), "partitions");
        assert!(
            found[0].starts_with("error spec.maxReplicas") && found[0].contains("2 of them"),
            "{found:?}"
        );
    }

    #[test]
    fn all_make_topics_alike() {
        let one = |name: &str, partitions: u32| {
            deployment(
                name,
                &format!(
                    "image: worker:1, env: [{{name: MLVI_PARTITIONS, value: '{partitions}'}}]"
                ),
                "",
            )
        };
        assert!(found(&(one("a", 3) + &one("b", 3)), "partitions").is_empty());
        assert_eq!(found(&(one("a", 3) + &one("b", 4)), "partitions").len(), 1);
    }
}
