//! The thread behind a tail: finds partitions, starts each at the right offset, and reads.

use crate::client::brokers::retire;
use crate::client::handoff::{Handoff, Offer};
use crate::client::log::LogContext;
use crate::client::metadata::find_partitions;
use crate::client::{self, properties};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::error::codes::{is_transient, unanswered};
use crate::health::broker::Link;
use crate::health::outage::Outage;
use crate::health::rights::Right;
use crate::message::Message;
use crate::position::log_watch::LogWatch;
use crate::position::resume::{Read, after_cut};
use crate::tail::event::Step;
use crate::tail::start::find_starts;
use frame::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{debug, info, warn};

const POLL: Duration = Duration::from_millis(100);
/// How long one question to the broker may take; reading waits as long.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often to ask for a topic that is not there yet.
const ASK_FOR_TOPIC: Duration = Duration::from_millis(500);
/// How often to ask for partitions that were added.
const ASK_FOR_PARTITIONS: Duration = Duration::from_secs(5);

pub(crate) struct Follower {
    config: BusConfig,
    link: Arc<Link>,
    logs: LogWatch,
    consumer: BaseConsumer<LogContext>,
    topic: String,
    /// The whole topic is read, and told of again when it was made again.
    whole: bool,
    /// The topic was made again: its new log is read whole.
    from_the_start: bool,
    since_ms: i64,
    handoff: Arc<Handoff<Step>>,
    /// The next offset of each partition that is read.
    assigned: HashMap<i32, i64>,
    /// Partitions whose old messages are not all read yet, with the offset where that is so;
    /// `None` once it was told.
    behind: Option<HashMap<i32, i64>>,
    /// Whether the broker was asked successfully at least once.
    began: bool,
    read: Read,
    trouble: Outage,
}

impl Follower {
    pub(crate) fn new(
        config: &BusConfig,
        link: &Arc<Link>,
        topic: &str,
        since: Option<Timestamp>,
        handoff: Arc<Handoff<Step>>,
    ) -> Result<Self, BusError> {
        let logs = LogWatch::default();
        let consumer = client_of(config, link, &logs)?;
        let since_ms =
            since.map_or(0, |since| i64::try_from(since.as_micros() / 1000).unwrap_or(i64::MAX));
        Ok(Self {
            config: config.clone(),
            link: Arc::clone(link),
            logs,
            consumer,
            topic: topic.to_owned(),
            whole: since.is_none(),
            from_the_start: false,
            since_ms,
            handoff,
            assigned: HashMap::new(),
            behind: Some(HashMap::new()),
            began: false,
            read: Read::default(),
            trouble: Outage::default(),
        })
    }

    /// The brokers that its client knows now.
    #[cfg(test)]
    pub(crate) fn known_brokers(&self) -> crate::client::brokers::KnownBrokers {
        self.consumer.context().brokers().clone()
    }

    pub(crate) fn run(mut self) {
        let mut asked: Option<Instant> = None;
        while !self.handoff.is_closed() {
            let pause = if self.assigned.is_empty() { ASK_FOR_TOPIC } else { ASK_FOR_PARTITIONS };
            if asked.is_none_or(|asked| asked.elapsed() >= pause) {
                match self.find_new_partitions() {
                    Ok(()) => self.recovered(),
                    Err(error) => self.failed(&error),
                }
                asked = Some(Instant::now());
            }
            if self.logs.take_made_again(&self.topic) {
                self.begin_anew("the topic was made again: following its new log from the start");
                asked = None;
            }
            self.check_brokers();
            self.mend_positions();
            // also without a partition: the client's events must be fetched
            if let Some(event) = self.poll() {
                self.hand_over(event);
            }
            self.tell_when_caught_up();
        }
        let handoff = Arc::clone(&self.handoff);
        drop(self);
        handoff.leave();
    }

    /// Finds partitions that are not read yet and begins with them.
    fn find_new_partitions(&mut self) -> Result<(), BusError> {
        let found = find_partitions(&self.consumer, &self.topic, PATIENCE)?.unwrap_or_default();
        if found.is_empty() && !self.assigned.is_empty() {
            self.logs.forget(&self.topic);
            self.begin_anew("the topic is gone: waiting until it is made again");
        }
        let fresh: Vec<i32> =
            found.into_iter().filter(|partition| !self.assigned.contains_key(partition)).collect();
        if !fresh.is_empty() {
            self.begin(&fresh)?;
        }
        // one that is gone may come back: until then its last contents count
        self.began |= !(self.whole && self.from_the_start && self.assigned.is_empty());
        Ok(())
    }

    /// Forgets the log that is no more, and the client with it: one that knows the old log's leader
    /// epoch takes a new topic's lower one for outdated.
    fn begin_anew(&mut self, why: &str) {
        warn!(topic = self.topic, partitions = self.assigned.len(), "{why}");
        match client_of(&self.config, &self.link, &self.logs) {
            Ok(fresh) => self.consumer = fresh,
            Err(error) => return self.handoff.fail(error),
        }
        self.assigned.clear();
        self.read.clear();
        self.from_the_start = true;
        if self.whole {
            self.behind = Some(HashMap::new());
            self.began = false;
            self.hand_over(Step::Anew);
        } else if let Some(behind) = &mut self.behind {
            behind.clear();
        }
    }

    /// Goes on with a fresh client, where this one was, when it will find no broker any more.
    fn check_brokers(&mut self) {
        if !self.consumer.context().brokers().are_lost() {
            return;
        }
        let topic = &self.topic;
        warn!(topic, "the client has lost every broker that it knew: going on with a fresh one");
        let fresh = client_of(&self.config, &self.link, &self.logs).and_then(|fresh| {
            let mut list = TopicPartitionList::with_capacity(self.assigned.len());
            for (partition, next) in &self.assigned {
                list.add_partition_offset(topic, *partition, Offset::Offset(*next))
                    .map_err(unanswered)?;
            }
            fresh.incremental_assign(&list).map_err(unanswered)?;
            Ok(fresh)
        });
        match fresh {
            Ok(fresh) => retire(&self.link.threads, std::mem::replace(&mut self.consumer, fresh)),
            Err(error) => self.handoff.fail(error),
        }
    }

    /// Goes on in partitions whose log did not hold our position any more; until then the client
    /// begins at their first message.
    fn mend_positions(&mut self) {
        for (partition, position) in self.logs.take_out_of_range(&self.topic) {
            let sought =
                after_cut(&self.consumer, &self.read, &self.topic, (partition, position), PATIENCE)
                    .and_then(|from| {
                        self.consumer
                            .seek(&self.topic, partition, Offset::Offset(from), PATIENCE)
                            .map_err(unanswered)
                    });
            if let Err(error) = sought {
                debug!(topic = self.topic, partition, %error, "older messages come again");
            }
            self.read.begins_anew(partition);
            // what was there when the tail began is not there any more
            self.has_read(partition, i64::MAX);
        }
    }

    fn begin(&mut self, partitions: &[i32]) -> Result<(), BusError> {
        let since_ms = (!self.whole && !self.from_the_start).then_some(self.since_ms);
        let starts = find_starts(&self.consumer, &self.topic, partitions, since_ms)?;
        let mut list = TopicPartitionList::with_capacity(starts.len());
        for start in &starts {
            list.add_partition_offset(&self.topic, start.partition, Offset::Offset(start.from))
                .map_err(unanswered)?;
        }
        self.consumer.incremental_assign(&list).map_err(unanswered)?;
        info!(topic = self.topic, partition_list = ?partitions, "following partitions");
        for start in starts {
            self.assigned.insert(start.partition, start.from);
            // partitions that appear later hold nothing that was there when the tail began
            if start.from < start.end
                && !self.began
                && let Some(behind) = &mut self.behind
            {
                behind.insert(start.partition, start.end);
            }
        }
        Ok(())
    }

    fn poll(&mut self) -> Option<Step> {
        match self.consumer.poll(POLL)? {
            Ok(borrowed) => {
                self.link().has_read(&self.topic);
                let message = Message::copy_of(&borrowed);
                drop(borrowed);
                self.note_position(&message);
                self.assigned.insert(message.partition, message.offset + 1);
                self.has_read(message.partition, message.offset + 1);
                Some(Step::Message(message))
            }
            Err(KafkaError::PartitionEOF(partition)) => {
                self.link().has_read(&self.topic);
                // offsets that do not exist (compacted, or control records) may lie before the end
                self.has_read(partition, i64::MAX);
                None
            }
            Err(KafkaError::MessageConsumptionFatal(code)) => {
                self.handoff.fail(BusError::Fatal(code.to_string()));
                self.handoff.rest(Duration::from_secs(3600));
                None
            }
            Err(error) => {
                let topic = &self.topic;
                match error.rdkafka_error_code() {
                    Some(code) if is_transient(code) => debug!(topic, %error, "following waits"),
                    Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
                        debug!(topic, %error, "following waits")
                    }
                    // librdkafka asks for the coordinator of a group that nobody here joins
                    Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                        debug!(topic, %error, "the reader's group is not allowed")
                    }
                    Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                        drop(self.link().lacks(Right::Read(topic.clone())))
                    }
                    _ => self.failed(&unanswered(error)),
                }
                None
            }
        }
    }

    /// A client that knows leader epochs goes back by itself when a log was cut, without a word.
    fn note_position(&mut self, message: &Message) {
        let (partition, offset) = (message.partition, message.offset);
        if let Some(position) = self.read.message(partition, offset, message.timestamp_ms) {
            warn!(
                topic = self.topic,
                partition, position, offset, "the log was cut: going on at what was written since"
            );
        }
    }

    fn has_read(&mut self, partition: i32, next: i64) {
        if let Some(behind) = &mut self.behind
            && behind.get(&partition).is_some_and(|end| next >= *end)
        {
            behind.remove(&partition);
        }
    }

    fn tell_when_caught_up(&mut self) {
        if self.began && self.behind.as_ref().is_some_and(HashMap::is_empty) {
            self.behind = None;
            self.hand_over(Step::CaughtUp);
        }
    }

    /// Waits until the event is taken. Nothing else needs this thread: a tail has no group that
    /// would miss it.
    fn hand_over(&self, event: Step) {
        let mut event = event;
        while let Offer::Full(back) = self.handoff.offer(event, Duration::from_secs(60)) {
            event = back;
        }
    }

    fn link(&self) -> &Arc<Link> {
        self.consumer.client().context().link()
    }

    fn failed(&mut self, error: &BusError) {
        if matches!(error, BusError::NotAllowed { .. }) {
            self.link().lacks(Right::Read(self.topic.clone()));
            return;
        }
        if let Some(since) = self.trouble.failed() {
            let (topic, seconds) = (&self.topic, since.as_secs());
            warn!(topic, %error, seconds, "following waits for the broker");
        }
    }

    fn recovered(&mut self) {
        if let Some(length) = self.trouble.recovered() {
            info!(topic = self.topic, seconds = length.as_secs_f32(), "following goes on");
        }
    }
}

fn client_of(
    config: &BusConfig,
    link: &Arc<Link>,
    logs: &LogWatch,
) -> Result<BaseConsumer<LogContext>, BusError> {
    client::create(&properties::tail(config), LogContext::watching("tail", link, logs.clone()))
}
