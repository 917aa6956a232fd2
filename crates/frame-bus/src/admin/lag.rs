//! How far a group is behind.

use crate::client::Inquirer;
use crate::client::metadata::partitions_of;
use crate::error::BusError;
use crate::health::rights::Right;
use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;

/// How many messages of a topic a group has not finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Over all partitions.
    pub messages: u64,
    /// Each partition, in order.
    pub partitions: Vec<PartitionLag>,
}

/// How far a group is behind in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// Which partition.
    pub partition: i32,
    /// The first offset that the group has not finished; `None` when it never committed here.
    pub committed: Option<i64>,
    /// The earliest offset that the broker still has.
    pub low: i64,
    /// The offset after the last message.
    pub high: i64,
}

impl PartitionLag {
    /// How many messages are not finished. A group that never committed starts at the earliest
    /// message.
    #[must_use]
    pub fn messages(&self) -> u64 {
        let from = self.committed.unwrap_or(self.low).max(self.low);
        u64::try_from(self.high - from).unwrap_or(0)
    }
}

/// Asks the broker. Blocks.
pub(crate) fn measure(
    inquirer: &Inquirer,
    group: &str,
    topic: &str,
    limit: Duration,
) -> Result<Lag, BusError> {
    let link = inquirer.client().context().link();
    let partitions = partitions_of(inquirer, topic, limit)?;
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for partition in &partitions {
        asked.add_partition(topic, *partition);
    }
    let committed = inquirer
        .committed_offsets(asked, limit)
        .map_err(|error| link.explain(error, &Right::Group(group.into())))?;
    link.group_is_open(group);
    let mut lag = Lag::default();
    for partition in partitions {
        let watermarks = inquirer.fetch_watermarks(topic, partition, limit);
        let (low, high) =
            watermarks.map_err(|error| link.explain(error, &Right::Read(topic.into())))?;
        let committed =
            committed.find_partition(topic, partition).and_then(|element| match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            });
        let partition = PartitionLag { partition, committed, low, high };
        lag.messages += partition.messages();
        lag.partitions.push(partition);
    }
    Ok(lag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_from_the_commit_or_the_earliest_offset() {
        let lag =
            |committed| PartitionLag { partition: 0, committed, low: 10, high: 30 }.messages();
        assert_eq!(
            [lag(Some(25)), lag(Some(30)), lag(None), lag(Some(3)), lag(Some(31))],
            [5, 0, 20, 20, 0]
        );
    }
}
