//! The settings of a topic: which are understood, and what they mean for its logs.

use crate::config::{BrokerConfig, FsyncPolicy};
use crate::log::LogOptions;
use std::collections::BTreeMap;
use uuid::Uuid;

const RETENTION_BYTES: &str = "retention.bytes";
const RETENTION_MS: &str = "retention.ms";
const SEGMENT_BYTES: &str = "segment.bytes";
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
const CLEANUP_POLICY: &str = "cleanup.policy";
const COMPACT: &str = "compact";
const DELETE: &str = "delete";

/// Settings that clients like to send and the one value of each that describes this broker.
const FIXED: [(&str, &str); 5] = [
    ("compression.type", "producer"),
    ("message.format.version", "3.0-IV1"),
    ("message.timestamp.type", "CreateTime"),
    ("min.insync.replicas", "1"),
    ("unclean.leader.election.enable", "false"),
];

/// A setting that the broker cannot follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}={value}: {reason}")]
pub(crate) struct InvalidConfig {
    name: String,
    value: String,
    reason: &'static str,
}

/// What a topic says of itself; what it does not say is the broker's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TopicConfig {
    /// Whether the last record of each key is kept, and nothing else; else records are kept by age
    /// and size.
    compact: Option<bool>,
    overrides: BTreeMap<&'static str, i64>,
}

/// One setting as it counts for a topic.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Whether the topic says so itself.
    pub(crate) overridden: bool,
    /// Whether the value is a number.
    pub(crate) numeric: bool,
}

impl TopicConfig {
    /// Takes one setting. `None` as value means the default.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), InvalidConfig> {
        let Some(value) = value else { return Ok(()) };
        let invalid = |reason| InvalidConfig { name: name.into(), value: value.into(), reason };
        if let Some((_, only)) = FIXED.iter().find(|(fixed, _)| *fixed == name) {
            return if value == *only {
                Ok(())
            } else {
                Err(invalid("this broker knows no other value than its default"))
            };
        }
        if name == CLEANUP_POLICY {
            self.compact = match value {
                COMPACT => Some(true),
                DELETE => Some(false),
                _ => return Err(invalid("this broker knows compact and delete, one of them")),
            };
            return Ok(());
        }
        let (name, smallest) = match name {
            RETENTION_BYTES => (RETENTION_BYTES, -1),
            RETENTION_MS => (RETENTION_MS, -1),
            SEGMENT_BYTES => (SEGMENT_BYTES, 1024),
            MAX_MESSAGE_BYTES => (MAX_MESSAGE_BYTES, 0),
            _ => return Err(invalid("this broker does not know this setting")),
        };
        let number: i64 = value.parse().map_err(|_| invalid("not a whole number"))?;
        if number < smallest || (name == SEGMENT_BYTES && number > 1 << 30) {
            return Err(invalid("out of range"));
        }
        self.overrides.insert(name, number);
        Ok(())
    }

    /// How the logs of the topic are kept.
    pub(crate) fn log_options(&self, broker: &BrokerConfig, topic_id: Uuid) -> LogOptions {
        let get = |name| self.overrides.get(name).copied();
        let limit = broker.max_message_bytes;
        LogOptions {
            segment_bytes: get(SEGMENT_BYTES)
                .map_or(broker.segment_bytes, |bytes| u64::try_from(bytes).unwrap_or(u64::MAX)),
            retention_bytes: get(RETENTION_BYTES)
                .map_or(broker.retention_bytes, |bytes| u64::try_from(bytes).ok()),
            retention_ms: match get(RETENTION_MS) {
                Some(ms) => (ms >= 0).then_some(ms),
                None => {
                    broker.retention.map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
                }
            },
            max_batch_bytes: get(MAX_MESSAGE_BYTES)
                .map_or(limit, |bytes| usize::try_from(bytes).unwrap_or(limit).min(limit)),
            sync_each_append: broker.fsync == FsyncPolicy::EveryAppend,
            topic_id,
            compact: self.is_compacted(),
        }
    }

    /// Whether the last record of each key is kept, and nothing else.
    pub(crate) fn is_compacted(&self) -> bool {
        self.compact.unwrap_or(false)
    }

    /// Every setting, as it counts.
    pub(crate) fn describe(&self, broker: &BrokerConfig) -> Vec<Setting> {
        let options = self.log_options(broker, Uuid::nil());
        let unlimited = |limit: Option<i64>| limit.unwrap_or(-1).to_string();
        let retention_bytes =
            options.retention_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let numbers = [
            (MAX_MESSAGE_BYTES, options.max_batch_bytes.to_string()),
            (RETENTION_BYTES, unlimited(retention_bytes)),
            (RETENTION_MS, unlimited(options.retention_ms)),
            (SEGMENT_BYTES, options.segment_bytes.to_string()),
        ];
        let numbers = numbers.into_iter().map(|(name, value)| Setting {
            name,
            value,
            overridden: self.overrides.contains_key(name),
            numeric: true,
        });
        let fixed = FIXED.iter().map(|(name, value)| Setting {
            name,
            value: (*value).into(),
            overridden: false,
            numeric: false,
        });
        let cleanup = Setting {
            name: CLEANUP_POLICY,
            value: if self.is_compacted() { COMPACT } else { DELETE }.into(),
            overridden: self.compact.is_some(),
            numeric: false,
        };
        numbers.chain([cleanup]).chain(fixed).collect()
    }

    /// What the topic says itself, for writing it down.
    pub(crate) fn overrides(&self) -> impl Iterator<Item = (&'static str, String)> {
        let cleanup = self
            .compact
            .map(|compact| (CLEANUP_POLICY, if compact { COMPACT } else { DELETE }.into()));
        let numbers = self.overrides.iter().map(|(name, value)| (*name, value.to_string()));
        numbers.chain(cleanup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_topic_win_over_the_brokers() {
        let broker = BrokerConfig::new("unused");
        let mut config = TopicConfig::default();
        config.set("retention.ms", Some("-1")).unwrap();
        config.set("retention.bytes", Some("1000")).unwrap();
        config.set("max.message.bytes", Some("99999999999")).unwrap();
        config.set("cleanup.policy", Some("delete")).unwrap();
        assert!(!config.is_compacted());
        config.set("cleanup.policy", Some("compact")).unwrap();
        let options = config.log_options(&broker, Uuid::nil());
        assert!(options.compact);
        assert_eq!(options.retention_ms, None);
        assert_eq!(options.retention_bytes, Some(1000));
        assert_eq!(
            options.max_batch_bytes, broker.max_message_bytes,
            "a topic cannot take more than the broker"
        );
        assert_eq!(options.segment_bytes, broker.segment_bytes);
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for (name, value) in [
            ("cleanup.policy", "compact,delete"),
            ("retention.ms", "soon"),
            ("segment.bytes", "1"),
            ("flush.ms", "1"),
        ] {
            assert!(TopicConfig::default().set(name, Some(value)).is_err(), "{name}={value}");
        }
    }
}
