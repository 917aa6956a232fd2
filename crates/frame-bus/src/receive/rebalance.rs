//! What happens to offsets when partitions come and go.

use crate::client::log::LogContext;
use crate::error::codes::is_transient;
use crate::receive::delivery::SharedTracker;
use crate::receive::marks::{Lowered, Mark, list_of, partitions_of, store};
use crate::takes::tracker::SharedTakes;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, Statistics, TopicPartitionList};
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::{debug, info, warn};

/// The context of a member of a group. Its callbacks run on the member's thread, inside `poll`.
pub(crate) struct MemberContext {
    pub(crate) log: LogContext,
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) tracker: SharedTracker,
    pub(crate) takes: SharedTakes,
    pub(crate) lowered: Lowered,
    /// Another client has taken its place: what it tells does not count any more.
    pub(crate) retired: AtomicBool,
}

impl MemberContext {
    fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let partitions = partitions_of(list);
        let lost = consumer.assignment_lost();
        // in one step, so that no work which ends meanwhile is taken for finished and then
        // forgotten
        let (marks, last) = self.tracker.with(|tracker| {
            let marks: Vec<(i32, i64)> =
                partitions.iter().filter_map(|partition| tracker.take_mark(*partition)).collect();
            let last: Vec<_> = partitions
                .iter()
                .filter_map(|partition| Some((*partition, tracker.span(*partition)?.0)))
                .collect();
            partitions.iter().for_each(|partition| tracker.revoke(*partition));
            (marks, last)
        });
        let closed = self.takes.with(|takes| {
            let closed: Vec<Mark> = last
                .into_iter()
                .filter_map(|(partition, mark)| {
                    Some(Mark { partition, mark, note: Some(takes.closed_note(partition)?) })
                })
                .collect();
            partitions.iter().for_each(|partition| takes.forget(*partition));
            closed
        });
        self.lowered.lock().retain(|partition, _| !partitions.contains(partition));
        let (group, topic) = (&self.group, &self.topic);
        if lost {
            // others have them already: what we finished and did not commit, they get again
            warn!(group, topic, partition_list = ?partitions, "partitions lost");
            return;
        }
        info!(group, topic, partition_list = ?partitions, "partitions revoked");
        let noted = |partition: &i32| closed.iter().any(|mark| mark.partition == *partition);
        let plain = marks.into_iter().filter(|(partition, _)| !noted(partition));
        let plain: Vec<Mark> =
            plain.map(|(partition, mark)| Mark { partition, mark, note: None }).collect();
        store(consumer, topic, &plain);
        store(consumer, topic, &closed);
        let outcome = if closed.is_empty() {
            consumer.commit_consumer_state(CommitMode::Sync)
        } else {
            // also where the offset is what was committed last: the note is another one
            list_of(topic, plain.iter().chain(&closed))
                .and_then(|list| consumer.commit(&list, CommitMode::Sync))
        };
        match outcome {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            Err(error) => {
                let what = "finished offsets not committed, their messages come again";
                warn!(group, topic, partition_list = ?partitions, %error, "{what}");
            }
        }
    }
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, text: &str) {
        self.log.log(level, fac, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.log.brokers().note(&statistics);
        if self.is_retired() {
            return;
        }
        if let Some(group) = &statistics.cgrp {
            self.log.link().group_tells(&(self.group.clone(), self.topic.clone()), group);
        }
    }
}

impl ConsumerContext for MemberContext {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if self.is_retired() {
            return;
        }
        let (group, topic) = (&self.group, &self.topic);
        if matches!(rebalance, Rebalance::Assign(_)) {
            self.log.link().has_joined(group);
            self.log.link().group_gives(&(group.clone(), topic.clone()));
        }
        match rebalance {
            Rebalance::Assign(list) if list.count() == 0 => {
                debug!(group, topic, "no new partitions")
            }
            Rebalance::Assign(list) => {
                // whether it may also read them shows soon; that is told again
                self.log.link().has_read(topic);
                let partitions = partitions_of(list);
                self.tracker.with(|tracker| {
                    for partition in &partitions {
                        tracker.assign(*partition);
                    }
                });
                self.takes
                    .with(|takes| partitions.iter().for_each(|partition| takes.forget(*partition)));
                info!(group, topic, partition_list = ?partitions, "partitions assigned");
            }
            Rebalance::Revoke(list) if list.count() == 0 => {}
            Rebalance::Revoke(list) => self.revoked(consumer, list),
            Rebalance::Error(error) => warn!(group, topic, %error, "rebalance failed"),
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // librdkafka keeps a pause beyond the assignment that it was asked for in: a partition that
        // left while this member was held up, and comes back when it no longer is, would
        // stay silent for ever. Should it still be held up, it pauses again.
        if let Rebalance::Assign(list) = rebalance
            && list.count() > 0
            && let Err(error) = consumer.resume(list)
        {
            let (group, topic) = (&self.group, &self.topic);
            warn!(group, topic, %error, "partitions that were assigned may still be paused");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        if self.is_retired() {
            return;
        }
        let Err(error) = result else {
            self.takes.with(|takes| {
                for element in offsets.elements() {
                    takes.committed(element.partition(), element.metadata());
                }
            });
            return self.lowered.are_committed(offsets);
        };
        let (group, topic) = (&self.group, &self.topic);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::NoOffset) => {}
            // the offsets stay stored and are committed by the next interval that finds a broker
            Some(code) if is_transient(code) => debug!(group, topic, %error, "commit waits"),
            Some(RDKafkaErrorCode::RebalanceInProgress | RDKafkaErrorCode::IllegalGeneration) => {
                debug!(group, topic, %error, "commit waits for the group");
            }
            // after an outage the commits of all its intervals fail together
            _ if self.log.is_news("commit failed") => warn!(group, topic, %error, "commit failed"),
            _ => debug!(group, topic, %error, "commit failed"),
        }
    }
}
