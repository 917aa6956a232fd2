//! What works with a login.

use crate::log;
use crate::stand::{Stand, config, fresh, is_usable, make, outgoing, soon};
use anyhow::Result;
use frame::{MAX_FRAME_BYTES, Timestamp};
use frame_bus::{Bus, BusConfig, ConsumerOptions, Security, TailEvent};

pub(crate) async fn a_login_sends_and_receives(stand: Stand) -> Result<()> {
    let login_only = Security { tls: None, login: Some(stand.login("site")?) };
    for config in [stand.as_user("site")?, config(&stand.login_only(), login_only)] {
        there_and_back(config.clone(), b"a frame".to_vec()).await?;
        let bus = Bus::open(config)?;
        is_usable(&bus).await?;
        assert_eq!(
            soon(bus.lag(&fresh("lag"), "mlvi-none")).await?.unwrap_err().to_string(),
            "topic 'mlvi-none': it is not there"
        );
    }
    let password = std::fs::read_to_string(stand.secret("site"))?;
    assert!(
        password.trim_end().len() >= 16 && !log::holds(password.trim_end()),
        "a password is in the log"
    );
    Ok(())
}

pub(crate) async fn the_largest_frame_passes_over_tls(stand: Stand) -> Result<()> {
    there_and_back(stand.as_user("site")?, vec![7; MAX_FRAME_BYTES]).await
}

/// Makes a topic, sends to it, reads it as a member, as a tail and by its place, and commits.
async fn there_and_back(config: BusConfig, payload: Vec<u8>) -> Result<()> {
    let bus = Bus::open(config)?;
    let (topic, group) = (fresh("traffic"), fresh("group"));
    make(&bus, &[&topic]).await?;
    let sent = soon(bus.send(outgoing(&topic, payload.clone()))).await??;
    let mut consumer = bus.consumer(ConsumerOptions {
        group: group.clone(),
        topic: topic.clone(),
        max_in_flight: 1,
    })?;
    let delivery = soon(consumer.recv()).await??;
    assert!(delivery.message.payload == payload, "other bytes came back");
    delivery.ack.done();
    consumer.close().await;
    assert_eq!(soon(bus.lag(&group, &topic)).await??.messages, 0);
    let mut tail = bus.tail(&topic, Timestamp::from_micros(0))?;
    let TailEvent::Message(message) = soon(tail.recv()).await?? else {
        anyhow::bail!("a message comes first")
    };
    assert!(message.payload == payload, "other bytes were tailed");
    let read = soon(bus.read_one(&topic, sent.partition, sent.offset)).await??;
    assert!(read.is_some_and(|message| message.payload == payload), "other bytes were read");
    Ok(())
}
