//! The thread of a group's member: polls all the time, whatever the receiving side does.

use crate::client::brokers::retire;
use crate::client::handoff::{Handoff, Offer};
use crate::error::BusError;
use crate::error::codes::is_transient;
use crate::health::broker::Link;
use crate::health::outage::Outage;
use crate::health::rights::Right;
use crate::message::Message;
use crate::position::resume::Read;
use crate::receive::join::Seating;
use crate::receive::marks::{Mark, partitions_of, store};
use crate::receive::offsets::{Epoch, OffsetTracker};
use crate::receive::rebalance::MemberContext;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tracing::{debug, info, warn};

/// How long one poll waits: finished offsets are stored, and the end is noticed, at least this
/// often.
const POLL: Duration = Duration::from_millis(100);
/// How long the end waits for a note that is being committed.
const LAST_NOTE: Duration = Duration::from_secs(3);
/// Pausing throws away what was prefetched: only back-pressure that lasts is worth it. Rebalances
/// wait as long.
const BACK_PRESSURE: Duration = Duration::from_secs(1);

/// A message with the assignment that it belongs to.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) message: Message,
    pub(crate) epoch: Epoch,
}

pub(crate) struct Member {
    pub(crate) seating: Seating,
    pub(crate) consumer: Arc<BaseConsumer<MemberContext>>,
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) handoff: Arc<Handoff<Received>>,
    pub(crate) read: Read,
    /// The topic was made again: what is assigned next is read from the start of its log.
    pub(crate) starts_over: bool,
    /// When offsets that must go down were last committed.
    pub(crate) lowered_at: Option<Instant>,
    pub(crate) unknown_topic: Outage,
    pub(crate) trouble: Outage,
}

impl Member {
    /// Runs until the receiving side wants no more; then commits what is finished and leaves the
    /// group.
    pub(crate) fn run(mut self) {
        while !self.handoff.is_closed() {
            self.check_brokers();
            self.check_logs();
            self.store_marks();
            if let Some(received) = self.poll(POLL) {
                self.hand_over(received);
            }
        }
        self.store_marks();
        let handoff = Arc::clone(&self.handoff);
        // a note that is being committed ends first: the last one that lets go of the client would
        // close it, and nobody waited for that
        let began = Instant::now();
        while Arc::strong_count(&self.consumer) > 1 && began.elapsed() < LAST_NOTE {
            std::thread::sleep(Duration::from_millis(5));
        }
        // closing revokes every partition, which commits
        drop(self);
        handoff.leave();
    }

    /// Joins with a fresh client when this one will find no broker any more. What was delivered and
    /// is not committed comes again.
    fn check_brokers(&mut self) {
        let context = self.consumer.context();
        if !context.log.brokers().are_lost() {
            return;
        }
        let (group, topic) = (&self.group, &self.topic);
        warn!(
            group,
            topic, "the client has lost every broker that it knew: joining with a fresh one"
        );
        context.retired.store(true, Ordering::Release);
        let held = self.assigned();
        self.seating.tracker.with(|tracker| held.iter().for_each(|one| tracker.revoke(*one)));
        self.seating.takes.with(|takes| held.iter().for_each(|one| takes.forget(*one)));
        self.seating.lowered.lock().clear();
        match self.seating.join(&(group.clone(), topic.clone())) {
            Ok(fresh) => {
                retire(&self.link().threads.clone(), std::mem::replace(&mut self.consumer, fresh))
            }
            Err(error) => self.handoff.fail(error),
        }
    }

    /// Tells the client what is finished.
    fn store_marks(&mut self) {
        let marks = self.seating.tracker.with(OffsetTracker::take_marks);
        let noted: Vec<Mark> =
            marks.into_iter().map(|(partition, mark)| self.noted(partition, mark)).collect();
        store(&self.consumer, &self.topic, &noted);
        self.commit_lowered();
    }

    /// An offset to commit, with the note that is to stand beside it.
    pub(crate) fn noted(&self, partition: i32, mark: i64) -> Mark {
        let next =
            self.seating.tracker.with(|tracker| tracker.span(partition)).map(|(_, next)| next);
        Mark {
            partition,
            mark,
            note: self.seating.takes.with(|takes| takes.open_note(partition, next)),
        }
    }

    fn poll(&mut self, limit: Duration) -> Option<Received> {
        match self.consumer.poll(limit)? {
            Ok(borrowed) => {
                let message = Message::copy_of(&borrowed);
                drop(borrowed);
                self.note_position(&message);
                let epoch = self
                    .seating
                    .tracker
                    .with(|tracker| tracker.delivered(message.partition, message.offset));
                self.link().has_read(&self.topic);
                self.unknown_topic.recovered();
                self.trouble.recovered();
                Some(Received { message, epoch })
            }
            Err(KafkaError::MessageConsumptionFatal(code)) => {
                self.handoff.fail(BusError::Fatal(code.to_string()));
                self.handoff.rest(Duration::from_secs(3600));
                None
            }
            Err(error) => {
                self.note(&error);
                None
            }
        }
    }

    fn link(&self) -> &Arc<Link> {
        &self.seating.link
    }

    /// Errors while polling pass: the client goes on by itself.
    fn note(&mut self, error: &KafkaError) {
        let (group, topic) = (&self.group, &self.topic);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                if self.unknown_topic.failed().is_some() {
                    info!(group, topic, "waiting for the topic to be made");
                }
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                drop(self.link().lacks(Right::Read(topic.clone())))
            }
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                drop(self.link().lacks(Right::Group(group.clone())))
            }
            // the monitor tells about the broker
            Some(code) if is_transient(code) => debug!(group, topic, %error, "receiving waits"),
            _ => {
                if self.trouble.failed().is_some() {
                    warn!(group, topic, %error, "receiving has trouble and goes on");
                }
            }
        }
    }

    /// Waits until the receiving side takes the message. When that lasts, pauses every partition
    /// and polls on, so that the group goes on without a stir.
    fn hand_over(&mut self, received: Received) {
        let began = Instant::now();
        let mut in_hand = VecDeque::from([received]);
        let mut paused = false;
        while let Some(first) = in_hand.pop_front() {
            match self.handoff.offer(first, POLL) {
                Offer::Taken => continue,
                Offer::Closed => return,
                Offer::Full(first) => in_hand.push_front(first),
            }
            self.store_marks();
            if began.elapsed() < BACK_PRESSURE {
                continue;
            }
            if !paused {
                debug!(group = self.group, topic = self.topic, "back-pressure: partitions paused");
                self.pause_all();
                paused = true;
            }
            // a partition that was assigned meanwhile is not paused and may still give a message
            if let Some(more) = self.poll(Duration::ZERO) {
                in_hand.push_back(more);
                self.pause_all();
            }
        }
        if paused {
            debug!(group = self.group, topic = self.topic, "partitions resumed");
            self.with_assignment(BaseConsumer::resume);
        }
    }

    fn pause_all(&self) {
        self.with_assignment(BaseConsumer::pause);
    }

    fn with_assignment(
        &self,
        act: impl Fn(
            &BaseConsumer<MemberContext>,
            &TopicPartitionList,
        ) -> rdkafka::error::KafkaResult<()>,
    ) {
        let outcome = self.consumer.assignment().and_then(|assigned| {
            debug!(partition_list = ?partitions_of(&assigned), "all partitions of this member");
            act(&self.consumer, &assigned)
        });
        if let Err(error) = outcome {
            // a partition that has just left us
            let (group, topic) = (&self.group, &self.topic);
            debug!(group, topic, %error, "not every partition was paused or resumed");
        }
    }
}
