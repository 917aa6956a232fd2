//! Questions about topics, groups and single messages.

use crate::site::{Site, fresh, join, outgoing, receive, send_numbers, soon, spec, topic};
use anyhow::Result;
use frame_bus::{BusError, Outgoing};
use std::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub(crate) async fn lag_counts_what_is_not_finished(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "lag", 2).await?;
    send_numbers(&bus, &topic, 0..20).await?;
    let lag = soon(bus.lag("g-lag", &topic)).await??;
    assert_eq!((lag.messages, lag.partitions.len()), (20, 2));
    assert!(lag.partitions.iter().all(|partition| partition.committed.is_none()), "{lag:?}");
    let mut consumer = join(&bus, "g-lag", &topic, 2)?;
    for _ in 0..5 {
        receive(&mut consumer).await?.ack.done();
    }
    consumer.close().await;
    let lag = soon(bus.lag("g-lag", &topic)).await??;
    assert_eq!(lag.messages, 15, "{lag:?}");
    let unknown = soon(bus.lag("g-lag", &fresh("nowhere"))).await?;
    assert!(matches!(unknown, Err(BusError::Topic { .. })), "{unknown:?}");
    Ok(())
}

pub(crate) async fn one_message_is_read_at_its_place(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "read", 2).await?;
    let mut places = Vec::new();
    for number in 0..12u8 {
        let out = Outgoing {
            headers: vec![("n".into(), vec![number])],
            ..outgoing(&topic, &number.to_string(), [number; 9])
        };
        places.push((number, soon(bus.send(out)).await??));
    }
    // back and forth: a read must not see what the one before had fetched ahead
    for (number, sent) in places.iter().rev().chain(places.iter().step_by(5)) {
        let message = soon(bus.read_one(&topic, sent.partition, sent.offset)).await??.unwrap();
        assert_eq!(
            (message.payload, message.headers),
            (vec![*number; 9], vec![("n".to_owned(), vec![*number])])
        );
        assert_eq!((message.partition, message.offset), (sent.partition, sent.offset));
    }
    for (name, partition, offset) in
        [(topic.as_str(), 0, 1000), (topic.as_str(), 9, 0), (&fresh("nowhere"), 0, 0)]
    {
        assert_eq!(soon(bus.read_one(name, partition, offset)).await??, None);
    }
    Ok(())
}

pub(crate) async fn topics_are_made_once_whoever_asks(site: Site) -> Result<()> {
    let (one, two) = (site.bus()?, site.bus()?);
    let specs = [spec(&fresh("made-a"), 1), spec(&fresh("made-b"), 3)];
    let shutdown = CancellationToken::new();
    let (a, b) = soon(async {
        tokio::join!(one.ensure_topics(&specs, &shutdown), two.ensure_topics(&specs, &shutdown))
    })
    .await?;
    a?;
    b?;
    // asking for more partitions of one that is there is a warning
    soon(one.ensure_topics(&[spec(&specs[0].name, 5)], &shutdown)).await??;
    assert_eq!(soon(one.lag("g-made", &specs[0].name)).await??.partitions.len(), 1);
    assert_eq!(soon(one.lag("g-made", &specs[1].name)).await??.partitions.len(), 3);
    let refused = soon(one.ensure_topics(&[spec("no spaces", 1)], &shutdown)).await?;
    assert!(matches!(refused, Err(BusError::Topic { .. })), "{refused:?}");
    Ok(())
}

pub(crate) async fn topics_that_are_there_are_in_place(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let name = topic(&bus, "in-place", 1).await?;
    let reports = Mutex::new(Vec::new());
    let report = |outcome| reports.lock().unwrap().push(outcome);
    assert!(soon(bus.topics_in_place(&[spec(&name, 1)], &CancellationToken::new(), report)).await?);
    assert_eq!(*reports.lock().unwrap(), [Ok(())]);
    // one that cannot be had is reported, and waited for until shutdown
    let shutdown = CancellationToken::new();
    let refused = |outcome: Result<(), BusError>| {
        assert!(outcome.is_err());
        shutdown.cancel();
    };
    assert!(!soon(bus.topics_in_place(&[spec("no spaces", 1)], &shutdown, refused)).await?);
    Ok(())
}
