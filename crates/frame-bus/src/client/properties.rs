//! The properties of every kind of client, and why they are as they are.

use crate::client::process::{client_id_ending, this_process};
use crate::config::BusConfig;
use crate::position::log_watch::NEEDED_LINES;
use frame::MAX_MESSAGE_BYTES;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use std::time::Duration;

/// How often a client tells how it is, in milliseconds.
const STATISTICS_MS: &str = "1000";

/// What a producer is asked to tell in its log: when the broker gives it its number. Its statistics
/// tell that too, but only after their interval, and the unit would be ready only then.
const NUMBER_LINES: &str = "eos";

fn common(config: &BusConfig) -> ClientConfig {
    let mut properties = ClientConfig::new();
    properties
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", &config.client_id)
        // back within a second after a broker's restart; librdkafka adds the jitter
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("retry.backoff.ms", "100")
        // small requests must not wait for a full packet
        .set("socket.nagle.disable", "true")
        .set("socket.keepalive.enable", "true")
        // only there the client says in which state a broker hung up; `LogContext` shows such lines
        // when debugging
        .set("log.connection.close", "true")
        .set_log_level(RDKafkaLogLevel::Info);
    config.security.apply(&mut properties);
    properties
}

/// The producer: everything is acknowledged by all in-sync replicas, in order and once per attempt
/// (`enable.idempotence` implies `acks=all` and at most five requests in flight).
pub(crate) fn producer(config: &BusConfig) -> ClientConfig {
    let mut properties = common(config);
    properties
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", config.send_timeout.as_millis().to_string())
        .set("linger.ms", config.linger.as_millis().to_string())
        .set("queue.buffering.max.kbytes", (config.queue_bytes / 1024).to_string())
        .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
        // the partition that Java clients choose for the same key
        .set("partitioner", "murmur2_random")
        // most frames are JPEGs: compressing them again costs time and saves nothing
        .set("compression.type", "none")
        // partitions that are added are used within half a minute
        .set("topic.metadata.refresh.interval.ms", "30000")
        // tell whether it has got its number, see `send::delivery_report`
        .set("statistics.interval.ms", STATISTICS_MS)
        .set("debug", NUMBER_LINES)
        .set_log_level(RDKafkaLogLevel::Debug);
    properties
}

/// What every client that fetches frames has in common: frames must not pile up by the hundred in a
/// client.
fn fetching(config: &BusConfig, group: &str) -> ClientConfig {
    let mut properties = common(config);
    properties
        .set("group.id", group)
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        // a partition is asked for more while fewer than this lie ready; too few, and a fast
        // consumer waits for each fetch
        .set("queued.min.messages", "16")
        // all that it keeps ready: one message of the largest size
        .set("queued.max.messages.kbytes", MAX_MESSAGE_BYTES.div_ceil(1024).to_string())
        // how soon it fetches again after that was full
        .set("fetch.queue.backoff.ms", "20")
        .set("fetch.error.backoff.ms", "200")
        // there is one fetch at a time: while it waits for an idle partition, the busy ones get
        // nothing new
        .set("fetch.wait.max.ms", "50")
        .set("fetch.max.bytes", MAX_MESSAGE_BYTES.to_string())
        // a few frames of each partition at a time, or one of uncompressed pixels; a broker gives
        // the first message whole whatever its size (KIP-74)
        .set("max.partition.fetch.bytes", (512 * 1024).to_string())
        // topics and partitions that appear later are seen within this time
        .set("topic.metadata.refresh.interval.ms", "3000")
        .set("debug", NEEDED_LINES)
        .set_log_level(RDKafkaLogLevel::Debug);
    properties
}

/// A member of a group.
///
/// Offsets are manual although `enable.auto.commit` is on: with `enable.auto.offset.store` off,
/// librdkafka commits only offsets that we stored, and we store only low-water marks of finished
/// work. What is left to it is the rhythm, and the repetition when a commit fails.
pub(crate) fn member(config: &BusConfig, group: &str) -> ClientConfig {
    let session = config.session_timeout;
    let heartbeat = (session / 10).clamp(Duration::from_millis(500), Duration::from_secs(3));
    // our thread polls all the time, so that this ends the membership of a process that hangs,
    // never of one that is slow
    let max_poll = (session * 2).max(Duration::from_secs(60));
    let mut properties = fetching(config, group);
    properties
        // who takes over a partition wants to know whether the process that had it still runs
        .set("client.id", config.client_id.clone() + &client_id_ending(this_process()))
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "500")
        // a member that comes or goes does not stop the others
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", session.as_millis().to_string())
        .set("heartbeat.interval.ms", heartbeat.as_millis().to_string())
        .set("max.poll.interval.ms", max_poll.as_millis().to_string())
        // tells whether it belongs to the group, see `health::membership`
        .set("statistics.interval.ms", STATISTICS_MS);
    properties
}

/// A reader of partitions that it names itself. librdkafka wants a group's name of it, which it
/// never joins nor commits to, but asks the broker about: so it begins as those that a user of ours
/// may use.
pub(crate) fn reader(config: &BusConfig) -> ClientConfig {
    let mut properties = fetching(config, &format!("mlvi-{}-reader", config.client_id));
    properties.set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    properties
}

/// A reader that is polled all the time, and whose statistics are therefore read.
pub(crate) fn tail(config: &BusConfig) -> ClientConfig {
    let mut properties = reader(config);
    properties.set("statistics.interval.ms", STATISTICS_MS);
    properties
}

/// A client that only asks. With a group it can ask for that group's committed offsets, without
/// joining it.
pub(crate) fn inquirer(config: &BusConfig, group: Option<&str>) -> ClientConfig {
    let mut properties = common(config);
    properties
        .set("enable.auto.commit", "false")
        // tells whether it knows a broker; the monitor reads it
        .set("statistics.interval.ms", STATISTICS_MS);
    // nobody reads its log between two questions
    properties.set_log_level(RDKafkaLogLevel::Emerg);
    if let Some(group) = group {
        properties.set("group.id", group);
    }
    properties
}

/// A client that makes topics.
pub(crate) fn admin(config: &BusConfig) -> ClientConfig {
    let mut properties = common(config);
    // rdkafka never fetches the log lines of such a client
    properties.set_log_level(RDKafkaLogLevel::Emerg);
    properties
}
