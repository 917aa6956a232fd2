//! Brings the broker's acknowledgements to those who wait for them.

use crate::client::brokers::KnownBrokers;
use crate::client::log::LogContext;
use crate::health::broker::Link;
use crate::message::Sent;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;
use rdkafka::{ClientContext, Statistics};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// What became of a message: where it stands, or why it was not taken.
pub(crate) type Answer = Result<Sent, RDKafkaErrorCode>;

/// Brings a delivery report to the one who waits for it.
pub(crate) struct DeliveryContext {
    log: LogContext,
    /// Whether the broker has given it its number.
    numbered: AtomicBool,
}

impl DeliveryContext {
    pub(crate) fn new(link: &Arc<Link>) -> Self {
        Self { log: LogContext::new("producer", link), numbered: AtomicBool::new(false) }
    }

    /// The brokers that the producer knows.
    pub(crate) fn brokers(&self) -> &KnownBrokers {
        self.log.brokers()
    }

    /// Whether the broker has given the producer its number.
    pub(crate) fn is_numbered(&self) -> bool {
        self.numbered.load(Ordering::Acquire)
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
        self.log.brokers().note(&statistics);
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
