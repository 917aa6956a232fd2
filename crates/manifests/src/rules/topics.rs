//! Names of topics: one prefix for all.

use crate::finding::Finding;
use crate::object::Object;
use crate::world::{Container, World};

pub(super) const ID: &str = "topic";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = differing(world);
    let prefixes: Vec<String> =
        world.on_the_bus().filter_map(|(_, container, _)| prefix_of(container)).collect();
    if let Some(prefix) = prefixes.first() {
        findings.extend(made_by_strimzi(world, prefix));
    }
    findings
}

/// Most have the right one: who differs is told.
fn differing(world: &World<'_>) -> Vec<Finding> {
    let settings: Vec<_> = world
        .on_the_bus()
        .filter_map(|(workload, container, _)| {
            Some((workload.object.title(), container.setting("MLVI_TOPIC_PREFIX")?))
        })
        .collect();
    let share = |value: &str| settings.iter().filter(|(_, setting)| setting.value == value).count();
    // the first of those that most have, so that the answer is always the same
    let Some((first, usual)) =
        settings.iter().rev().max_by_key(|(_, setting)| share(&setting.value))
    else {
        return Vec::new();
    };
    let others = settings.iter().filter(|(_, setting)| setting.value != usual.value);
    let finding = |(title, setting): &(String, crate::world::Setting<'_>)| {
        let message = format!(
            "the topics of {title} begin with '{}', those of {first} with '{}': they never meet",
            setting.value, usual.value
        );
        setting
            .field
            .error(ID, message)
            .help("set MLVI_TOPIC_PREFIX once for all, in a ConfigMap that all take")
    };
    others.map(finding).collect()
}

pub(super) fn prefix_of(container: &Container<'_>) -> Option<String> {
    container.setting("MLVI_TOPIC_PREFIX").map(|setting| setting.value)
}

/// The topics that Strimzi makes, by the name that Kafka knows.
pub(super) fn of_strimzi<'a>(world: &World<'a>) -> Vec<(String, &'a Object)> {
    let topics = world.objects.iter().filter(|object| object.kind == "KafkaTopic");
    topics
        .map(|topic| (topic.at("spec.topicName").text().unwrap_or(&topic.name).to_owned(), topic))
        .collect()
}

fn made_by_strimzi(world: &World<'_>, prefix: &str) -> Vec<Finding> {
    let made = of_strimzi(world);
    let Some((_, one)) = made.first() else { return Vec::new() };
    let expected: Vec<String> =
        world.knowledge.topics.iter().map(|topic| format!("{prefix}.{topic}")).collect();
    let missing = expected.iter().filter(|name| !made.iter().any(|(own, _)| own == *name));
    let missing = missing.map(|name| {
        one.root().error(ID, format!("no KafkaTopic makes {name}, beside the others that are made"))
    });
    let idle = made.iter().filter(|(name, _)| !expected.contains(name));
    let idle = idle.map(|(name, topic)| {
        let field = if topic.at("spec.topicName").exists() {
            topic.at("spec.topicName")
        } else {
            topic.at("metadata.name")
        };
        field
            .warning(ID, format!("no unit uses the topic {name}"))
            .help(format!("they use: {}", expected.join(", ")))
    });
    let unowned = made.iter().filter(|(_, topic)| {
        let cluster = topic.at("metadata.labels").get("strimzi.io/cluster");
        cluster.text().is_none_or(|name| world.find("Kafka", name, &topic.namespace).is_none())
    });
    let unowned = unowned.map(|(_, topic)| {
        let label = topic.at("metadata.labels").get("strimzi.io/cluster");
        label.error(
            ID,
            "this must be the name of a Kafka object among these: else no operator makes the topic",
        )
    });
    let compacted = format!("{prefix}.{}", world.knowledge.compacted_topic);
    let forgets = made.iter().filter(|(name, topic)| {
        let cleanup = topic.at("spec.config").get("cleanup.policy");
        *name == compacted && cleanup.text() != Some("compact")
    });
    let forgets = forgets.map(|(name, topic)| {
        let field = topic.at("spec.config");
        field
            .error(ID, format!("{name} must keep what was set, and would delete it by age"))
            .help("set cleanup.policy: compact")
    });
    missing.chain(idle).chain(unowned).chain(forgets).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    #[test]
    fn one_prefix_for_all() {
        let one = |name: &str, prefix: &str| {
            deployment(
                name,
                &format!("image: worker:1, env: [{{name: MLVI_TOPIC_PREFIX, value: {prefix}}}]"),
                "",
            )
        };
        assert!(found(&(one("a", "x") + &one("b", "x")), "topic").is_empty());
        let found = found(&(one("a", "x") + &one("b", "z") + &one("c", "x")), "topic");
        assert!(found.len() == 1 && found[0].contains("Deployment/b begin with 'z'"), "{found:?}");
    }
}
