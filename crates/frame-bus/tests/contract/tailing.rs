//! Following a topic without a group.

use crate::site::{Site, fresh, next, number_of, outgoing, send_numbers, soon, spec, topic};
use anyhow::{Result, bail};
use frame::Timestamp;
use frame_bus::{Cleanup, Table, TableEvent, Tail, TailEvent, TopicSpec};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

async fn number(tail: &mut Tail) -> Result<u32> {
    match next(tail).await? {
        TailEvent::Message(message) => number_of(&message.payload),
        TailEvent::CaughtUp => bail!("a message was expected"),
    }
}

pub(crate) async fn a_tail_begins_at_a_moment_and_says_when_it_has_caught_up(
    site: Site,
) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "tail", 3).await?;
    send_numbers(&bus, &topic, 0..10).await?;
    // the broker's times have millisecond steps
    tokio::time::sleep(Duration::from_millis(20)).await;
    let since = Timestamp::now();
    tokio::time::sleep(Duration::from_millis(5)).await;
    send_numbers(&bus, &topic, 10..30).await?;
    let mut tail = bus.tail(&topic, since)?;
    let mut other = bus.tail(&topic, since)?;
    for tail in [&mut tail, &mut other] {
        let mut old = BTreeSet::new();
        for _ in 10..30 {
            old.insert(number(tail).await?);
        }
        assert_eq!(old, (10..30).collect());
        assert_eq!(next(tail).await?, TailEvent::CaughtUp);
    }
    send_numbers(&bus, &topic, 30..31).await?;
    assert_eq!((number(&mut tail).await?, number(&mut other).await?), (30, 30));
    Ok(())
}

pub(crate) async fn a_tail_of_an_empty_topic_has_caught_up_at_once(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "tail-empty", 2).await?;
    let mut tail = bus.tail(&topic, Timestamp::from_micros(0))?;
    assert_eq!(next(&mut tail).await?, TailEvent::CaughtUp);
    send_numbers(&bus, &topic, 0..5).await?;
    let mut seen = BTreeSet::new();
    for _ in 0..5 {
        seen.insert(number(&mut tail).await?);
    }
    assert_eq!(seen, (0..5).collect());
    // one that begins later than everything has nothing to catch up with either
    let mut later = bus.tail(&topic, Timestamp::now() + Duration::from_secs(60))?;
    assert_eq!(next(&mut later).await?, TailEvent::CaughtUp);
    send_numbers(&bus, &topic, 5..6).await?;
    assert_eq!(number(&mut later).await?, 5);
    Ok(())
}

pub(crate) async fn a_tail_waits_for_its_topic_and_for_added_partitions(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let name = fresh("tail-later");
    let mut tail = bus.tail(&name, Timestamp::now())?;
    assert_eq!(next(&mut tail).await?, TailEvent::CaughtUp);
    soon(bus.ensure_topics(&[spec(&name, 1)], &CancellationToken::new())).await??;
    send_numbers(&bus, &name, 0..3).await?;
    for expected in 0..3 {
        assert_eq!(number(&mut tail).await?, expected);
    }
    let admin: AdminClient<DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", site.brokers()).create()?;
    let added =
        admin.create_partitions(&[NewPartitions::new(&name, 3)], &AdminOptions::new()).await?;
    assert!(added.iter().all(Result::is_ok), "{added:?}");
    // a fresh producer sees the new partitions at once
    let fresh = site.bus()?;
    let mut partitions = BTreeSet::new();
    let mut sent = 3;
    soon(async {
        while partitions.len() < 3 {
            soon(fresh.send(outgoing(&name, &sent.to_string(), sent.to_string()))).await??;
            sent += 1;
            if let Ok(event) = tokio::time::timeout(Duration::from_millis(50), tail.recv()).await
                && let TailEvent::Message(message) = event?
            {
                partitions.insert(message.partition);
            }
        }
        anyhow::Ok(())
    })
    .await?
}

async fn told(table: &mut Table) -> Result<TableEvent> {
    Ok(soon(table.recv()).await??)
}

fn set(key: &str, value: &str, offset: i64) -> TableEvent {
    TableEvent::Set { key: key.into(), value: value.into(), offset }
}

pub(crate) async fn a_table_follows_its_topic_and_is_replaced_with_it(site: Site) -> Result<()> {
    let (bus, shutdown) = (site.bus()?, CancellationToken::new());
    let name = fresh("table");
    let removed = |key: &str| TableEvent::Removed { key: key.into() };
    let mut table = bus.table(&name)?;
    assert_eq!(told(&mut table).await?, TableEvent::CaughtUp, "there is no topic yet");
    let spec = TopicSpec { cleanup: Cleanup::Compact { segment_bytes: 1 << 20 }, ..spec(&name, 1) };
    soon(bus.ensure_topics(std::slice::from_ref(&spec), &shutdown)).await??;
    let state = soon(bus.topics(std::slice::from_ref(&name))).await??;
    assert_eq!(state[0].settings.get("cleanup.policy").map(String::as_str), Some("compact"));
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        soon(bus.send(outgoing(&name, key, value))).await??;
    }
    soon(bus.delete_key(&name, "b")).await??;
    for expected in [set("a", "1", 0), set("b", "2", 1), set("a", "3", 2), removed("b")] {
        assert_eq!(told(&mut table).await?, expected);
    }
    let mut later = bus.table(&name)?;
    loop {
        match told(&mut later).await? {
            TableEvent::CaughtUp => break,
            TableEvent::Removed { key } => assert_eq!(key, "b"),
            TableEvent::Set { key, .. } => assert!(key == "a" || key == "b", "{key}"),
        }
    }

    let admin: AdminClient<DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", site.brokers()).create()?;
    let deleted = admin.delete_topics(&[&name], &AdminOptions::new()).await?;
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
    // a client that is told late that the topic is gone cannot make it again at once
    soon(async {
        while !bus.topics(std::slice::from_ref(&name)).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    })
    .await??;
    soon(site.bus()?.ensure_topics(&[spec], &shutdown)).await??;
    soon(site.bus()?.send(outgoing(&name, "c", "4"))).await??;
    let (mut rest, new) = (Vec::new(), set("c", "4", 0));
    // it may have been read before there was anything in it
    while rest.len() < 2 || !rest.contains(&new) {
        rest.push(told(&mut table).await?);
    }
    rest.retain(|event| *event != new);
    assert_eq!(rest[0], removed("a"), "the new topic does not have it");
    assert!(rest.len() == 1 || rest[1..] == [TableEvent::CaughtUp], "{rest:?}");
    Ok(())
}
