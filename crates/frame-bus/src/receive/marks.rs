//! Offsets to commit, with the notes beside them.

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaResult;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::debug;

/// An offset to commit, and what is to stand beside it.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) partition: i32,
    /// The next offset to read.
    pub(crate) mark: i64,
    pub(crate) note: Option<String>,
}

/// Marks as librdkafka wants them.
pub(crate) fn list_of<'a>(
    topic: &str,
    marks: impl IntoIterator<Item = &'a Mark>,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for Mark { partition, mark, note } in marks {
        list.add_partition_offset(topic, *partition, rdkafka::Offset::Offset(*mark))?;
        if let (Some(note), Some(mut element)) = (note, list.find_partition(topic, *partition)) {
            element.set_metadata(note);
        }
    }
    Ok(list)
}

/// Hands marks to librdkafka, which commits them at its next interval.
pub(crate) fn store<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str, marks: &[Mark]) {
    for mark in marks {
        // rdkafka's `store_offset` takes the next offset to read, as commits do; one at a time,
        // since one that fails fails all
        if let Err(error) = list_of(topic, [mark]).and_then(|list| consumer.store_offsets(&list)) {
            // the partition is on its way to somebody else
            let Mark { partition, mark, .. } = mark;
            debug!(topic, partition, mark, %error, "offset not stored");
        }
    }
}

pub(crate) fn partitions_of(list: &TopicPartitionList) -> Vec<i32> {
    list.elements()
        .iter()
        .map(rdkafka::topic_partition_list::TopicPartitionListElem::partition)
        .collect()
}

/// Partitions whose committed offset must go down, because their log is another one or was cut,
/// with the offset that was asked for last. librdkafka commits by itself only what goes up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lowered(Arc<Mutex<BTreeMap<i32, i64>>>);

impl Lowered {
    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn are_committed(&self, offsets: &TopicPartitionList) {
        let mut lowered = self.lock();
        for element in offsets.elements() {
            let asked = lowered.get(&element.partition()).copied();
            if asked.is_some_and(|asked| element.offset() == rdkafka::Offset::Offset(asked))
                && element.error().is_ok()
            {
                lowered.remove(&element.partition());
            }
        }
    }
}
