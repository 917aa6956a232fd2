//! Receiving, finishing, and what comes again.

use crate::site::{Site, fresh, join, number_of, receive, send_numbers, soon, spec, topic};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub(crate) async fn a_commit_survives_a_restart_of_the_consumer(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "commit", 1).await?;
    send_numbers(&bus, &topic, 0..6).await?;
    let mut consumer = join(&bus, "g-commit", &topic, 2)?;
    for expected in 0..4 {
        let delivery = receive(&mut consumer).await?;
        assert_eq!(number_of(&delivery.message.payload)?, expected);
        delivery.ack.done();
    }
    consumer.close().await;
    let mut consumer = join(&bus, "g-commit", &topic, 2)?;
    let delivery = receive(&mut consumer).await?;
    assert_eq!(number_of(&delivery.message.payload)?, 4);
    drop(delivery);
    consumer.close().await;
    Ok(())
}

pub(crate) async fn unfinished_messages_come_again_and_finished_ones_do_not(
    site: Site,
) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "again", 1).await?;
    send_numbers(&bus, &topic, 0..6).await?;
    let mut consumer = join(&bus, "g-again", &topic, 6)?;
    let mut out = BTreeMap::new();
    for number in 0..6 {
        out.insert(number, receive(&mut consumer).await?.ack);
    }
    // 2 and 5 are never finished; 3 and 4 are, but stand behind 2
    for finished in [4, 0, 3, 1] {
        out.remove(&finished).unwrap().done();
    }
    consumer.close().await;
    drop(out);
    let mut consumer = join(&bus, "g-again", &topic, 6)?;
    for expected in 2..6 {
        let delivery = receive(&mut consumer).await?;
        assert_eq!(number_of(&delivery.message.payload)?, expected);
        delivery.ack.done();
    }
    consumer.close().await;
    assert_eq!(soon(bus.lag("g-again", &topic)).await??.messages, 0);
    Ok(())
}

pub(crate) async fn work_that_ends_in_any_order_is_committed_in_the_end(site: Site) -> Result<()> {
    const COUNT: u32 = 120;
    let bus = site.bus()?;
    let topic = topic(&bus, "parallel", 3).await?;
    send_numbers(&bus, &topic, 0..COUNT).await?;
    let mut consumer = join(&bus, "g-parallel", &topic, 16)?;
    let mut work = tokio::task::JoinSet::new();
    let mut seen = BTreeSet::new();
    for _ in 0..COUNT {
        let delivery = receive(&mut consumer).await?;
        let number = number_of(&delivery.message.payload)?;
        assert!(seen.insert(number), "{number} came twice");
        work.spawn(async move {
            // a length that has nothing to do with the order of arrival
            tokio::time::sleep(Duration::from_millis(u64::from(number * 37 % 23))).await;
            delivery.ack.done();
        });
    }
    while work.join_next().await.is_some() {}
    consumer.close().await;
    let lag = soon(bus.lag("g-parallel", &topic)).await??;
    assert_eq!(lag.messages, 0, "{lag:?}");
    assert!(
        lag.partitions.iter().all(|partition| partition.committed == Some(partition.high)),
        "{lag:?}"
    );
    Ok(())
}

pub(crate) async fn a_receive_that_is_cancelled_loses_nothing(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "cancel", 1).await?;
    let mut consumer = join(&bus, "g-cancel", &topic, 1)?;
    let sending = tokio::spawn({
        let (bus, topic) = (bus.clone(), topic.clone());
        async move { send_numbers(&bus, &topic, 0..50).await }
    });
    let mut expected = 0;
    let mut cancelled = 0;
    while expected < 50 {
        match tokio::time::timeout(Duration::from_micros(300), consumer.recv()).await {
            Ok(delivery) => {
                let delivery = delivery?;
                assert_eq!(number_of(&delivery.message.payload)?, expected);
                delivery.ack.done();
                expected += 1;
            }
            Err(_) => cancelled += 1,
        }
        anyhow::ensure!(cancelled < 500_000, "only {expected} came");
    }
    sending.await??;
    assert!(cancelled > 0);
    consumer.close().await;
    Ok(())
}

pub(crate) async fn no_more_than_the_allowed_deliveries_are_out(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "places", 1).await?;
    send_numbers(&bus, &topic, 0..4).await?;
    let mut consumer = join(&bus, "g-places", &topic, 2)?;
    let first = receive(&mut consumer).await?;
    let second = receive(&mut consumer).await?;
    assert!(tokio::time::timeout(Duration::from_millis(300), consumer.recv()).await.is_err());
    second.ack.done();
    let third = receive(&mut consumer).await?;
    assert!(tokio::time::timeout(Duration::from_millis(100), consumer.recv()).await.is_err());
    // giving up makes room as well
    drop(first);
    assert_eq!(number_of(&receive(&mut consumer).await?.message.payload)?, 3);
    third.ack.done();
    consumer.close().await;
    Ok(())
}

pub(crate) async fn back_pressure_loses_neither_membership_nor_messages(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "pressure", 2).await?;
    let mut consumer = join(&bus, "g-pressure", &topic, 1)?;
    send_numbers(&bus, &topic, 0..40).await?;
    let mut seen = BTreeSet::new();
    for round in 0..40 {
        let delivery = receive(&mut consumer).await?;
        let number = number_of(&delivery.message.payload)?;
        // a second delivery would show that the partitions went away and came back
        assert!(seen.insert(number), "{number} came twice");
        if round == 3 {
            // longer than the session: only a member that goes on polling and sending heartbeats is
            // still one afterwards
            tokio::time::sleep(site.config().session_timeout + Duration::from_secs(1)).await;
        }
        delivery.ack.done();
    }
    consumer.close().await;
    assert_eq!(soon(bus.lag("g-pressure", &topic)).await??.messages, 0);
    Ok(())
}

pub(crate) async fn a_topic_that_is_made_later_is_waited_for(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let name = fresh("later");
    let mut consumer = join(&bus, "g-later", &name, 1)?;
    assert!(tokio::time::timeout(Duration::from_secs(1), consumer.recv()).await.is_err());
    soon(bus.ensure_topics(&[spec(&name, 2)], &CancellationToken::new())).await??;
    send_numbers(&bus, &name, 7..8).await?;
    let delivery = receive(&mut consumer).await?;
    assert_eq!(number_of(&delivery.message.payload)?, 7);
    delivery.ack.done();
    consumer.close().await;
    Ok(())
}
