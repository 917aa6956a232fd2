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

    fn has_number(&self) {
        if !self.numbered.swap(true, Ordering::AcqRel) {
            self.log.link().report_trouble();
        }
    }
}

/// Whether a line of the client's log says that the broker has given the producer its number:
/// `Acquired PID{Id:1,Epoch:0}`.
fn tells_a_number(facility: &str, line: &str) -> bool {
    facility == "GETPID" && line.contains("Acquired PID{")
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, text: &str) {
        if tells_a_number(fac, text) {
            self.has_number();
        }
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
        if statistics.eos.is_some_and(|eos| eos.producer_id >= 0) {
            self.has_number();
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
    use rdkafka::statistics::ExactlyOnceSemantics;

    #[test]
    fn only_a_number_that_was_given_is_one() {
        for (facility, line, given) in [
            ("GETPID", "[thrd:main]: Acquired PID{Id:7,Epoch:0}", true),
            (
                "GETPID",
                "[thrd:main]: Acquired PID{Id:7,Epoch:1} (previous PID{Id:7,Epoch:0})",
                true,
            ),
            ("GETPID", "[thrd:main]: b/1: Acquired invalid PID{-1,-1}: ignoring", false),
            ("GETPID", "[thrd:main]: b/1: Acquiring ProducerId", false),
            ("IDEMPSTATE", "[thrd:main]: Acquired PID{Id:7,Epoch:0}", false),
        ] {
            assert_eq!(tells_a_number(facility, line), given, "{facility} {line}");
        }
    }

    #[test]
    fn the_line_and_the_statistics_tell_of_the_number() {
        let context = || DeliveryContext::new(&Arc::default());
        let by_line = context();
        by_line.log(RDKafkaLogLevel::Debug, "GETPID", "[thrd:main]: Acquiring ProducerId");
        assert!(!by_line.is_numbered());
        by_line.log(RDKafkaLogLevel::Debug, "GETPID", "[thrd:main]: Acquired PID{Id:7,Epoch:0}");
        assert!(by_line.is_numbered());
        let by_statistics = context();
        by_statistics.stats(Statistics::default());
        assert!(!by_statistics.is_numbered());
        let eos = ExactlyOnceSemantics { producer_id: 7, ..ExactlyOnceSemantics::default() };
        by_statistics.stats(Statistics { eos: Some(eos), ..Statistics::default() });
        assert!(by_statistics.is_numbered());
    }
}
