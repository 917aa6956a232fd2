//! How to reach the broker, and how long to wait for it.

pub(crate) mod security;
pub(crate) mod topics;

use crate::config::security::Security;
use settings::Settings;
use std::str::FromStr;
use std::time::Duration;

/// The brokers of a unit whose settings name none.
pub const DEFAULT_BROKERS: &str = "localhost:9092";

/// Everything that a [`Bus`](crate::Bus) needs to know.
#[derive(Clone, Debug)]
pub struct BusConfig {
    /// `HOST:PORT` of one or more brokers, comma-separated.
    pub brokers: String,
    /// What the brokers' listener wants: TLS, a login.
    pub security: Security,
    /// The name under which the broker knows this client.
    pub client_id: String,
    /// How long one attempt to send may take until the broker's acknowledgement.
    pub send_timeout: Duration,
    /// How much may wait in the producer's queue, in bytes; what goes beyond is
    /// [`SendError::QueueFull`](crate::SendError).
    pub queue_bytes: usize,
    /// How many bytes of messages each consumer may have in hand; a message that is larger is in
    /// hand alone.
    pub in_hand_bytes: usize,
    /// How long the producer waits for company before it sends a message.
    pub linger: Duration,
    /// After this time without a heartbeat a member's partitions go to the others of its group.
    pub session_timeout: Duration,
    /// How many brokers keep each new topic; -1 leaves it to the broker.
    pub replication_factor: i16,
}

impl BusConfig {
    /// Below this, two of the largest messages could not wait: a single client would be refused.
    pub const MIN_QUEUE_BYTES: usize = 17 * 1024 * 1024;

    /// The defaults, for these brokers.
    pub fn new(brokers: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            security: Security::default(),
            client_id: client_id.into(),
            send_timeout: Duration::from_secs(10),
            // eight frames of the largest size, or some seconds of several cameras
            queue_bytes: 64 * 1024 * 1024,
            in_hand_bytes: 1024 * 1024 * 1024,
            // a frame goes three times over the bus, and each wait adds up; what comes while a
            // request is on its way goes together all the same
            linger: Duration::ZERO,
            // longer than a unit drains, so that a restart hands its partitions over instead of
            // losing them
            session_timeout: Duration::from_secs(30),
            replication_factor: 1,
        }
    }

    /// Reads `MLVI_BROKERS` and the `MLVI_KAFKA_*` variables.
    pub fn from_settings(settings: &mut Settings, client_id: &str) -> Self {
        Self::from_settings_or(settings, Self::new(DEFAULT_BROKERS, client_id))
    }

    /// The same with other defaults, e.g. bounds that fit the memory that there is.
    /// [`BusConfig::MIN_QUEUE_BYTES`] is the least that may be set.
    pub fn from_settings_or(settings: &mut Settings, default: Self) -> Self {
        let seconds = Duration::from_secs;
        let brokers: Brokers = settings.parsed(
            "MLVI_BROKERS",
            &default.brokers,
            "HOST:PORT, or several of them separated by commas",
            "Kafka brokers to start from",
        );
        let security = Security::from_settings(settings);
        let send_timeout = settings.duration(
            "MLVI_KAFKA_SEND_TIMEOUT",
            default.send_timeout,
            seconds(1)..=seconds(300),
            "how long one attempt to send may take until the broker's acknowledgement",
        );
        let queue_mib = settings.number(
            "MLVI_KAFKA_QUEUE_MIB",
            default.queue_bytes >> 20,
            // less than two of the largest messages would refuse a single client
            Self::MIN_QUEUE_BYTES >> 20..=2047,
            "how much may wait for the broker in this process, in MiB; the default follows the \
             memory that there is",
        );
        let in_hand_mib = settings.number(
            "MLVI_IN_HAND_MIB",
            default.in_hand_bytes >> 20,
            1..=1_048_576,
            "how much each consumer may have in hand, in MiB of messages; the default follows the \
             memory that there is",
        );
        let linger = settings.duration(
            "MLVI_KAFKA_LINGER",
            default.linger,
            Duration::ZERO..=Duration::from_millis(100),
            "how long the producer waits for more messages before it sends one",
        );
        let session_timeout = settings.duration(
            "MLVI_KAFKA_SESSION_TIMEOUT",
            default.session_timeout,
            // what Apache Kafka allows by default
            seconds(6)..=seconds(300),
            "after this time without a heartbeat a member's partitions go to others",
        );
        let replication_factor = settings.number(
            "MLVI_KAFKA_REPLICATION",
            default.replication_factor,
            -1..=9,
            "how many brokers keep each new topic; -1 leaves it to the broker",
        );
        Self {
            brokers: brokers.0,
            security,
            client_id: default.client_id,
            send_timeout,
            queue_bytes: queue_mib << 20,
            in_hand_bytes: in_hand_mib << 20,
            linger,
            session_timeout,
            replication_factor,
        }
    }
}

struct Brokers(String);

impl FromStr for Brokers {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_address = |part: &str| {
            let Some((host, port)) = part.trim().rsplit_once(':') else { return false };
            !host.is_empty()
                && !host.contains(char::is_whitespace)
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        if text.split(',').all(is_address) { Ok(Self(text.into())) } else { Err("not HOST:PORT") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_allowed_values() {
        let mut settings = Settings::from_pairs::<&str, &str>([]);
        let config = BusConfig::from_settings(&mut settings, "test");
        settings.finish().unwrap();
        assert_eq!((config.brokers.as_str(), config.queue_bytes), ("localhost:9092", 64 << 20));
    }

    #[test]
    fn brokers_are_addresses() {
        for good in ["localhost:9092", "a:1,b:2", "a:1, b:2", "[::1]:9092"] {
            assert!(good.parse::<Brokers>().is_ok(), "{good}");
        }
        for bad in ["", "localhost", "a:0", "a:b", ":9092", "a:1,", "a b:1"] {
            assert!(bad.parse::<Brokers>().is_err(), "{bad}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        let pairs = [
            ("MLVI_BROKERS", "nowhere"),
            ("MLVI_KAFKA_QUEUE_MIB", "1"),
            ("MLVI_KAFKA_REPLICATION", "x"),
        ];
        let mut settings = Settings::from_pairs(pairs);
        BusConfig::from_settings(&mut settings, "test");
        let text = settings.finish().unwrap_err().to_string();
        assert!(pairs.iter().all(|(name, _)| text.contains(name)), "{text}");
    }
}
