//! Groups whose members come, go and die.

use crate::setup::{self, PATIENCE, create_topic, member, send};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::message::Message;
use rdkafka::producer::FutureProducer;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

const PARTITIONS: i32 = 4;

/// Polls both members until each has been given `share` partitions and together they have all.
async fn settle(members: &[&StreamConsumer], shares: &[usize]) -> anyhow::Result<()> {
    let settled = async {
        loop {
            for member in members {
                // messages do not matter here, but only who polls takes part in a rebalance
                let _ = tokio::time::timeout(Duration::from_millis(20), member.recv()).await;
            }
            let counts: Vec<_> = members
                .iter()
                .map(|member| member.assignment().map_or(0, |given| given.count()))
                .collect();
            if counts == shares {
                return;
            }
        }
    };
    Ok(tokio::time::timeout(PATIENCE, settled).await?)
}

async fn topic_with_messages(address: SocketAddr, count: usize) -> anyhow::Result<FutureProducer> {
    create_topic(address, "t", PARTITIONS, &[]).await?;
    let producer = setup::producer(address)?;
    for number in 0..count {
        send(&producer, "t", &number.to_string(), number.to_string().as_bytes()).await?;
    }
    Ok(producer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_share_the_partitions_and_take_over_when_one_leaves() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    create_topic(broker.address(), "t", PARTITIONS, &[]).await?;
    for strategy in ["cooperative-sticky", "range"] {
        let settings = [("partition.assignment.strategy", strategy)];
        let first = member(broker.address(), strategy, &settings)?;
        first.subscribe(&["t"])?;
        settle(&[&first], &[4]).await?;
        let second = member(broker.address(), strategy, &settings)?;
        second.subscribe(&["t"])?;
        settle(&[&first, &second], &[2, 2]).await?;
        drop(second); // says goodbye
        settle(&[&first], &[4]).await?;
    }
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_dies_is_replaced_and_nothing_is_missed() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    let producer = topic_with_messages(broker.address(), 40).await?;
    // static members do not say goodbye: for the broker one that is dropped has died
    let first = member(broker.address(), "g", &[("group.instance.id", "first")])?;
    first.subscribe(&["t"])?;
    settle(&[&first], &[4]).await?;
    let second = member(broker.address(), "g", &[("group.instance.id", "second")])?;
    second.subscribe(&["t"])?;
    settle(&[&first, &second], &[2, 2]).await?;
    drop(first);
    settle(&[&second], &[4]).await?;

    let after: HashSet<String> = (100..140).map(|number| number.to_string()).collect();
    for payload in &after {
        send(&producer, "t", payload, payload.as_bytes()).await?;
    }
    let mut missing = after;
    while !missing.is_empty() {
        let message = tokio::time::timeout(PATIENCE, second.recv()).await??;
        missing.remove(std::str::from_utf8(message.payload().unwrap_or_default())?);
    }
    Ok(broker.shutdown().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_goes_on_where_the_one_before_has_committed() -> anyhow::Result<()> {
    let (broker, _dir) = setup::start().await?;
    let _producer = topic_with_messages(broker.address(), 30).await?;
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let consumer = member(broker.address(), "g", &[])?;
        consumer.subscribe(&["t"])?;
        for _ in 0..10 {
            let message = tokio::time::timeout(PATIENCE, consumer.recv()).await??;
            assert!(
                seen.insert(message.payload().unwrap_or_default().to_vec()),
                "a committed message came again"
            );
            consumer.commit_message(&message, CommitMode::Sync)?;
        }
    }
    assert_eq!(seen.len(), 30);
    Ok(broker.shutdown().await?)
}
