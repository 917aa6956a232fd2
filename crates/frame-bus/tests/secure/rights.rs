//! Who may do what.

use crate::log;
use crate::stand::{
    Stand, complains, config, fresh, is_usable, login, make, outgoing, script, soon, spec,
};
use anyhow::Result;
use frame::{Timestamp, Topics};
use frame_bus::{Bus, BusError, ConsumerOptions, Security, SendError, topic_specs};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn options(group: &str, topic: &str) -> ConsumerOptions {
    ConsumerOptions { group: group.into(), topic: topic.into(), max_in_flight: 1 }
}

/// The user, the right and the name of what is refused stand in the bus's state and, once, in the
/// log.
async fn is_told_once(bus: &Bus, words: &[&str]) -> Result<()> {
    complains(bus, words).await?;
    let lines = log::lines("ERROR", words);
    assert_eq!(lines.len(), 1, "{words:?}: {lines:?}");
    Ok(())
}

pub(crate) async fn the_cloud_may_do_its_work_and_nothing_else(stand: Stand) -> Result<()> {
    const GROUP: &str = "mlvi-cloud-inference";
    let topics = Topics::default();
    let shutdown = CancellationToken::new();
    let anyone = Bus::open(stand.anyone())?;
    soon(anyone.ensure_topics(&topic_specs(&topics, 2), &shutdown)).await??;

    let bus = Bus::open(stand.as_user("cloud")?)?;
    let its_own =
        [&topics.frames_cloud, &topics.results, &topics.dead_letter].map(|name| spec(name));
    soon(bus.ensure_topics(&its_own, &shutdown)).await??;
    let mut consumer = bus.consumer(options(GROUP, &topics.frames_cloud))?;
    let payload = fresh("frame").into_bytes();
    soon(anyone.send(outgoing(&topics.frames_cloud, payload.clone()))).await??;
    loop {
        // what an earlier run left is finished as well
        let delivery = soon(consumer.recv()).await??;
        let found = delivery.message.payload == payload;
        soon(bus.send(outgoing(&topics.results, *b"{}"))).await??;
        soon(bus.dead_letter(&topics.dead_letter, &delivery.message, "a test", &shutdown))
            .await??;
        delivery.ack.done();
        if found {
            break;
        }
    }
    soon(consumer.close()).await?;
    assert_eq!(soon(bus.lag(GROUP, &topics.frames_cloud)).await??.messages, 0);
    is_usable(&bus).await?;

    // a topic of the site: neither made nor seen
    let refused = soon(bus.ensure_topics(&[spec(&topics.frames)], &shutdown)).await?.unwrap_err();
    assert!(matches!(
        &refused,
        BusError::NotAllowed { what }
            if what.contains("user 'cloud'") && what.contains(&topics.frames)
    ));
    let refused = soon(bus.send(outgoing(&topics.frames_edge, *b"x"))).await?.unwrap_err();
    assert!(matches!(refused, SendError::BrokerAway { .. }), "{refused:?}");
    is_told_once(&bus, &["user 'cloud'", "write to topic", &topics.frames_edge]).await?;
    let refused = soon(bus.lag("mlvi-preprocessor", &topics.frames_cloud)).await?.unwrap_err();
    assert!(
        matches!(&refused, BusError::NotAllowed { what } if what.contains("'mlvi-preprocessor'")),
        "{refused}"
    );
    // it may write results, not read them
    let _tail = bus.tail(&topics.results, Timestamp::from_micros(0))?;
    is_told_once(&bus, &["user 'cloud'", "read topic", &topics.results]).await
}

pub(crate) async fn a_user_without_rights_is_told_what_it_lacks(stand: Stand) -> Result<()> {
    let anyone = Bus::open(stand.anyone())?;
    let (topic, group) = (fresh("hidden"), fresh("closed"));
    make(&anyone, &[&topic]).await?;

    let bus = Bus::open(stand.as_user("stranger")?)?;
    is_usable(&bus).await?;
    let mut consumer = bus.consumer(options(&group, &topic))?;
    let received = tokio::spawn(async move { consumer.recv().await.map(drop) });
    is_told_once(&bus, &["user 'stranger'", &group]).await?;
    let refused = soon(bus.send(outgoing(&topic, *b"x"))).await?.unwrap_err().to_string();
    assert!(
        refused.contains("user 'stranger' may not write to topic") && refused.contains(&topic),
        "{refused}"
    );
    is_told_once(&bus, &["user 'stranger'", "write to topic", &topic]).await?;
    // tried again and again, told once
    for _ in 0..3 {
        soon(bus.send(outgoing(&topic, *b"x"))).await?.unwrap_err();
    }
    is_told_once(&bus, &["user 'stranger'", "write to topic", &topic]).await?;
    assert!(!received.is_finished(), "it waits: somebody may allow it");
    received.abort();

    let _tail = bus.tail(&topic, Timestamp::from_micros(0))?;
    is_told_once(&bus, &["user 'stranger'", "read topic", &topic]).await?;
    let refused =
        soon(bus.ensure_topics(&[spec(&topic)], &CancellationToken::new())).await?.unwrap_err();
    assert!(refused.to_string().contains("`mlvi topics create`"), "{refused}");
    Ok(())
}

/// As at a first install: the unit logs in before anybody has given its user a right. For the
/// client's own producer that is final.
pub(crate) async fn rights_given_after_the_start_count_at_once(stand: Stand) -> Result<()> {
    let (user, topic, port) = (fresh("early"), fresh("first"), stand.port().to_string());
    if !script(&["user", &port, &user, "open sesame"]).await? {
        return Ok(());
    }
    make(&Bus::open(stand.anyone())?, &[&topic]).await?;
    let security = Security { tls: Some(stand.tls()), login: Some(login(&user, "open sesame")) };
    let bus = Bus::open(config(&stand.secure(), security))?;
    let (specs, shutdown) = ([spec(&topic)], CancellationToken::new());
    let in_place = tokio::spawn({
        let bus = bus.clone();
        async move { bus.topics_in_place(&specs, &shutdown, |_| ()).await }
    });
    // long enough for its producer to be refused
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(!in_place.is_finished() && bus.topics_state().borrow().is_err());
    script(&["allow", &port, &user, "mlvi"]).await?;
    assert!(soon(in_place).await??);
    assert_eq!(*bus.topics_state().borrow(), Ok(()));
    is_usable(&bus).await?;
    let sent = soon(bus.send(outgoing(&topic, *b"the first"))).await?;
    assert!(sent.is_ok(), "{sent:?}");
    Ok(())
}

/// The node writes down each denial: a bus that waits and works causes none.
pub(crate) async fn a_unit_asks_only_for_what_its_user_may_see(stand: Stand) -> Result<()> {
    let topics = Topics::default();
    let shutdown = CancellationToken::new();
    soon(Bus::open(stand.anyone())?.ensure_topics(&topic_specs(&topics, 2), &shutdown)).await??;
    let bus = Bus::open(stand.as_user("cloud")?)?;
    is_usable(&bus).await?;
    let its_own =
        [&topics.frames_cloud, &topics.results, &topics.dead_letter].map(|name| spec(name));
    assert!(soon(bus.topics_in_place(&its_own, &shutdown, |_| ())).await?);
    is_usable(&bus).await?;
    // several rounds of questions
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!((*bus.topics_state().borrow()).clone(), Ok(()));
    // one denial that is sure to be written down, so that reading the log means something
    soon(bus.lag("mlvi-cloud-inference", &topics.frames_edge)).await?.unwrap_err();
    let Some(log) = stand.node_log() else {
        requires::skip(requires::Requirement::KafkaScript, "the log of the node is not at hand");
        return Ok(());
    };
    let denied: Vec<&str> =
        log.lines().filter(|line| line.contains("User:cloud") && line.contains("enied")).collect();
    assert!(
        denied.iter().any(|line| line.contains(&topics.frames_edge)),
        "the node writes down no denials: {denied:?}"
    );
    let of_monitor: Vec<&&str> =
        denied.iter().filter(|line| line.contains("__consumer_offsets")).collect();
    assert!(of_monitor.is_empty(), "{of_monitor:?}");
    Ok(())
}

pub(crate) async fn a_table_that_may_not_be_read_leaves_its_bus_usable(stand: Stand) -> Result<()> {
    let anyone = Bus::open(stand.anyone())?;
    let topic = fresh("not-needed");
    make(&anyone, &[&topic]).await?;
    let bus = Bus::open(stand.as_user("stranger")?)?;
    is_usable(&bus).await?;
    let _table = bus.table(&topic)?;
    let words = ["user 'stranger'", "read topic", topic.as_str()];
    soon(async {
        while log::lines("WARN", &words).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await?;
    assert!(soon(bus.send(outgoing(&topic, *b"x"))).await?.is_err());
    assert!(log::lines("ERROR", &words).is_empty());
    is_usable(&bus).await
}
