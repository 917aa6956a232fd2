//! Topics and groups are administered.

use crate::setup::{self, PATIENCE, create_topic, member, read_all, reader, send};
use rdkafka::admin::{AdminOptions, NewPartitions, ResourceSpecifier};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_created_described_grown_and_deleted() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    let admin = setup::admin(broker.address())?;
    create_topic(broker.address(), "t", 2, &[("retention.ms", "5000")]).await?;
    let again = create_topic(broker.address(), "t", 2, &[]).await.expect_err("it is there");
    assert!(again.to_string().contains("TopicAlreadyExists"), "{again}");
    let compacted = create_topic(broker.address(), "c", 2, &[("cleanup.policy", "compact,delete")])
        .await
        .expect_err("not on offer");
    assert!(compacted.to_string().contains("InvalidConfig"), "{compacted}");

    let described = admin
        .describe_configs([&ResourceSpecifier::Topic("t")], &AdminOptions::new())
        .await?
        .remove(0);
    let described = described.map_err(|error| anyhow::anyhow!("{error}"))?;
    let value = |name: &str| described.get(name).and_then(|entry| entry.value.clone());
    assert_eq!(value("retention.ms").as_deref(), Some("5000"));
    assert_eq!(value("segment.bytes").as_deref(), Some("67108864"));

    let grown =
        admin.create_partitions(&[NewPartitions::new("t", 5)], &AdminOptions::new()).await?;
    assert_eq!(grown, [Ok("t".to_owned())]);
    let metadata = |topic| admin.inner().fetch_metadata(Some(topic), PATIENCE);
    assert_eq!(metadata("t")?.topics()[0].partitions().len(), 5);

    assert_eq!(admin.delete_topics(&["t"], &AdminOptions::new()).await?, [Ok("t".to_owned())]);
    assert!(metadata("t")?.topics()[0].error().is_some());
    let gone = admin.delete_topics(&["t"], &AdminOptions::new()).await?;
    assert_eq!(gone, [Err(("t".to_owned(), RDKafkaErrorCode::UnknownTopicOrPartition))]);
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_not_made_by_asking_for_it() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    let admin = setup::admin(broker.address())?;
    let metadata = admin.inner().fetch_metadata(Some("nothing"), PATIENCE)?;
    assert_eq!(
        metadata.topics()[0].error(),
        Some(rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    );
    assert_eq!(admin.inner().fetch_metadata(None, PATIENCE)?.topics().len(), 0);
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_records_cannot_be_read() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    let producer = setup::producer(broker.address())?;
    for number in 0..10_u8 {
        send(&producer, "t", "key", &[number]).await?;
    }
    let mut before = TopicPartitionList::new();
    before.add_partition_offset("t", 0, Offset::Offset(4))?;
    setup::admin(broker.address())?.delete_records(&before, &AdminOptions::new()).await?;
    let reader = reader(broker.address())?;
    assert_eq!(reader.fetch_watermarks("t", 0, PATIENCE)?, (4, 10));
    assert_eq!(read_all(&reader, "t", 0, Offset::Beginning)?.concat(), [4, 5, 6, 7, 8, 9]);
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_listed_and_forgotten() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    create_topic(broker.address(), "t", 1, &[]).await?;
    let admin = setup::admin(broker.address())?;
    send(&setup::producer(broker.address())?, "t", "key", b"payload").await?;
    let consumer = member(broker.address(), "g", &[("client.id", "somebody")])?;
    consumer.subscribe(&["t"])?;
    let message = tokio::time::timeout(PATIENCE, consumer.recv()).await??;
    consumer.commit_message(&message, CommitMode::Sync)?;
    drop(message);

    let list = admin.inner().fetch_group_list(None, PATIENCE)?;
    let group = &list.groups()[0];
    assert_eq!(
        (group.name(), group.state(), group.protocol()),
        ("g", "Stable", "cooperative-sticky")
    );
    assert_eq!(group.members()[0].client_id(), "somebody");
    let busy = admin.delete_groups(&["g"], &AdminOptions::new()).await?;
    assert_eq!(busy, [Err(("g".to_owned(), RDKafkaErrorCode::NonEmptyGroup))]);
    drop(consumer);
    let mut deleted = busy;
    while deleted[0].is_err() {
        deleted = admin.delete_groups(&["g"], &AdminOptions::new()).await?;
    }
    assert!(admin.inner().fetch_group_list(None, PATIENCE)?.groups().is_empty());
    Ok(broker.shutdown().await?)
}
