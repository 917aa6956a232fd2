//! One attempt to send a message.

use crate::client;
use crate::context::LogContext;
use crate::link::Link;
use crate::{BusConfig, BusError, SendError, Sent};
use frame::MAX_MESSAGE_BYTES;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, config::RDKafkaLogLevel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::error;

/// What the wire format adds to key, value and headers at most: the batch's header (61 bytes), a record's fixed fields and
/// lengths (36), and for each header two lengths (10). The sum is rounded up for the former.
const FRAMING_BYTES: usize = 128;
const FRAMING_BYTES_PER_HEADER: usize = 10;

/// A message that is borrowed from whoever may have to send it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) topic: &'a str,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) headers: &'a [(String, Vec<u8>)],
    pub(crate) payload: &'a [u8],
}

impl Record<'_> {
    fn wire_bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + FRAMING_BYTES_PER_HEADER).sum();
        FRAMING_BYTES + self.key.map_or(0, <[u8]>::len) + self.payload.len() + headers
    }

    fn owned_headers(&self) -> OwnedHeaders {
        let empty = OwnedHeaders::new_with_capacity(self.headers.len());
        self.headers.iter().fold(empty, |all, (name, value)| all.insert(Header { key: name, value: Some(value) }))
    }
}

type Answer = Result<Sent, RDKafkaErrorCode>;
type Native = ThreadedProducer<DeliveryContext>;

/// The producer of a bus. Should librdkafka's one fail for good (idempotence can, when a broker forgets what it had
/// acknowledged), a fresh one takes its place.
pub(crate) struct Producer {
    config: BusConfig,
    link: Arc<Link>,
    native: RwLock<Arc<Native>>,
}

impl Producer {
    pub(crate) fn new(config: &BusConfig, link: &Arc<Link>) -> Result<Self, BusError> {
        let native = Arc::new(Self::native(config, link)?);
        Ok(Self { config: config.clone(), link: Arc::clone(link), native: RwLock::new(native) })
    }

    fn native(config: &BusConfig, link: &Arc<Link>) -> Result<Native, BusError> {
        client::create(&client::producer(config), DeliveryContext(LogContext::new("producer", link)))
    }

    /// Sends once and waits for the acknowledgement. Dropping the future does not take the message back.
    pub(crate) async fn send(&self, record: Record<'_>) -> Result<Sent, SendError> {
        let bytes = record.wire_bytes();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(SendError::TooLarge { bytes, limit: MAX_MESSAGE_BYTES });
        }
        let native = self.current();
        let code = match enqueue(&native, record) {
            Ok(answer) => match answer.await {
                Ok(Ok(sent)) => return Ok(sent),
                Ok(Err(code)) => code,
                // the producer went away with the message in its queue
                Err(_) => return Err(SendError::ShuttingDown),
            },
            Err(code) => code,
        };
        if native.client().fatal_error().is_some() {
            return Err(self.replace(&native));
        }
        Err(self.explain(code, record.topic, bytes))
    }

    /// Waits until nothing is under way any more, at most this long. Blocks.
    pub(crate) fn flush(&self, limit: Duration) -> Result<(), KafkaError> {
        self.current().flush(limit)
    }

    fn current(&self) -> Arc<Native> {
        Arc::clone(&self.native.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a fresh producer into the place of one that has failed for good, unless somebody did already.
    fn replace(&self, failed: &Arc<Native>) -> SendError {
        let reason = failed.client().fatal_error().map_or_else(String::new, |(_, text)| text);
        let mut native = self.native.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&native, failed) {
            error!(reason, "the producer has failed for good and is replaced");
            match Self::native(&self.config, &self.link) {
                Ok(fresh) => *native = Arc::new(fresh),
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
            RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight => SendError::ShuttingDown,
            RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::InvalidArgument
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::InvalidTimestamp
            | RDKafkaErrorCode::PolicyViolation
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::UnsupportedVersion => SendError::Fatal(format!("topic '{topic}': {code}")),
            RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopicOrPartition => {
                SendError::BrokerAway { reason: format!("topic '{topic}' is not there") }
            }
            _ => SendError::BrokerAway { reason: self.link.last_reason().unwrap_or_else(|| code.to_string()) },
        }
    }
}

fn enqueue(native: &Native, record: Record<'_>) -> Result<oneshot::Receiver<Answer>, RDKafkaErrorCode> {
    let (answer, receiver) = oneshot::channel();
    let mut base = BaseRecord::<[u8], [u8], _>::with_opaque_to(record.topic, Box::new(answer)).payload(record.payload);
    base = base.headers(record.owned_headers());
    if let Some(key) = record.key {
        base = base.key(key);
    }
    match native.send(base) {
        Ok(()) => Ok(receiver),
        Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::InvalidArgument)),
    }
}

/// Brings a delivery report to the one who waits for it.
struct DeliveryContext(LogContext);

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, text: &str) {
        self.0.log(level, fac, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
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
        BusConfig { send_timeout: Duration::from_secs(1), queue_bytes: 1 << 20, ..BusConfig::new("127.0.0.1:1", "test") }
    }

    fn record(payload: &[u8]) -> Record<'_> {
        Record { topic: "t", key: Some(b"k"), headers: &[], payload }
    }

    #[tokio::test]
    async fn an_absent_broker_is_a_value_that_says_why() {
        let producer = Producer::new(&nobody(), &Arc::default()).unwrap();
        let error = producer.send(record(b"x")).await.unwrap_err();
        assert!(matches!(&error, SendError::BrokerAway { reason } if !reason.is_empty()), "{error:?}");
    }

    #[tokio::test]
    async fn a_full_queue_is_a_value() {
        let producer = Producer::new(&nobody(), &Arc::default()).unwrap();
        let half = vec![0; 600 * 1024];
        let first = producer.send(record(&half));
        let second = async {
            tokio::task::yield_now().await;
            producer.send(record(&half)).await
        };
        let (_, second) = tokio::join!(first, second);
        assert_eq!(second, Err(SendError::QueueFull));
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_at_once() {
        let producer = Producer::new(&nobody(), &Arc::default()).unwrap();
        let error = producer.send(record(&vec![0; MAX_MESSAGE_BYTES])).await.unwrap_err();
        assert!(matches!(error, SendError::TooLarge { limit: MAX_MESSAGE_BYTES, .. }), "{error:?}");
    }

    #[test]
    fn a_failed_producer_is_replaced_once() {
        let producer = Producer::new(&nobody(), &Arc::default()).unwrap();
        let failed = producer.current();
        producer.replace(&failed);
        let fresh = producer.current();
        assert!(!Arc::ptr_eq(&failed, &fresh));
        producer.replace(&failed);
        assert!(Arc::ptr_eq(&fresh, &producer.current()));
    }
}
