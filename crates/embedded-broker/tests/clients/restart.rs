//! A broker is stopped and started again on the same directory.

use crate::setup::{self, PATIENCE, create_topic, member, read_all, reader, send};
use embedded_broker::{Broker, BrokerConfig, BrokerError};
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
