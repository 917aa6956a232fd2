//! Where a tail begins in each partition.

use crate::error::BusError;
use crate::error::codes::unanswered;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::time::Duration;

/// How long one question to the broker may take; reading waits as long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where to begin in a partition, and where the messages that were there end.
pub(crate) struct Start {
    pub(crate) partition: i32,
    pub(crate) from: i64,
    pub(crate) end: i64,
}

/// Where to begin in each of these partitions: at the first message that is not older than
/// `since_ms`, in milliseconds since the epoch, or with `None` at the first one. Blocks.
///
/// The ends are asked for first: a message that comes between the two questions has an offset at or
/// behind the end, so that a partition without a message from `since_ms` on can begin there and
/// miss nothing.
pub(crate) fn find_starts<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    since_ms: Option<i64>,
) -> Result<Vec<Start>, BusError> {
    let mut bounds = HashMap::new();
    for partition in partitions {
        let bound = client.fetch_watermarks(topic, *partition, PATIENCE).map_err(unanswered)?;
        bounds.insert(*partition, bound);
    }
    let Some(since_ms) = since_ms else {
        return Ok(bounds
            .into_iter()
            .map(|(partition, (from, end))| Start { partition, from, end })
            .collect());
    };
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        asked
            .add_partition_offset(topic, *partition, Offset::Offset(since_ms))
            .map_err(unanswered)?;
    }
    let found = client.offsets_for_times(asked, PATIENCE).map_err(unanswered)?;
    let start = |(partition, (_, end)): (i32, (i64, i64))| {
        let element = found.find_partition(topic, partition);
        let element = element
            .ok_or_else(|| BusError::BrokerAway { reason: "an answer lacks a partition".into() })?;
        element.error().map_err(unanswered)?;
        let from = match element.offset() {
            Offset::Offset(offset) => offset,
            // no message is as late as that: librdkafka says End
            Offset::Beginning
            | Offset::End
            | Offset::Stored
            | Offset::Invalid
            | Offset::OffsetTail(_) => end,
        };
        Ok(Start { partition, from, end })
    };
    bounds.into_iter().map(start).collect()
}
