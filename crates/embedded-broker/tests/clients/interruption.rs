//! What a power cut or a full disk leaves behind must not keep new messages from anybody.

use crate::setup::{self, MAX_MESSAGE_BYTES, PATIENCE, create_topic, member, send};
use embedded_broker::{Broker, BrokerConfig};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Reads until this many different messages from the second round have come.
async fn read_new(consumer: &StreamConsumer, wanted: usize) -> anyhow::Result<()> {
    let mut seen = std::collections::HashSet::new();
    while seen.len() < wanted {
        match tokio::time::timeout(PATIENCE, consumer.recv()).await {
            Ok(Ok(message)) => {
                let payload = message.payload().unwrap_or_default();
                if payload.starts_with(b"new") {
                    seen.insert(payload.to_vec());
                }
            }
            Ok(Err(_broker_away)) => {}
            Err(_) => anyhow::bail!("{} of {wanted} messages", seen.len()),
        }
    }
    Ok(())
}

async fn read_and_commit(consumer: &StreamConsumer, count: usize) -> anyhow::Result<()> {
    for _ in 0..count {
        let message = tokio::time::timeout(PATIENCE, consumer.recv()).await??;
        consumer.commit_message(&message, CommitMode::Sync)?;
    }
    Ok(())
}

fn log_file(dir: &Path) -> PathBuf {
    dir.join("logs/t-0/00000000000000000000.log")
}

/// The log loses its tail while groups have committed all of it, and one client goes on living.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lost_its_tail_hides_no_new_message() -> anyhow::Result<()> {
    for share in [0.95, 0.75, 0.45, 0.5, 0.0] {
        let (broker, dir, port) = setup::start_to_restart().await?;
        let address = broker.address();
        create_topic(address, "t", 1, &[]).await?;
        let producer = setup::producer(address)?;
        for number in 0..10_u8 {
            send(&producer, "t", "key", &[number; 100]).await?;
        }
        let living = member(address, "living", &[])?;
        let second = member(address, "second", &[])?;
        for consumer in [&living, &second] {
            consumer.subscribe(&["t"])?;
            read_and_commit(consumer, 10).await?;
        }
        drop(second);
        broker.shutdown().await?;
        let len = fs::metadata(log_file(dir.path()))?.len();
        OpenOptions::new()
            .write(true)
            .open(log_file(dir.path()))?
            .set_len((len as f64 * share) as u64)?;

        let broker = setup::start_at(&port, &dir).await?;
        for number in 0..12 {
            send(&producer, "t", "key", format!("new {number}").as_bytes()).await?;
        }
        read_new(&living, 12)
            .await
            .map_err(|error| error.context(format!("a living client, {share} left")))?;
        let second = member(address, "second", &[])?;
        second.subscribe(&["t"])?;
        read_new(&second, 12)
            .await
            .map_err(|error| error.context(format!("a group, {share} left")))?;
        broker.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_in_the_middle_costs_one_message() -> anyhow::Result<()> {
    let (broker, dir) = setup::start().await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    let producer = setup::producer(broker.address())?;
    for number in 0..10_u8 {
        send(&producer, "t", "key", &[number]).await?;
    }
    broker.shutdown().await?;
    let mut bytes = fs::read(log_file(dir.path()))?;
    let middle = bytes.len() / 10 * 4 + 65;
    bytes[middle] ^= 1;
    fs::write(log_file(dir.path()), bytes)?;
    let broker = Broker::start(BrokerConfig::new(dir.path())).await?;
    let reader = setup::reader(broker.address())?;
    assert_eq!(
        setup::read_all(&reader, "t", 0, Offset::Beginning)?.concat(),
        [0, 1, 2, 3, 5, 6, 7, 8, 9]
    );
    assert_eq!(
        setup::read_all(&reader, "t", 0, Offset::Offset(4))?.concat(),
        [5, 6, 7, 8, 9],
        "from the lost one on"
    );
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_again_begins_without_positions() -> anyhow::Result<()> {
    let (broker, dir) = setup::start().await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    let producer = setup::producer(broker.address())?;
    for number in 0..10_u8 {
        send(&producer, "t", "key", &[number]).await?;
    }
    let consumer = member(broker.address(), "g", &[])?;
    let mut commit = TopicPartitionList::new();
    commit.add_partition_offset("t", 0, Offset::Offset(10))?;
    consumer.commit(&commit, CommitMode::Sync)?;
    drop((consumer, producer));
    // what a crash between the deletion of the topic and that of its offsets leaves
    let stale = fs::read(dir.path().join("offsets"))?;
    setup::admin(broker.address())?
        .delete_topics(&["t"], &rdkafka::admin::AdminOptions::new())
        .await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    for number in 0..12_u8 {
        send(&setup::producer(broker.address())?, "t", "key", &[number]).await?;
    }
    broker.shutdown().await?;
    fs::write(dir.path().join("offsets"), stale)?;
    let broker = Broker::start(BrokerConfig::new(dir.path())).await?;
    let consumer = member(broker.address(), "g", &[])?;
    consumer.subscribe(&["t"])?;
    let first = tokio::time::timeout(PATIENCE, consumer.recv()).await??;
    assert_eq!(first.payload(), Some(&[0][..]));
    drop(first);
    Ok(broker.shutdown().await?)
}

/// As the units' producers are: idempotent, and patient for ten seconds.
fn producer(broker: &Broker) -> anyhow::Result<FutureProducer> {
    let mut config = setup::client(broker.address());
    config
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string());
    Ok(config.set("message.timeout.ms", "10000").create()?)
}

async fn offer(producer: &FutureProducer, payload: &[u8]) -> Result<(), KafkaError> {
    let record = FutureRecord::to("t").key("key").payload(payload);
    producer.send(record, PATIENCE).await.map(drop).map_err(|(error, _)| error)
}

/// Fills the disk; gives how many messages were taken.
async fn fill(producer: &FutureProducer) -> anyhow::Result<usize> {
    for taken in 0..1000 {
        let started = Instant::now();
        match offer(producer, &[7; 100_000]).await {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(
                    error.rdkafka_error_code(),
                    Some(RDKafkaErrorCode::ThrottlingQuotaExceeded),
                    "{error}"
                );
                assert!(
                    started.elapsed() < Duration::from_secs(3),
                    "at once: {:?}",
                    started.elapsed()
                );
                return Ok(taken);
            }
        }
    }
    anyhow::bail!("the disk is never full")
}

/// A full disk refuses at once, what every group has finished makes room, and nothing that was
/// taken is lost.
async fn a_full_disk(config: BrokerConfig) -> anyhow::Result<()> {
    let dir = config.dir.clone();
    let broker = Broker::start(config).await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    let producer = producer(&broker)?;
    let taken = fill(&producer).await?;
    assert!(taken > 10, "{taken}");
    let consumer = member(broker.address(), "g", &[])?;
    consumer.subscribe(&["t"])?;
    read_and_commit(&consumer, taken).await?;
    let started = Instant::now();
    while let Err(error) = offer(&producer, b"new").await {
        anyhow::ensure!(started.elapsed() < PATIENCE, "never again: {error}; {}", dir.display());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    read_new(&consumer, 1).await?;
    drop(consumer);
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_the_disk_is_told_at_once_and_gives_way() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    a_full_disk(BrokerConfig { disk_bytes: Some(4_000_000), ..BrokerConfig::new(dir.path()) }).await
}

/// Unmounts when it goes.
struct Mount(PathBuf);

impl Mount {
    /// `None` where this may not be done.
    fn tmpfs(dir: &Path, size: &str) -> Option<Self> {
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(dir)
            .output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(dir.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_without_space_is_told_at_once_and_gives_way() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let Some(mount) = Mount::tmpfs(dir.path(), "8m") else {
        requires::skip(requires::Requirement::Root, "no small file system can be mounted");
        return Ok(());
    };
    a_full_disk(BrokerConfig::new(mount.0.join("broker"))).await
}
