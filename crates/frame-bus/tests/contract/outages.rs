//! The broker goes away and comes back.

use crate::site::{Site, join, number_of, outgoing, soon, topic};
use anyhow::Result;
use frame::Timestamp;
use frame_bus::{Readiness, TailEvent, Unready};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub(crate) async fn nothing_acknowledged_is_lost_when_the_broker_restarts(
    site: Site,
) -> Result<()> {
    const COUNT: u32 = 200;
    let Some(mut site) = site.into_own().await? else { return Ok(()) };
    let bus = site.bus()?;
    let topic = topic(&bus, "outage", 3).await?;
    let mut state = bus.state();
    soon(state.wait_for(Result::is_ok)).await??;

    let mut tail = bus.tail(&topic, Timestamp::from_micros(0))?;
    let tailing = tokio::spawn(async move {
        let mut seen = BTreeSet::new();
        while seen.len() < COUNT as usize {
            if let TailEvent::Message(message) = tail.recv().await? {
                seen.insert(number_of(&message.payload)?);
            }
        }
        anyhow::Ok(())
    });
    let mut consumer = join(&bus, "g-outage", &topic, 4)?;
    let seen_all = CancellationToken::new();
    let committed_all = CancellationToken::new();
    let consuming = tokio::spawn({
        let (seen_all, committed_all) = (seen_all.clone(), committed_all.clone());
        async move {
            let mut seen = BTreeSet::new();
            // a broker that forgets its groups gives some messages again: they are finished again
            while let Some(delivery) = committed_all.run_until_cancelled(consumer.recv()).await {
                let delivery = delivery?;
                seen.insert(number_of(&delivery.message.payload)?);
                delivery.ack.done();
                if seen.len() == COUNT as usize {
                    seen_all.cancel();
                }
            }
            consumer.close().await;
            anyhow::Ok(())
        }
    });
    let (half, mut reached) = tokio::sync::watch::channel(0);
    let sending = tokio::spawn({
        let (bus, topic) = (bus.clone(), topic.clone());
        async move {
            let shutdown = CancellationToken::new();
            for number in 0..COUNT {
                bus.send_persistently(
                    outgoing(&topic, &number.to_string(), number.to_string()),
                    &shutdown,
                )
                .await?;
                half.send_replace(number);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            anyhow::Ok(())
        }
    });

    soon(reached.wait_for(|number| *number >= COUNT / 2)).await??;
    site.restart(async {
        let reason = soon(state.wait_for(Result::is_err)).await??.clone();
        assert!(reason.is_err_and(|unready| !unready.to_string().is_empty()));
        Ok(())
    })
    .await?;
    soon(state.wait_for(Result::is_ok)).await??;
    soon(sending).await???;
    soon(tailing).await???;
    soon(seen_all.cancelled()).await?;
    soon(async {
        while bus.lag("g-outage", &topic).await?.messages > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    })
    .await??;
    committed_all.cancel();
    soon(consuming).await???;
    site.give_back().await
}

/// Who watches the bus hears of a full disk, and that trying is worth it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told() -> Result<()> {
    let site = Site::embedded_on(Some(4_000_000)).await?;
    let bus = site.bus()?;
    let topic = topic(&bus, "full", 1).await?;
    let mut state = bus.state();
    let is_full =
        |state: &Readiness| state.as_ref().is_err_and(|unready| *unready == Unready::NoSpace);
    tokio::time::timeout(Duration::from_secs(30), state.wait_for(Result::is_ok)).await??;
    let mut outcome = Ok(());
    for number in 0..100u32 {
        let sent = bus.send(outgoing(&topic, &number.to_string(), [7; 100_000])).await;
        if let Err(error) = sent {
            outcome = Err(error);
            break;
        }
    }
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("no space left"), "{error}");
    tokio::time::timeout(Duration::from_secs(30), state.wait_for(is_full)).await??;
    tokio::time::timeout(Duration::from_secs(30), state.wait_for(Result::is_ok)).await??;
    site.give_back().await
}
