//! Receiving through a bus.

use crate::bus::Bus;
use crate::client::blocking;
use crate::error::BusError;
use crate::message::Message;
use crate::receive::consumer::{Consumer, ConsumerOptions};
use crate::receive::message_at::Place;
use crate::tail::Tail;
use crate::tail::table::Table;
use crate::takes::tracker::Followed;
use std::sync::Arc;

impl Bus {
    /// Joins a consumer group. Never waits for the broker.
    ///
    /// # Errors
    /// When the client refuses its configuration.
    pub fn consumer(&self, options: ConsumerOptions) -> Result<Consumer, BusError> {
        self.join(options, Followed::Nothing)
    }

    /// The same, with notes of what was taken up without an end.
    pub(crate) fn join(
        &self,
        options: ConsumerOptions,
        followed: Followed,
    ) -> Result<Consumer, BusError> {
        Consumer::join(&self.inner.config, &self.inner.link, options, followed)
    }

    /// Reads all partitions of a topic from `since` on, by the messages' own timestamps, and
    /// follows them; without a group, so that every process that does this sees every message.
    /// Never waits for the broker.
    ///
    /// # Errors
    /// When the client refuses its configuration.
    pub fn tail(&self, topic: &str, since: frame::Timestamp) -> Result<Tail, BusError> {
        Tail::start(&self.inner.config, &self.inner.link, topic, since)
    }

    /// Reads a small compacted topic as a table, and follows it; without a group. Never waits for
    /// the broker. The unit can do without this topic: one that is not there or may not be read or
    /// written is named in a warning, and does not make [`Bus::state`] an error.
    ///
    /// # Errors
    /// When the client refuses its configuration.
    pub fn table(&self, topic: &str) -> Result<Table, BusError> {
        self.inner.link.can_do_without(topic);
        Table::start(&self.inner.config, &self.inner.link, topic)
    }

    /// The message at this place, or `None` when there is none there (any more). Reads of one bus
    /// come one after the other.
    ///
    /// # Errors
    /// [`BusError::BrokerAway`] when it does not answer within ten seconds.
    pub async fn read_one(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<Option<Message>, BusError> {
        self.reachable().await?;
        let inner = Arc::clone(&self.inner);
        let place = Place { topic: topic.to_owned(), partition, offset };
        blocking(move || inner.clients.reader.read(&inner.config, &inner.link, &place)).await
    }
}
