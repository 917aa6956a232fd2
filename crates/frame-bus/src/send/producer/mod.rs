//! One attempt to send a message.

mod polled;

use crate::config::BusConfig;
use crate::error::{BusError, SendError};
use crate::health::broker::Link;
use crate::health::rights::Right;
use crate::health::unready::{Readiness, Unready};
use crate::message::Sent;
use crate::send::delivery_report::Answer;
use crate::send::producer::polled::PolledProducer;
use crate::send::record::Record;
use frame::MAX_MESSAGE_BYTES;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tracing::error;

/// The client copies a payload when it takes it. From this size on that takes longer (a millisecond
/// and more, with the pages that are touched for the first time) than a thread of the async runtime
/// should be away.
const LARGE_PAYLOAD: usize = 2 << 20;
/// A producer that is refused at once, over and over, is replaced not more often than this.
const REPLACE_EVERY: Duration = Duration::from_secs(4);
/// How long a producer without a number may take to get metadata, and so ask for its number.
const ASKED_FOR_NUMBER: Duration = Duration::from_millis(100);
/// Why a producer without a fatal error is replaced.
const LOST_BROKERS: &str = "the producer has lost every broker that it knew";
/// A message is handed to one more producer when the first turns out to have failed for good.
const PRODUCERS: usize = 2;

type Enqueued = Result<oneshot::Receiver<Answer>, RDKafkaErrorCode>;
type Native = PolledProducer;

/// The producer of a bus. Should librdkafka's one fail for good (idempotence can, when a broker
/// forgets what it had acknowledged), a fresh one takes its place.
pub(crate) struct Producer {
    config: BusConfig,
    link: Arc<Link>,
    native: RwLock<Arc<Native>>,
    /// Those that were replaced and may still be in use. Locked while a replacement is made, so
    /// that there is only one.
    retired: Mutex<Vec<Arc<Native>>>,
    /// When the monitor replaced one last.
    replaced_at: Mutex<Option<Instant>>,
}

impl Producer {
    pub(crate) fn new(config: &BusConfig, link: &Arc<Link>) -> Result<Self, BusError> {
        let native = Arc::new(Self::native(config, link)?);
        Ok(Self {
            config: config.clone(),
            link: Arc::clone(link),
            native: RwLock::new(native),
            retired: Mutex::default(),
            replaced_at: Mutex::default(),
        })
    }

    fn native(config: &BusConfig, link: &Arc<Link>) -> Result<Native, BusError> {
        PolledProducer::start(config, link)
    }

    /// Sends once and waits for the acknowledgement. Dropping the future does not take the message
    /// back.
    pub(crate) async fn send(self: &Arc<Self>, record: &Arc<Record>) -> Result<Sent, SendError> {
        let bytes = record.wire_bytes();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(SendError::TooLarge { bytes, limit: MAX_MESSAGE_BYTES });
        }
        let mut outcome = self.send_once(record, bytes).await;
        for _ in 1..PRODUCERS {
            let Err(Failure::Replaced(_)) = outcome else { break };
            outcome = self.send_once(record, bytes).await;
        }
        outcome.map_err(|failure| match failure {
            Failure::Replaced(error) | Failure::Other(error) => error,
        })
    }

    async fn send_once(
        self: &Arc<Self>,
        record: &Arc<Record>,
        bytes: usize,
    ) -> Result<Sent, Failure> {
        let native = self.current();
        let code = match hand_over(&native, record).await {
            Ok(answer) => match answer.await {
                Ok(Ok(sent)) => {
                    self.link.has_written(&record.topic);
                    self.link.has_space();
                    return Ok(sent);
                }
                Ok(Err(code)) => code,
                // the producer went away with the message in its queue
                Err(_) => return Err(Failure::Other(SendError::ShuttingDown)),
            },
            Err(code) => code,
        };
        if code == RDKafkaErrorCode::TopicAuthorizationFailed {
            let reason = self.link.lacks(Right::Write(record.topic.clone()));
            return Err(Failure::Other(SendError::BrokerAway { reason }));
        }
        if let Some((fatal, _)) = native.client().fatal_error() {
            let not_allowed = fatal == RDKafkaErrorCode::ClusterAuthorizationFailed;
            // a broker gives the number that an idempotent producer needs to whoever may write to
            // any topic
            let not_allowed =
                not_allowed.then(|| self.link.lacks(Right::Write(record.topic.clone())));
            // making a client starts threads
            let producer = Arc::clone(self);
            let replaced =
                tokio::task::spawn_blocking(move || producer.replace(&native, not_allowed)).await;
            return Err(match replaced {
                Ok(error) => Failure::Replaced(error),
                Err(error) => Failure::Other(SendError::Fatal(error.to_string())),
            });
        }
        Err(Failure::Other(self.explain(code, &record.topic, bytes)))
    }

    /// Whether a message would go out now. Replaces a producer that has failed for good, so that no
    /// message need find out. Blocks.
    ///
    /// A producer can send when the broker has given it the number by which it knows repetitions.
    /// Who may not write to any topic gets none, and for librdkafka that is final: what is
    /// allowed later helps only a fresh one.
    ///
    /// librdkafka asks for the number half a second after its start, or when it gets metadata. So
    /// it is made to ask for those of `there`, a topic that was seen a moment ago: of a topic that
    /// is not there, it might cause the making.
    pub(crate) fn check(&self, there: Option<&str>) -> Readiness {
        let native = self.current();
        if let Some((code, text)) = native.client().fatal_error() {
            let not_allowed = (code == RDKafkaErrorCode::ClusterAuthorizationFailed)
                .then(|| self.link.lacks(Right::Produce));
            let unready = match &not_allowed {
                Some(what) => Unready::NotAllowed { what: what.clone() },
                None => Unready::NoProducer {
                    reason: format!("the producer has failed and is replaced: {text}"),
                },
            };
            self.replace_now_and_then(&native, not_allowed);
            return Err(unready);
        }
        if native.client().context().brokers().are_lost() {
            self.replace_now_and_then(&native, None);
            return Err(Unready::NoProducer { reason: LOST_BROKERS.into() });
        }
        let is_numbered = || native.client().context().is_numbered();
        if let (false, Some(topic)) = (is_numbered(), there) {
            // what the answer says is of no interest, and without one it asks by itself
            let _ = native.client().fetch_metadata(Some(topic), ASKED_FOR_NUMBER);
        }
        if !is_numbered() {
            return Err(Unready::NoProducer {
                reason: "the broker has not given the producer its number yet".into(),
            });
        }
        self.link.may_produce();
        Ok(())
    }

    /// As if its client had lost its brokers.
    #[cfg(test)]
    pub(crate) fn lose_brokers(&self) {
        self.current().client().context().brokers().lose();
    }

    /// Waits until nothing is under way any more, at most this long. Blocks.
    pub(crate) fn flush(&self, limit: Duration) -> Result<(), KafkaError> {
        self.current().flush(limit)
    }

    fn current(&self) -> Arc<Native> {
        Arc::clone(&self.native.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Drops the replaced producers that nobody uses any more; their threads end soon after.
    pub(crate) fn drop_retired(&self) {
        // nobody can get hold of a retired one any more: a count of one stays
        let unused: Vec<_> =
            self.retired().extract_if(.., |native| Arc::strong_count(native) == 1).collect();
        drop(unused);
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Arc<Native>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace_now_and_then(&self, failed: &Arc<Native>, not_allowed: Option<String>) {
        let mut replaced_at = self.replaced_at.lock().unwrap_or_else(PoisonError::into_inner);
        if replaced_at.is_none_or(|at| at.elapsed() >= REPLACE_EVERY) {
            *replaced_at = Some(Instant::now());
            self.replace(failed, not_allowed);
        }
    }

    /// Puts a fresh producer into the place of one that has failed for good, unless somebody did
    /// already. Blocks.
    fn replace(&self, failed: &Arc<Native>, not_allowed: Option<String>) -> SendError {
        let told = not_allowed.is_some();
        let reason = not_allowed
            .or_else(|| failed.client().fatal_error().map(|(_, text)| text))
            .unwrap_or_else(|| LOST_BROKERS.into());
        let mut retired = self.retired();
        if Arc::ptr_eq(&self.current(), failed) {
            if !told {
                error!(reason, "the producer has failed for good and is replaced");
            }
            match Self::native(&self.config, &self.link) {
                Ok(fresh) => {
                    let mut native = self.native.write().unwrap_or_else(PoisonError::into_inner);
                    retired.push(std::mem::replace(&mut *native, Arc::new(fresh)));
                }
                Err(error) => return SendError::Fatal(error.to_string()),
            }
        }
        SendError::BrokerAway { reason }
    }

    fn explain(&self, code: RDKafkaErrorCode, topic: &str, bytes: usize) -> SendError {
        match code {
            RDKafkaErrorCode::QueueFull => SendError::QueueFull,
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge => {
                SendError::TooLarge { bytes, limit: MAX_MESSAGE_BYTES }
            }
            RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight => {
                SendError::ShuttingDown
            }
            RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::InvalidArgument
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::InvalidTimestamp
            | RDKafkaErrorCode::PolicyViolation
            | RDKafkaErrorCode::UnsupportedVersion => {
                SendError::Fatal(format!("topic '{topic}': {code}"))
            }
            // what the embedded broker says; others say KafkaStorageError, which librdkafka repeats
            // until the time is over
            RDKafkaErrorCode::ThrottlingQuotaExceeded | RDKafkaErrorCode::KafkaStorageError => {
                SendError::BrokerAway { reason: self.link.lacks_space() }
            }
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition => {
                SendError::BrokerAway { reason: format!("topic '{topic}' is not there") }
            }
            _ => SendError::BrokerAway {
                reason: self.link.last_reason().unwrap_or_else(|| code.to_string()),
            },
        }
    }
}

/// Puts the message into the client's queue, from a thread that may block when that takes long.
async fn hand_over(native: &Arc<Native>, record: &Arc<Record>) -> Enqueued {
    if record.payload_len() < LARGE_PAYLOAD {
        return enqueue(native, record);
    }
    let (native, record) = (Arc::clone(native), Arc::clone(record));
    // a runtime that shuts down runs no more of these
    tokio::task::spawn_blocking(move || enqueue(&native, &record))
        .await
        .unwrap_or(Err(RDKafkaErrorCode::PurgeQueue))
}

fn enqueue(native: &Native, record: &Record) -> Enqueued {
    let (answer, receiver) = oneshot::channel();
    let mut base = BaseRecord::<[u8], [u8], _>::with_opaque_to(&record.topic, Box::new(answer));
    if let Some(payload) = &record.payload {
        base = base.payload(payload);
    }
    base = base.headers(record.owned_headers());
    if let Some(key) = &record.key {
        base = base.key(key);
    }
    match native.send(base) {
        Ok(()) => Ok(receiver),
        Err((error, _)) => {
            Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::InvalidArgument))
        }
    }
}

/// Why one producer did not send a message.
enum Failure {
    /// It has failed for good, and another one has taken its place.
    Replaced(SendError),
    /// Another one would do no better.
    Other(SendError),
}

#[cfg(test)]
mod tests;
