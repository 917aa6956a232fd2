//! One attempt to send a message.

use crate::client;
use crate::context::LogContext;
use crate::link::Link;
use crate::rights::Right;
use crate::{BusConfig, BusError, Outgoing, SendError, Sent};
use frame::MAX_MESSAGE_BYTES;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Statistics, config::RDKafkaLogLevel};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tracing::error;

/// What the wire format adds to key, value and headers at most: the batch's header (61 bytes), a
/// record's fixed fields and lengths (36), and for each header two lengths (10). The sum is rounded
/// up for the former.
const FRAMING_BYTES: usize = 128;
const FRAMING_BYTES_PER_HEADER: usize = 10;

/// The client copies a payload when it takes it. From this size on that takes longer (a millisecond
/// and more, with the pages that are touched for the first time) than a thread of the async runtime
/// should be away.
const LARGE_PAYLOAD: usize = 2 << 20;
/// A producer that is refused at once, over and over, is replaced not more often than this.
const REPLACE_EVERY: Duration = Duration::from_secs(4);
/// A message is handed to one more producer when the first turns out to have failed for good.
const PRODUCERS: usize = 2;

/// A message that may have to be sent again.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) topic: String,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) payload: Vec<u8>,
}

impl From<Outgoing> for Record {
    fn from(out: Outgoing) -> Self {
        Self {
            topic: out.topic,
            key: Some(out.key.into_bytes()),
            headers: out.headers,
            payload: out.payload,
        }
    }
}

impl Record {
    fn wire_bytes(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + FRAMING_BYTES_PER_HEADER)
            .sum();
        FRAMING_BYTES + self.key.as_ref().map_or(0, Vec::len) + self.payload.len() + headers
    }

    fn owned_headers(&self) -> OwnedHeaders {
        let empty = OwnedHeaders::new_with_capacity(self.headers.len());
        self.headers
            .iter()
            .fold(empty, |all, (name, value)| all.insert(Header { key: name, value: Some(value) }))
    }
}

type Answer = Result<Sent, RDKafkaErrorCode>;
type Enqueued = Result<oneshot::Receiver<Answer>, RDKafkaErrorCode>;
type Native = ThreadedProducer<DeliveryContext>;

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
        client::create(&client::producer(config), DeliveryContext::new(link))
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
    pub(crate) fn look_after(&self) -> Result<(), String> {
        let native = self.current();
        if let Some((code, text)) = native.client().fatal_error() {
            let not_allowed = (code == RDKafkaErrorCode::ClusterAuthorizationFailed)
                .then(|| self.link.lacks(Right::Produce));
            let reason = not_allowed
                .clone()
                .unwrap_or_else(|| format!("the producer has failed and is replaced: {text}"));
            let mut replaced_at = self.replaced_at.lock().unwrap_or_else(PoisonError::into_inner);
            if replaced_at.is_none_or(|at| at.elapsed() >= REPLACE_EVERY) {
                *replaced_at = Some(Instant::now());
                self.replace(&native, not_allowed);
            }
            return Err(reason);
        }
        if !native.client().context().numbered.load(Ordering::Acquire) {
            return Err("the broker has not given the producer its number yet".into());
        }
        self.link.may_produce();
        Ok(())
    }

    /// Waits until nothing is under way any more, at most this long. Blocks.
    pub(crate) fn flush(&self, limit: Duration) -> Result<(), KafkaError> {
        self.current().flush(limit)
    }

    fn current(&self) -> Arc<Native> {
        Arc::clone(&self.native.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Drops the replaced producers that nobody uses any more. Blocks: that waits for their threads
    /// and queues.
    pub(crate) fn drop_retired(&self) {
        // nobody can get hold of a retired one any more: a count of one stays
        let unused: Vec<_> =
            self.retired().extract_if(.., |native| Arc::strong_count(native) == 1).collect();
        drop(unused);
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Arc<Native>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a fresh producer into the place of one that has failed for good, unless somebody did
    /// already. Blocks.
    fn replace(&self, failed: &Arc<Native>, not_allowed: Option<String>) -> SendError {
        let told = not_allowed.is_some();
        let reason = not_allowed
            .or_else(|| failed.client().fatal_error().map(|(_, text)| text))
            .unwrap_or_default();
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
    if record.payload.len() < LARGE_PAYLOAD {
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
    let mut base = BaseRecord::<[u8], [u8], _>::with_opaque_to(&record.topic, Box::new(answer))
        .payload(&record.payload);
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

/// Brings a delivery report to the one who waits for it.
struct DeliveryContext {
    log: LogContext,
    /// Whether the broker has given it its number.
    numbered: AtomicBool,
}

impl DeliveryContext {
    fn new(link: &Arc<Link>) -> Self {
        Self { log: LogContext::new("producer", link), numbered: AtomicBool::new(false) }
    }
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, text: &str) {
        self.log.log(level, fac, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.log.link().report_trouble();
        }
        self.log.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let has_number = statistics.eos.is_some_and(|eos| eos.producer_id >= 0);
        if has_number && !self.numbered.swap(true, Ordering::AcqRel) {
            self.log.link().report_trouble();
        }
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = Box<oneshot::Sender<Answer>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let answer = match result {
            Ok(message) => Ok(Sent { partition: message.partition(), offset: message.offset() }),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        };
        // whoever gave up waiting has dropped the other end
        let _ = waiting.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> BusConfig {
        // port 1 is never a broker
        BusConfig {
            send_timeout: Duration::from_secs(1),
            queue_bytes: 1 << 20,
            ..BusConfig::new("127.0.0.1:1", "test")
        }
    }

    fn producer() -> Arc<Producer> {
        Arc::new(Producer::new(&nobody(), &Arc::default()).unwrap())
    }

    fn record(payload: &[u8]) -> Arc<Record> {
        Arc::new(Record {
            topic: "t".into(),
            key: Some(b"k".to_vec()),
            headers: vec![],
            payload: payload.to_vec(),
        })
    }

    #[tokio::test]
    async fn an_absent_broker_is_a_value_that_says_why() {
        let producer = producer();
        let error = producer.send(&record(b"x")).await.unwrap_err();
        assert!(
            matches!(&error, SendError::BrokerAway { reason } if !reason.is_empty()),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn a_full_queue_is_a_value() {
        let producer = producer();
        let half = record(&vec![0; 600 * 1024]);
        let first = producer.send(&half);
        let second = async {
            tokio::task::yield_now().await;
            producer.send(&half).await
        };
        let (_, second) = tokio::join!(first, second);
        assert_eq!(second, Err(SendError::QueueFull));
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_at_once() {
        let producer = producer();
        let error = producer.send(&record(&vec![0; MAX_MESSAGE_BYTES])).await.unwrap_err();
        assert!(matches!(error, SendError::TooLarge { limit: MAX_MESSAGE_BYTES, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_large_message_is_handed_over_as_well() {
        let producer = Arc::new(
            Producer::new(&BusConfig { queue_bytes: 64 << 20, ..nobody() }, &Arc::default())
                .unwrap(),
        );
        // refused by nobody but the broker that is not there
        let error = producer.send(&record(&vec![0; LARGE_PAYLOAD])).await.unwrap_err();
        assert!(matches!(error, SendError::BrokerAway { .. }), "{error:?}");
    }

    #[test]
    fn a_replaced_producer_is_kept_while_it_is_in_use() {
        let producer = producer();
        let failed = producer.current();
        producer.replace(&failed, None);
        producer.drop_retired();
        assert_eq!(Arc::strong_count(&failed), 2);
        let gone = Arc::downgrade(&failed);
        drop(failed);
        assert!(gone.upgrade().is_some(), "whoever used it last must not be the one to drop it");
        producer.drop_retired();
        assert!(gone.upgrade().is_none());
    }

    #[test]
    fn a_failed_producer_is_replaced_once() {
        let producer = producer();
        let failed = producer.current();
        producer.replace(&failed, None);
        let fresh = producer.current();
        assert!(!Arc::ptr_eq(&failed, &fresh));
        producer.replace(&failed, None);
        assert!(Arc::ptr_eq(&fresh, &producer.current()));
    }
}
