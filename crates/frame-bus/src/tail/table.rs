//! A small compacted topic as a table: the last value of each key.

use crate::client::handoff::Handoff;
use crate::config::BusConfig;
use crate::error::BusError;
use crate::health::broker::Link;
use crate::message::Message;
use crate::tail::event::Step;
use crate::tail::follow;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use tracing::{debug, warn};

/// A table has no more keys than this; those beyond are passed over.
const MAX_KEYS: usize = 4096;

/// What a [`Table`] has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableEvent {
    /// A key has this value from now on.
    Set {
        /// Which.
        key: String,
        /// Never empty.
        value: Vec<u8>,
        /// Where the message stands: a later one of the same topic has a larger offset.
        offset: i64,
    },
    /// A key has no value any more.
    Removed {
        /// Which.
        key: String,
    },
    /// Everything that was there has been read. Comes again after a topic was made again, and then
    /// keys that it does not have any more were removed before.
    CaughtUp,
}

/// Reads a whole compacted topic and follows it, through outages. While the topic is gone, what it
/// held last counts; one that is made again replaces it. An empty value counts as none. Dropping a
/// table ends it.
#[derive(Debug)]
pub struct Table {
    topic: String,
    handoff: Arc<Handoff<Step>>,
    keys: HashSet<String>,
    /// What the log before held and the new one has not shown yet.
    before: HashSet<String>,
    ready: VecDeque<TableEvent>,
    is_full: bool,
}

impl Table {
    pub(crate) fn start(
        config: &BusConfig,
        link: &Arc<Link>,
        topic: &str,
    ) -> Result<Self, BusError> {
        Ok(Self::over(topic, follow("bus-table", config, link, (topic, None))?))
    }

    fn over(topic: &str, handoff: Arc<Handoff<Step>>) -> Self {
        Self {
            topic: topic.to_owned(),
            handoff,
            keys: HashSet::new(),
            before: HashSet::new(),
            ready: VecDeque::new(),
            is_full: false,
        }
    }

    /// The next event. A broker that is away and a topic that is not there yet are waited for.
    /// Cancel-safe.
    ///
    /// # Errors
    /// Only when the client has failed for good.
    pub async fn recv(&mut self) -> Result<TableEvent, BusError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let step = self.handoff.take().await?;
            self.take_in(step);
        }
    }

    fn take_in(&mut self, step: Step) {
        match step {
            Step::Message(message) => self.message(message),
            Step::CaughtUp => {
                let gone = self.before.drain().map(|key| TableEvent::Removed { key });
                self.ready.extend(gone);
                self.ready.push_back(TableEvent::CaughtUp);
            }
            Step::Anew => self.before.extend(self.keys.drain()),
        }
    }

    fn message(&mut self, message: Message) {
        let Message { key, payload: value, offset, .. } = message;
        let Some(key) = key.and_then(|key| String::from_utf8(key).ok()) else {
            debug!(topic = self.topic, offset, "passed over a message whose key is no text");
            return;
        };
        let was_there = self.before.remove(&key) | self.keys.contains(&key);
        if value.is_empty() {
            self.keys.remove(&key);
            if was_there {
                self.ready.push_back(TableEvent::Removed { key });
            }
            return;
        }
        if !was_there && self.keys.len() >= MAX_KEYS {
            if !std::mem::replace(&mut self.is_full, true) {
                warn!(topic = self.topic, limit = MAX_KEYS, key, "too many keys: passing over it");
            }
            return;
        }
        self.keys.insert(key.clone());
        self.ready.push_back(TableEvent::Set { key, value, offset });
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.handoff.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(key: &str, value: &str, offset: i64) -> Step {
        Step::Message(Message {
            topic: "t".into(),
            partition: 0,
            offset,
            key: Some(key.into()),
            payload: value.into(),
            headers: Vec::new(),
            timestamp_ms: None,
        })
    }

    fn set(key: &str, value: &str, offset: i64) -> TableEvent {
        TableEvent::Set { key: key.into(), value: value.into(), offset }
    }

    fn removed(key: &str) -> TableEvent {
        TableEvent::Removed { key: key.into() }
    }

    #[test]
    fn a_topic_that_is_made_again_replaces_what_was_there() {
        let mut table = Table::over("t", Arc::new(Handoff::new(1)));
        let mut told = |steps: Vec<Step>| {
            steps.into_iter().for_each(|step| table.take_in(step));
            table.ready.drain(..).collect::<Vec<_>>()
        };
        let first = told(vec![
            message("a", "1", 0),
            message("b", "2", 1),
            message("c", "", 2),
            Step::CaughtUp,
            message("b", "", 3),
        ]);
        assert_eq!(first, [set("a", "1", 0), set("b", "2", 1), TableEvent::CaughtUp, removed("b")]);
        assert_eq!(told(vec![Step::Anew, message("d", "4", 0)]), [set("d", "4", 0)]);
        assert_eq!(told(vec![Step::CaughtUp]), [removed("a"), TableEvent::CaughtUp]);
        assert_eq!(told(vec![Step::Anew, message("d", "", 0)]), [removed("d")]);
    }

    #[test]
    fn a_full_table_takes_no_further_keys() {
        let mut table = Table::over("t", Arc::new(Handoff::new(1)));
        for number in 0..MAX_KEYS + 1 {
            table.take_in(message(&number.to_string(), "x", 0));
        }
        assert_eq!(table.ready.len(), MAX_KEYS);
        table.take_in(message("0", "again", 1));
        assert_eq!(table.ready.back(), Some(&set("0", "again", 1)));
    }
}
