//! Sending and what arrives.

use crate::site::{Site, join, outgoing, receive, soon, topic};
use anyhow::Result;
use frame::{FrameId, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, ResultMessage, ServedBy, headers};
use frame_bus::{Bus, BusConfig, Outgoing, SendError, Sent};
use tokio_util::sync::CancellationToken;

pub(crate) async fn a_message_arrives_with_its_key_its_headers_and_its_place(
    site: Site,
) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "arrives", 3).await?;
    let headers = vec![
        ("a".to_owned(), b"1".to_vec()),
        ("empty".to_owned(), vec![]),
        ("a".to_owned(), vec![0, 255, 10]),
    ];
    let out =
        Outgoing { headers: headers.clone(), ..outgoing(&topic, "camera-1", [0u8, 1, 2, 255]) };
    let sent = soon(bus.send(out)).await??;
    let mut consumer = join(&bus, "g-arrives", &topic, 1)?;
    let delivery = receive(&mut consumer).await?;
    let message = &delivery.message;
    assert_eq!((message.partition, message.offset), (sent.partition, sent.offset));
    assert_eq!(
        (message.topic.as_str(), message.key.as_deref()),
        (topic.as_str(), Some(b"camera-1".as_slice()))
    );
    assert_eq!(
        (&message.headers, message.payload.as_slice()),
        (&headers, [0u8, 1, 2, 255].as_slice())
    );
    assert!(message.timestamp_ms.is_some_and(|ms| ms > 1_600_000_000_000));
    delivery.ack.done();
    consumer.close().await;
    Ok(())
}

pub(crate) async fn messages_of_one_key_stay_in_order(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "order", 4).await?;
    // many are under way together; on one thread each is handed over when its task first runs, in
    // the order of spawning
    let local = tokio::task::LocalSet::new();
    let mut running = tokio::task::JoinSet::new();
    for number in 0..60u32 {
        let (bus, topic) = (bus.clone(), topic.clone());
        let send =
            async move { (number, bus.send(outgoing(&topic, "one", number.to_string())).await) };
        running.spawn_local_on(send, &local);
    }
    let done = soon(local.run_until(running.join_all())).await?;
    let place = |(number, sent): (u32, Result<Sent, SendError>)| {
        sent.map(|sent| (sent.partition, sent.offset, number))
    };
    let mut places = done.into_iter().map(place).collect::<Result<Vec<_>, _>>()?;
    places.sort_unstable();
    assert!(places.windows(2).all(|pair| pair[0].0 == pair[1].0), "one key goes to one partition");
    assert_eq!(places.iter().map(|place| place.2).collect::<Vec<_>>(), (0..60).collect::<Vec<_>>());
    Ok(())
}

pub(crate) async fn the_largest_frame_passes_and_a_larger_message_is_refused(
    site: Site,
) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "large", 1).await?;
    let mut largest = outgoing(&topic, "camera", vec![7; MAX_FRAME_BYTES]);
    largest.headers = (0..20).map(|n| (format!("header-{n}"), vec![b'x'; 100])).collect();
    let fits_exactly =
        outgoing(&topic, "camera", vec![8; MAX_MESSAGE_BYTES - 128 - "camera".len()]);
    let too_large =
        outgoing(&topic, "camera", vec![9; MAX_MESSAGE_BYTES - 128 - "camera".len() + 1]);
    soon(bus.send(outgoing(&topic, "camera", "small"))).await??;
    soon(bus.send(largest.clone())).await??;
    soon(bus.send(fits_exactly.clone())).await??;
    let refused = soon(bus.send(too_large)).await?;
    assert!(
        matches!(refused, Err(SendError::TooLarge { limit: MAX_MESSAGE_BYTES, .. })),
        "{refused:?}"
    );
    let mut consumer = join(&bus, "g-large", &topic, 3)?;
    let mut got = Vec::new();
    for _ in 0..3 {
        let delivery = receive(&mut consumer).await?;
        got.push(delivery.message.payload.len());
        delivery.ack.done();
    }
    assert_eq!(got, [5, largest.payload.len(), fits_exactly.payload.len()]);
    consumer.close().await;
    Ok(())
}

pub(crate) async fn a_full_queue_is_a_value(site: Site) -> Result<()> {
    let bus = Bus::open(BusConfig { queue_bytes: 2 << 20, ..site.config() })?;
    let topic = topic(&bus, "full", 1).await?;
    let send = || bus.send(outgoing(&topic, "k", vec![0; 900 << 10]));
    // all four are handed over before the first can be acknowledged
    let (a, b, c, d) = soon(async { tokio::join!(biased; send(), send(), send(), send()) }).await?;
    let results = [a, b, c, d];
    assert!(results.iter().filter(|result| result.is_ok()).count() >= 2, "{results:?}");
    assert!(
        results.iter().any(|result| matches!(result, Err(SendError::QueueFull))),
        "{results:?}"
    );
    // and there is room again afterwards
    soon(send()).await??;
    Ok(())
}

pub(crate) async fn a_dead_letter_keeps_bytes_and_headers(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let source = topic(&bus, "dead-source", 1).await?;
    let dead = topic(&bus, "dead", 1).await?;
    let original = Outgoing {
        headers: vec![("h".into(), vec![1, 2])],
        ..outgoing(&source, "camera", [9u8; 1000])
    };
    soon(bus.send(original.clone())).await??;
    let mut consumer = join(&bus, "g-dead-source", &source, 1)?;
    let delivery = receive(&mut consumer).await?;
    soon(bus.dead_letter(&dead, &delivery.message, "cannot be decoded", &CancellationToken::new()))
        .await??;
    delivery.ack.done();
    consumer.close().await;
    let mut letters = join(&bus, "g-dead", &dead, 1)?;
    let letter = receive(&mut letters).await?.message;
    assert_eq!(
        (letter.key.as_deref(), &letter.payload),
        (Some(b"camera".as_slice()), &original.payload)
    );
    let header = |name: &str| {
        let found = letter.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    assert_eq!(letter.headers.first(), original.headers.first());
    assert_eq!(header(headers::ERROR).as_deref(), Some("cannot be decoded"));
    assert_eq!(header(headers::SOURCE_TOPIC), Some(source));
    assert_eq!(header(headers::SOURCE_PARTITION).as_deref(), Some("0"));
    assert_eq!(header(headers::SOURCE_OFFSET).as_deref(), Some("0"));
    letters.close().await;
    Ok(())
}

pub(crate) async fn a_dead_letter_that_would_be_too_large_is_dropped(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let source = topic(&bus, "dead-large-source", 1).await?;
    let dead = topic(&bus, "dead-large", 1).await?;
    // as large as can be sent: framing, key, and a header's name and lengths
    let padding = MAX_MESSAGE_BYTES - MAX_FRAME_BYTES - 128 - "camera".len() - "padding".len() - 10;
    let headers = vec![("padding".to_owned(), vec![b'x'; padding])];
    soon(bus.send(Outgoing { headers, ..outgoing(&source, "camera", vec![1; MAX_FRAME_BYTES]) }))
        .await??;
    soon(bus.send(outgoing(&source, "camera", "small"))).await??;
    let mut consumer = join(&bus, "g-dead-large-source", &source, 1)?;
    let shutdown = CancellationToken::new();
    for expected in [None, Some(Sent { partition: 0, offset: 0 })] {
        let delivery = receive(&mut consumer).await?;
        assert_eq!(
            soon(bus.dead_letter(&dead, &delivery.message, "odd", &shutdown)).await??,
            expected
        );
        delivery.ack.done();
    }
    consumer.close().await;
    Ok(())
}

pub(crate) async fn a_result_travels_with_its_key_and_headers(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "result", 1).await?;
    let list = [(headers::FRAME_ID.to_owned(), FrameId::fresh().to_string().into_bytes())];
    let result = ResultMessage::of_unreadable(&list, "odd", ServedBy::default()).unwrap();
    let sent = soon(bus.send_result(&topic, result.clone(), &CancellationToken::new())).await??;
    let message = soon(bus.read_one(&topic, sent.partition, sent.offset)).await??.unwrap();
    assert_eq!((message.key, message.headers), (Some(result.key.into_bytes()), result.headers));
    assert_eq!(message.payload, result.result.to_json());
    Ok(())
}
