//! A broker is stopped and started again on the same directory.

use crate::setup::{self, PATIENCE, create_topic, member, read_all, reader, send};
use embedded_broker::{Broker, BrokerConfig, BrokerError};
use rdkafka::admin::{AdminOptions, ResourceSpecifier};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::HashSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_committed_offsets_survive_a_restart() -> anyhow::Result<()> {
    let (broker, dir) = setup::start().await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    let producer = setup::producer(broker.address())?;
    for number in 0..10_u8 {
        send(&producer, "t", "key", &[number]).await?;
    }
    let consumer = member(broker.address(), "g", &[])?;
    let mut commit = TopicPartitionList::new();
    commit.add_partition_offset("t", 0, Offset::Offset(6))?;
    commit.find_partition("t", 0).expect("just added").set_metadata("a note\twith a tab");
    consumer.commit(&commit, CommitMode::Sync)?;
    drop((consumer, producer));
    broker.shutdown().await?;

    let broker = Broker::start(BrokerConfig::new(dir.path())).await?;
    assert_eq!(
        read_all(&reader(broker.address())?, "t", 0, Offset::Beginning)?.concat(),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    );
    let consumer = member(broker.address(), "g", &[])?;
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition("t", 0);
    let committed = consumer.committed_offsets(wanted, PATIENCE)?;
    let committed = committed.find_partition("t", 0).expect("the partition asked for");
    assert_eq!(
        (committed.offset(), committed.metadata()),
        (Offset::Offset(6), "a note\twith a tab")
    );
    consumer.subscribe(&["t"])?;
    assert_eq!(tokio::time::timeout(PATIENCE, consumer.recv()).await??.payload(), Some(&[6][..]));
    Ok(broker.shutdown().await?)
}

/// The clients are not told: they only see their connections break.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_under_load_lose_and_double_nothing() -> anyhow::Result<()> {
    const MESSAGES: u32 = 600;
    let (mut broker, dir, port) = setup::start_to_restart().await?;
    let address = broker.address();
    create_topic(address, "t", 3, &[]).await?;
    let producer = setup::producer(address)?;
    let consumer = member(address, "g", &[])?;
    consumer.subscribe(&["t"])?;
    let sending = tokio::spawn(async move {
        let mut sends = tokio::task::JoinSet::new();
        for number in 0..MESSAGES {
            let producer = producer.clone();
            sends.spawn(async move {
                send(&producer, "t", &number.to_string(), &number.to_be_bytes()).await
            });
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        sends.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()
    });
    let receiving = tokio::spawn(async move {
        let mut received = HashSet::new();
        while received.len() < MESSAGES as usize {
            match tokio::time::timeout(PATIENCE, consumer.recv()).await? {
                Ok(message) => _ = received.insert(message.payload().unwrap_or_default().to_vec()),
                Err(_broker_away) => {}
            }
        }
        anyhow::Ok(())
    });
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        broker.shutdown().await?;
        broker = setup::start_at(&port, &dir).await?;
    }
    let acknowledged = sending.await??;
    assert_eq!(acknowledged.len(), MESSAGES as usize);
    receiving.await??;
    let reader = reader(address)?;
    let mut kept = Vec::new();
    for partition in 0..3 {
        kept.extend(read_all(&reader, "t", partition, Offset::Beginning)?);
    }
    let distinct: HashSet<_> = kept.iter().collect();
    assert_eq!((kept.len(), distinct.len()), (MESSAGES as usize, MESSAGES as usize));
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_has_one_broker_at_a_time() -> anyhow::Result<()> {
    let (broker, dir) = setup::start().await?;
    let second = Broker::start(BrokerConfig::new(dir.path())).await;
    assert!(matches!(second, Err(BrokerError::DirInUse { .. })), "{second:?}");
    broker.shutdown().await?;
    Broker::start(BrokerConfig::new(dir.path())).await?.shutdown().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_and_a_useless_directory_are_errors_that_say_so() -> anyhow::Result<()> {
    let (broker, dir) = setup::start().await?;
    let other = tempfile::tempdir()?;
    let taken =
        Broker::start(BrokerConfig { listen: broker.address(), ..BrokerConfig::new(other.path()) })
            .await;
    assert!(matches!(taken, Err(BrokerError::Listen { .. })), "{taken:?}");
    let file = dir.path().join("a-file");
    std::fs::write(&file, "")?;
    let useless =
        Broker::start(BrokerConfig::new(&file)).await.expect_err("a file is no directory");
    assert!(useless.to_string().contains("a-file"), "{useless}");
    let nonsense = BrokerConfig { segment_bytes: 0, ..BrokerConfig::new(other.path()) };
    assert!(matches!(Broker::start(nonsense).await, Err(BrokerError::Config(_))));
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compacted_topic_keeps_the_last_record_of_each_key_over_restarts() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let config = || BrokerConfig {
        retention_interval: std::time::Duration::from_millis(20),
        ..BrokerConfig::new(dir.path())
    };
    let broker = Broker::start(config()).await?;
    let settings =
        [("cleanup.policy", "compact"), ("segment.bytes", "10000"), ("retention.ms", "1")];
    create_topic(broker.address(), "settings", 1, &settings).await?;
    let described = setup::admin(broker.address())?
        .describe_configs([&ResourceSpecifier::Topic("settings")], &AdminOptions::new())
        .await?
        .remove(0)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let cleanup = described.get("cleanup.policy").and_then(|entry| entry.value.as_deref());
    assert_eq!(cleanup, Some("compact"));

    let producer = setup::producer(broker.address())?;
    send(&producer, "settings", "policy", b"set once").await?;
    for number in 0..100_u8 {
        send(&producer, "settings", "heartbeat", &[number; 1000]).await?;
    }
    // one that reads while it is compacted loses no place, and none of what is kept
    let reader_before = reader(broker.address())?;
    let kept = |reader: &_| read_all(reader, "settings", 0, Offset::Beginning);
    let mut read = kept(&reader_before)?;
    while read.len() > 25 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        read = kept(&reader_before)?;
    }
    assert_eq!(read[0], b"set once");
    assert_eq!(read.last(), Some(&vec![99; 1000]));
    broker.shutdown().await?;

    let broker = Broker::start(config()).await?;
    let reader = reader(broker.address())?;
    let read = kept(&reader)?;
    assert_eq!((&read[0][..], read.last()), (&b"set once"[..], Some(&vec![99; 1000])));
    assert_eq!(reader.fetch_watermarks("settings", 0, PATIENCE)?, (0, 101));
    let producer = setup::producer(broker.address())?;
    assert_eq!(send(&producer, "settings", "policy", b"set again").await?, (0, 101));
    let keyless = rdkafka::producer::FutureRecord::<(), _>::to("settings").payload("no key");
    let (refused, _) = producer.send(keyless, PATIENCE).await.expect_err("it needs a key");
    assert!(refused.to_string().contains("InvalidRecord"), "{refused}");
    Ok(broker.shutdown().await?)
}
