//! Where to go on in a log that does not hold our position any more.

use crate::error::BusError;
use crate::error::codes::unanswered;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::time::Duration;
use tracing::warn;

/// Messages carry their senders' times: so far apart are clocks, and so long may a message be under
/// way.
const MARGIN_MS: i64 = 60_000;

/// How far each partition was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    partitions: HashMap<i32, Reached>,
}

/// How far one partition was read.
#[derive(Clone, Copy, Debug)]
struct Reached {
    /// The offset after the last message.
    next: i64,
    /// The latest time that a message had, in milliseconds since the epoch.
    latest_ms: Option<i64>,
}

impl Read {
    /// A message was read. `Some` with the position that we were at before when that lies behind
    /// this message: then the log was cut, and the client has gone back by itself.
    pub(crate) fn message(
        &mut self,
        partition: i32,
        offset: i64,
        time_ms: Option<i64>,
    ) -> Option<i64> {
        let before = self.partitions.get(&partition).copied();
        let latest_ms = before.and_then(|before| before.latest_ms).max(time_ms);
        self.partitions.insert(partition, Reached { next: offset + 1, latest_ms });
        before.map(|before| before.next).filter(|next| offset < *next)
    }

    /// The next message of this partition may have any offset; the times stay known.
    pub(crate) fn begins_anew(&mut self, partition: i32) {
        if let Some(reached) = self.partitions.get_mut(&partition) {
            reached.next = 0;
        }
    }

    /// Nothing was read.
    pub(crate) fn clear(&mut self) {
        self.partitions.clear();
    }

    fn latest_ms(&self, partition: i32) -> Option<i64> {
        self.partitions.get(&partition).and_then(|reached| reached.latest_ms)
    }
}

/// Finds where to go on in a partition that does not hold `position`, and says what happened, with
/// numbers. Blocks.
///
/// What lies before the place that this gives was read before, or is lost: without leader epochs a
/// client cannot tell what a cut log held and what was written since, so that the times of messages
/// must do. Whoever has read nothing goes back to the beginning; some messages come twice.
pub(crate) fn after_cut<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    read: &Read,
    topic: &str,
    (partition, position): (i32, i64),
    limit: Duration,
) -> Result<i64, BusError> {
    let (low, high) = client.fetch_watermarks(topic, partition, limit).map_err(unanswered)?;
    if position < low {
        let lost = low - position;
        warn!(
            topic,
            partition,
            position,
            low,
            high,
            lost,
            "messages were deleted before they were read: going on at the first one"
        );
        return Ok(low);
    }
    let from = match read.latest_ms(partition) {
        Some(latest) => first_since(client, topic, partition, latest - MARGIN_MS, limit)?
            .unwrap_or(high)
            .clamp(low, high),
        None => low,
    };
    let missing = (position - high).max(0);
    warn!(
        topic,
        partition,
        position,
        low,
        high,
        missing,
        going_on_at = from,
        "the log ends before the position that was reached: it was cut, going on in what is intact"
    );
    Ok(from)
}

/// The first offset whose message is not older than this; `None` when all are.
fn first_since<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    since_ms: i64,
    limit: Duration,
) -> Result<Option<i64>, BusError> {
    let mut asked = TopicPartitionList::with_capacity(1);
    asked
        .add_partition_offset(topic, partition, Offset::Offset(since_ms.max(0)))
        .map_err(unanswered)?;
    let found = client.offsets_for_times(asked, limit).map_err(unanswered)?;
    let element = found.find_partition(topic, partition);
    let element = element
        .ok_or_else(|| BusError::BrokerAway { reason: "an answer lacks a partition".into() })?;
    element.error().map_err(unanswered)?;
    Ok(match element.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_that_goes_back_is_seen() {
        let mut read = Read::default();
        assert_eq!(read.message(0, 41, Some(7)), None);
        assert_eq!(read.message(0, 42, None), None);
        assert_eq!(read.message(1, 3, None), None, "another partition");
        assert_eq!(read.message(0, 50, None), None, "offsets may be left out");
        assert_eq!(read.message(0, 45, Some(5)), Some(51));
        assert_eq!(read.latest_ms(0), Some(7));
        assert_eq!(read.message(0, 46, None), None);
        read.begins_anew(0);
        assert_eq!((read.message(0, 1, None), read.latest_ms(0)), (None, Some(7)));
    }
}
