//! What the client's own log lines tell about the logs of topics.
//!
//! A topic that was deleted and made again has another id, but rdkafka shows ids nowhere else, and
//! librdkafka goes on at the old offset in the new log. Likewise only a line says that a position
//! was not in the log any more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a client is asked to tell in its log, so that [`LogWatch`] learns topics' ids.
pub(crate) const NEEDED_LINES: &str = "metadata";
/// How librdkafka writes the id of a topic that it does not know yet, or that a broker before 2.8
/// does not tell.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// What was seen of the topics of one receiver; it outlives the receiver's client, and clones share
/// it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogWatch(Arc<Mutex<Observed>>);

#[derive(Debug, Default)]
struct Observed {
    ids: HashMap<String, String>,
    made_again: BTreeSet<String>,
    /// For a topic's partition, the position that was not in its log.
    out_of_range: BTreeMap<(String, i32), i64>,
}

impl LogWatch {
    /// Reads a log line; most tell nothing.
    pub(crate) fn note(&self, facility: &str, line: &str) {
        let words = line
            .split_once("]: ")
            .filter(|_| line.starts_with('['))
            .map_or(line, |(_, words)| words);
        match facility {
            "METADATA" => {
                if let Some((topic, id)) = changed_id(words) {
                    self.lock().has_id(topic, id);
                }
            }
            "OFFSET" => {
                if let Some((topic, partition, position)) = out_of_range(words) {
                    self.lock().out_of_range.insert((topic.to_owned(), partition), position);
                }
            }
            _ => {}
        }
    }

    /// Whether the topic has another log than before; says so once.
    pub(crate) fn take_made_again(&self, topic: &str) -> bool {
        let mut seen = self.lock();
        let again = seen.made_again.remove(topic);
        if again {
            seen.out_of_range.retain(|(name, _), _| name != topic);
        }
        again
    }

    /// Partitions of the topic, each with the position that was not in its log; says so once.
    pub(crate) fn take_out_of_range(&self, topic: &str) -> Vec<(i32, i64)> {
        let found = self
            .lock()
            .out_of_range
            .extract_if(.., |(name, _), _| name == topic)
            .collect::<Vec<_>>();
        found.into_iter().map(|((_, partition), position)| (partition, position)).collect()
    }

    /// The topic is gone; should it come again, the receiver begins anew anyway.
    pub(crate) fn forget(&self, topic: &str) {
        let mut seen = self.lock();
        seen.ids.remove(topic);
        seen.made_again.remove(topic);
        seen.out_of_range.retain(|(name, _), _| name != topic);
    }

    fn lock(&self) -> MutexGuard<'_, Observed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observed {
    fn has_id(&mut self, topic: &str, id: &str) {
        if id == NO_ID {
            return;
        }
        let before = self.ids.insert(topic.to_owned(), id.to_owned());
        if before.is_some_and(|before| before != id) {
            self.made_again.insert(topic.to_owned());
        }
    }
}

/// `Topic NAME changed id from ID to ID`
fn changed_id(words: &str) -> Option<(&str, &str)> {
    let (topic, ids) = words.strip_prefix("Topic ")?.split_once(" changed id from ")?;
    Some((topic, ids.split_once(" to ")?.1.trim()))
}

/// `NAME [PARTITION]: offset reset (at offset POSITION (leader epoch N), broker N) to ...`
fn out_of_range(words: &str) -> Option<(&str, i32, i64)> {
    let (place, rest) = words.split_once("]: offset reset (at offset ")?;
    let (topic, partition) = place.split_once(" [")?;
    let position = rest.split([' ', ',', ')']).next()?;
    Some((topic, partition.parse().ok()?, position.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_id_is_another_log() {
        let watch = LogWatch::default();
        let line = |from: &str, to: &str| {
            watch.note("METADATA", &format!("[thrd:main]: Topic t changed id from {from} to {to}"))
        };
        line(NO_ID, "one");
        assert!(!watch.take_made_again("t"), "the first id that is seen");
        // a fresh client knows none
        line(NO_ID, "one");
        line("one", NO_ID);
        assert!(!watch.take_made_again("t"));
        line(NO_ID, "two");
        assert!(!watch.take_made_again("another"));
        assert!(watch.take_made_again("t"));
        assert!(!watch.take_made_again("t"), "said once");
        watch.forget("t");
        line("two", "three");
        assert!(!watch.take_made_again("t"), "whoever has forgotten the topic begins anew anyway");
    }

    #[test]
    fn a_position_that_is_not_in_the_log_is_seen() {
        let watch = LogWatch::default();
        let line = "[thrd:main]: a.b [3]: offset reset (at offset 100 (leader epoch 2), broker 1) \
                    to offset BEGINNING (leader epoch -1): fetch failed due to requested offset \
                    not available on the broker: Broker: Offset out of range";
        watch.note("OFFSET", line);
        watch.note(
            "OFFSET",
            "[thrd:main]: c [0]: offset reset (at offset INVALID (leader epoch -1), broker 1) to \
             offset BEGINNING",
        );
        assert_eq!(watch.take_out_of_range("c"), []);
        assert_eq!(watch.take_out_of_range("a.b"), [(3, 100)]);
        assert_eq!(watch.take_out_of_range("a.b"), []);
    }
}
