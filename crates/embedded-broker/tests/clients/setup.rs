//! Brokers and clients for tests.

use embedded_broker::{Broker, BrokerConfig};
use ports::ReservedPort;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, StreamConsumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;

/// No step of a test takes longer unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// A frame of 8 MiB with its framing.
pub(crate) const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024 + 64 * 1024;

/// A broker in a directory of its own.
pub(crate) async fn start() -> anyhow::Result<(Broker, TempDir)> {
    let dir = tempfile::tempdir()?;
    Ok((Broker::start(BrokerConfig::new(dir.path())).await?, dir))
}

/// The same on a port that stays its own while it is stopped: see [`start_at`].
pub(crate) async fn start_to_restart() -> anyhow::Result<(Broker, TempDir, ReservedPort)> {
    let (dir, port) = (tempfile::tempdir()?, ReservedPort::loopback()?);
    Ok((start_at(&port, &dir).await?, dir, port))
}

/// A broker with these data on this port.
pub(crate) async fn start_at(port: &ReservedPort, dir: &TempDir) -> anyhow::Result<Broker> {
    let config = BrokerConfig { listen: port.address(), ..BrokerConfig::new(dir.path()) };
    Ok(Broker::start(config).await?)
}

pub(crate) fn client(address: SocketAddr) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address.to_string());
    config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "100");
    config
}

pub(crate) fn admin(address: SocketAddr) -> anyhow::Result<AdminClient<DefaultClientContext>> {
    Ok(client(address).create()?)
}

pub(crate) async fn create_topic(
    address: SocketAddr,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> anyhow::Result<()> {
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (name, value) in settings {
        topic = topic.set(name, value);
    }
    for result in admin(address)?.create_topics(&[topic], &AdminOptions::new()).await? {
        result.map_err(|(name, error)| anyhow::anyhow!("{name}: {error}"))?;
    }
    Ok(())
}

/// An idempotent producer, as the units use it.
pub(crate) fn producer(address: SocketAddr) -> anyhow::Result<FutureProducer> {
    let mut config = client(address);
    config
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string());
    Ok(config.set("message.timeout.ms", "15000").create()?)
}

/// Sends and waits for the acknowledgement; gives partition and offset.
pub(crate) async fn send(
    producer: &FutureProducer,
    topic: &str,
    key: &str,
    payload: &[u8],
) -> anyhow::Result<(i32, i64)> {
    let record = FutureRecord::to(topic).key(key).payload(payload);
    let delivery = producer.send(record, PATIENCE).await.map_err(|(error, _)| error)?;
    Ok((delivery.partition, delivery.offset))
}

/// Sends to a partition with a time of its own.
pub(crate) async fn send_at(
    producer: &FutureProducer,
    topic: &str,
    partition: i32,
    timestamp: i64,
) -> anyhow::Result<i64> {
    let payload = timestamp.to_string();
    let record = FutureRecord::<(), _>::to(topic)
        .partition(partition)
        .timestamp(timestamp)
        .payload(&payload);
    Ok(producer.send(record, PATIENCE).await.map_err(|(error, _)| error)?.offset)
}

/// A consumer outside of any group.
pub(crate) fn reader(address: SocketAddr) -> anyhow::Result<BaseConsumer> {
    let mut config = client(address);
    config
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .set("fetch.error.backoff.ms", "20");
    config.set("check.crcs", "true").set("enable.partition.eof", "true");
    Ok(config.create()?)
}

/// All payloads of a partition from an offset on.
pub(crate) fn read_all(
    reader: &BaseConsumer,
    topic: &str,
    partition: i32,
    from: Offset,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut payloads = Vec::new();
    read_each(reader, topic, partition, from, |message| {
        payloads.push(message.payload().unwrap_or_default().to_vec())
    })?;
    Ok(payloads)
}

/// Shows every message of a partition from an offset on.
pub(crate) fn read_each(
    reader: &BaseConsumer,
    topic: &str,
    partition: i32,
    from: Offset,
    mut each: impl FnMut(&BorrowedMessage<'_>),
) -> anyhow::Result<()> {
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, from)?;
    reader.assign(&assignment)?;
    loop {
        match reader.poll(PATIENCE) {
            Some(Ok(message)) => each(&message),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) => return Err(error.into()),
            None => anyhow::bail!("no message within {PATIENCE:?}"),
        }
    }
}

/// A member of a group, as the units are, with timeouts for tests.
pub(crate) fn member(
    address: SocketAddr,
    group: &str,
    settings: &[(&str, &str)],
) -> anyhow::Result<StreamConsumer> {
    let mut config = client(address);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest");
    config.set("partition.assignment.strategy", "cooperative-sticky");
    config.set("session.timeout.ms", "1000").set("heartbeat.interval.ms", "100");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    Ok(config.create()?)
}
