//! A member whose topic has another log than before, or one that does not hold its position any
//! more.

use crate::error::BusError;
use crate::error::codes::unanswered;
use crate::message::Message;
use crate::position::resume::after_cut;
use crate::receive::marks::{Mark, list_of, partitions_of, store};
use crate::receive::poll_thread::Member;
use rdkafka::Offset;
use rdkafka::consumer::{CommitMode, Consumer as _};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// How long one question about a log may take; the membership lives on meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
/// How soon an offset that must go down is committed again.
const LOWER_AGAIN: Duration = Duration::from_secs(1);

impl Member {
    /// Notices that the topic's log is another one, or does not hold our position any more.
    pub(crate) fn check_logs(&mut self) {
        if self.seating.logs.take_made_again(&self.topic) {
            self.join_anew();
        }
        for (partition, position) in self.seating.logs.take_out_of_range(&self.topic) {
            let place = (partition, position);
            let mended = after_cut(&self.consumer, &self.read, &self.topic, place, PATIENCE)
                .and_then(|from| self.seek(partition, from).map(|()| from));
            match mended {
                Ok(from) => self.counts_from(partition, from),
                // the client has gone to the first message by itself
                Err(error) => {
                    debug!(topic = self.topic, partition, %error, "older messages come again")
                }
            }
        }
        if self.starts_over
            && let Err(error) = self.start_over()
        {
            debug!(topic = self.topic, %error, "the new log is not read from its start yet");
        }
    }

    /// Leaves and joins with a fresh client: one that knows the old log's leader epoch takes a new
    /// topic's lower one for outdated.
    fn join_anew(&mut self) {
        let (group, topic) = (&self.group, &self.topic);
        warn!(group, topic, "the topic was made again: beginning at the start of its new log");
        // what was finished in the old log is no offset of the new one
        let start = |partition| Mark { partition, mark: 0, note: None };
        let held: Vec<Mark> = self.assigned().into_iter().map(start).collect();
        self.seating
            .tracker
            .with(|tracker| held.iter().for_each(|mark| tracker.revoke(mark.partition)));
        store(&self.consumer, topic, &held);
        match self.seating.join(&(group.clone(), topic.clone())) {
            Ok(fresh) => self.consumer = fresh,
            Err(error) => self.handoff.fail(error),
        }
        self.read.clear();
        self.starts_over = true;
    }

    /// The group may still hold offsets of the old log.
    fn start_over(&mut self) -> Result<(), BusError> {
        let assigned = self.assigned();
        for partition in &assigned {
            let (low, _) = self
                .consumer
                .fetch_watermarks(&self.topic, *partition, PATIENCE)
                .map_err(unanswered)?;
            self.seek(*partition, low)?;
            self.counts_from(*partition, low);
        }
        self.starts_over = assigned.is_empty();
        Ok(())
    }

    fn seek(&self, partition: i32, offset: i64) -> Result<(), BusError> {
        self.consumer
            .seek(&self.topic, partition, Offset::Offset(offset), PATIENCE)
            .map_err(unanswered)
    }

    /// From now on the partition's finished offsets count from here; what was delivered before does
    /// not.
    fn counts_from(&mut self, partition: i32, offset: i64) {
        self.seating.tracker.with(|tracker| tracker.assign(partition));
        self.read.begins_anew(partition);
        // what was noted of the old log says nothing of this one
        self.seating.takes.with(|takes| takes.begin_anew(partition, offset));
        store(&self.consumer, &self.topic, &[self.noted(partition, offset)]);
        self.seating.lowered.lock().insert(partition, offset);
        self.lowered_at = None;
    }

    /// Commits offsets that go down, until the broker has them.
    pub(crate) fn commit_lowered(&mut self) {
        let mut lowered = self.seating.lowered.lock();
        if lowered.is_empty() || self.lowered_at.is_some_and(|at| at.elapsed() < LOWER_AGAIN) {
            return;
        }
        for (partition, offset) in lowered.iter_mut() {
            *offset = self
                .seating
                .tracker
                .with(|tracker| tracker.span(*partition))
                .map_or(*offset, |(mark, _)| mark);
        }
        let marks: Vec<Mark> =
            lowered.iter().map(|(partition, offset)| self.noted(*partition, *offset)).collect();
        drop(lowered);
        self.lowered_at = Some(Instant::now());
        if let Err(error) = list_of(&self.topic, &marks)
            .and_then(|list| self.consumer.commit(&list, CommitMode::Async))
        {
            let (group, topic) = (&self.group, &self.topic);
            debug!(group, topic, %error, "offsets that go down are committed later");
        }
    }

    pub(crate) fn assigned(&self) -> Vec<i32> {
        self.consumer.assignment().map(|list| partitions_of(&list)).unwrap_or_default()
    }

    /// A client that knows leader epochs goes back by itself when a log was cut, without a word.
    pub(crate) fn note_position(&mut self, message: &Message) {
        let (partition, offset) = (message.partition, message.offset);
        if let Some(position) = self.read.message(partition, offset, message.timestamp_ms)
            && self.seating.tracker.with(|tracker| tracker.is_past(partition, offset))
        {
            let (group, topic) = (&self.group, &self.topic);
            warn!(
                group,
                topic,
                partition,
                position,
                offset,
                "the log was cut: going on at what was written since"
            );
            self.counts_from(partition, offset);
        }
    }
}
