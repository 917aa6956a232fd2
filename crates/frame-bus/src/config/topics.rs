//! The topics of MLVI: their names and how they are made.

use frame::Topics;
use settings::Settings;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// A topic as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions it has at least; a group cannot have more working members than that.
    pub partitions: i32,
    /// Which messages the broker may delete.
    pub cleanup: Cleanup,
}

/// Which messages of a topic the broker may delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// The oldest ones.
    Delete {
        /// After this time.
        retention: Duration,
        /// When a partition is larger than this, in bytes; `None` leaves it to the broker.
        retention_bytes: Option<u64>,
    },
    /// Those that a later one of the same key replaces.
    Compact {
        /// What is in the file that is written to is not compacted yet: it has no more bytes than
        /// this.
        segment_bytes: u64,
    },
}

/// Reads `MLVI_TOPIC_PREFIX`.
pub fn topics_from_settings(settings: &mut Settings) -> Topics {
    let prefix: Prefix = settings.parsed(
        "MLVI_TOPIC_PREFIX",
        "mlvi",
        "1 to 200 characters out of A-Z a-z 0-9 . _ -",
        "what the names of all topics start with; the same in every unit",
    );
    prefix.0
}

/// Reads `MLVI_PARTITIONS`.
pub fn partitions_from_settings(settings: &mut Settings) -> i32 {
    settings.number(
        "MLVI_PARTITIONS",
        6,
        1..=1000,
        "how many partitions each topic is made with: the most pods of one unit that can share \
         the work",
    )
}

/// How each topic through which frames travel is made when it is not there yet. Retention is by
/// time and by size, so that no disk fills.
#[must_use]
pub fn topic_specs(topics: &Topics, partitions: i32) -> Vec<TopicSpec> {
    let spec = |name: &str, retention: Duration, retention_mib: u64| TopicSpec {
        name: name.into(),
        partitions,
        cleanup: Cleanup::Delete { retention, retention_bytes: Some(retention_mib << 20) },
    };
    vec![
        spec(&topics.frames, HOUR, 1024),
        spec(&topics.frames_edge, HOUR, 1024),
        spec(&topics.frames_cloud, HOUR, 1024),
        // what a night without its database leaves for `results-store`
        spec(&topics.results, 24 * HOUR, 256),
        spec(&topics.dead_letter, 7 * 24 * HOUR, 256),
    ]
}

/// How the topic of settings is made. One partition, so that all changes are in one order; units
/// work without it, on what they were started with.
#[must_use]
pub fn settings_spec(topics: &Topics) -> TopicSpec {
    // the least that Apache Kafka takes
    let cleanup = Cleanup::Compact { segment_bytes: 1 << 20 };
    TopicSpec { name: topics.settings.clone(), partitions: 1, cleanup }
}

/// How each topic is made, that of settings included.
#[must_use]
pub fn all_topic_specs(topics: &Topics, partitions: i32) -> Vec<TopicSpec> {
    let mut specs = topic_specs(topics, partitions);
    specs.push(settings_spec(topics));
    specs
}

struct Prefix(Topics);

impl std::str::FromStr for Prefix {
    type Err = frame::InvalidTopicName;
    fn from_str(prefix: &str) -> Result<Self, Self::Err> {
        Topics::with_prefix(prefix).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_spec() {
        let topics = Topics::default();
        let names: Vec<String> =
            all_topic_specs(&topics, 3).into_iter().map(|spec| spec.name).collect();
        assert_eq!(names, topics.all());
    }

    #[test]
    fn a_prefix_that_kafka_refuses_is_named() {
        let mut settings = Settings::from_pairs([("MLVI_TOPIC_PREFIX", "a b")]);
        topics_from_settings(&mut settings);
        assert!(settings.finish().unwrap_err().to_string().contains("MLVI_TOPIC_PREFIX"));
    }
}
