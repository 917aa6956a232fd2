//! What librdkafka says, as log lines of ours.

use crate::client::brokers::KnownBrokers;
use crate::error::codes::is_refused;
use crate::health::broker::Link;
use crate::position::log_watch::LogWatch;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, Statistics};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{debug, error, info, trace, warn};

/// The same words of a client are repeated in the log at most this often.
const REPEAT_AFTER: Duration = Duration::from_secs(30);

/// The context of every client: demotes the dozens of lines that an absent broker causes (the
/// monitor says it once), and tells the [`Link`] about trouble.
#[derive(Clone, Debug)]
pub(crate) struct LogContext {
    role: &'static str,
    link: Arc<Link>,
    logs: LogWatch,
    brokers: KnownBrokers,
    last: Arc<Mutex<Option<(String, Instant)>>>,
}

impl LogContext {
    pub(crate) fn new(role: &'static str, link: &Arc<Link>) -> Self {
        Self::watching(role, link, LogWatch::default())
    }

    /// The same for a client that receives: what its lines tell about logs is kept.
    pub(crate) fn watching(role: &'static str, link: &Arc<Link>, logs: LogWatch) -> Self {
        Self {
            role,
            link: Arc::clone(link),
            logs,
            brokers: KnownBrokers::default(),
            last: Arc::default(),
        }
    }

    /// The brokers that the client knows.
    pub(crate) fn brokers(&self) -> &KnownBrokers {
        &self.brokers
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Whether these words were not said a moment ago.
    pub(crate) fn is_news(&self, words: &str) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            last.as_ref().is_some_and(|(text, at)| text == words && at.elapsed() < REPEAT_AFTER);
        if !known {
            *last = Some((words.to_owned(), Instant::now()));
        }
        !known
    }
}

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, text: &str) {
        let client = self.role;
        // connections that fail or time out are reported through `error` as well, and counted by
        // the monitor
        if fac == "FAIL" {
            self.link.note_hint(text);
        }
        self.logs.note(fac, text);
        let transient = matches!(fac, "FAIL" | "ERROR" | "REQTMOUT" | "TIMEOUT" | "BROKERDOWN");
        match level {
            _ if transient => debug!(client, fac, text, "kafka client"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => {
                error!(client, fac, text, "kafka client");
            }
            RDKafkaLogLevel::Warning if self.is_news(text) => {
                warn!(client, fac, text, "kafka client")
            }
            RDKafkaLogLevel::Notice => info!(client, fac, text, "kafka client"),
            // every few seconds a dozen, for `LogWatch`
            RDKafkaLogLevel::Debug => trace!(client, fac, text, "kafka client"),
            _ => debug!(client, fac, text, "kafka client"),
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.brokers.note(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let client = self.role;
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                debug!(client, reason, "every broker is down");
                self.link.report_trouble();
            }
            // the monitor tells about it
            Some(code) if self.link.note_reason(code, reason) => {
                debug!(client, reason, "a broker is away, or refuses us")
            }
            // whoever asked or sent tells about it, and knows for which topic or group
            Some(code) if is_refused(code) => debug!(client, reason, "not allowed"),
            // no error at all; and what the consumer tells, which knows the topic's name
            Some(RDKafkaErrorCode::PartitionEOF | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                debug!(client, reason, "kafka client event");
            }
            _ if self.is_news(reason) => warn!(client, %error, reason, "kafka client error"),
            _ => debug!(client, %error, reason, "kafka client error"),
        }
    }
}

impl rdkafka::consumer::ConsumerContext for LogContext {}
