//! With no broker at all: nothing waits for ever, nothing fails for good.

use crate::site::{outgoing, soon, spec};
use anyhow::Result;
use frame::Timestamp;
use frame_bus::{Bus, BusConfig, BusError, ConsumerOptions, SendError};
use std::pin::pin;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Port 1 is never a broker.
fn nobody() -> BusConfig {
    BusConfig { send_timeout: Duration::from_secs(1), ..BusConfig::new("127.0.0.1:1", "absent") }
}

#[tokio::test]
async fn the_state_says_why() -> Result<()> {
    let bus = Bus::open(nobody())?;
    let mut state = bus.state();
    let reason = soon(state.wait_for(|state| {
        state.as_ref().is_err_and(|unready| unready.to_string().contains("127.0.0.1:1"))
    }))
    .await??
    .clone();
    assert!(reason.is_err());
    Ok(())
}

#[tokio::test]
async fn sending_persistently_ends_with_shutdown() -> Result<()> {
    let bus = Bus::open(nobody())?;
    let shutdown = CancellationToken::new();
    let sending = bus.send_persistently(outgoing("t", "k", "x"), &shutdown);
    let result = soon(async {
        tokio::pin!(sending);
        // it goes on over several attempts, until it is told to end
        assert!(tokio::time::timeout(Duration::from_millis(1500), &mut sending).await.is_err());
        shutdown.cancel();
        sending.await
    })
    .await?;
    assert_eq!(result, Err(SendError::ShuttingDown));
    Ok(())
}

#[tokio::test]
async fn waiting_for_topics_ends_with_shutdown() -> Result<()> {
    let bus = Bus::open(nobody())?;
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let result = soon(bus.ensure_topics(&[spec("t", 1)], &shutdown)).await?;
    assert_eq!(result, Err(BusError::ShuttingDown));
    Ok(())
}

#[tokio::test]
async fn topics_are_not_in_place_after_a_shutdown() -> Result<()> {
    let bus = Bus::open(nobody())?;
    let shutdown = CancellationToken::new();
    let specs = [spec("t", 1)];
    let mut in_place =
        pin!(bus.topics_in_place(&specs, &shutdown, |outcome| assert!(outcome.is_err())));
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut in_place).await.is_err());
    shutdown.cancel();
    assert!(!soon(in_place).await?);
    Ok(())
}

#[tokio::test]
async fn consumers_and_tails_wait_and_can_be_closed() -> Result<()> {
    let bus = Bus::open(nobody())?;
    let mut consumer =
        bus.consumer(ConsumerOptions { group: "g".into(), topic: "t".into(), max_in_flight: 1 })?;
    let mut tail = bus.tail("t", Timestamp::now())?;
    let both = async { tokio::join!(consumer.recv(), tail.recv()) };
    assert!(tokio::time::timeout(Duration::from_millis(700), both).await.is_err());
    soon(consumer.close()).await?;
    drop(tail);
    soon(bus.close(Duration::from_secs(1))).await?;
    Ok(())
}

#[tokio::test]
async fn questions_are_answered_with_an_error() -> Result<()> {
    let bus = Bus::open(nobody())?;
    assert!(matches!(soon(bus.lag("g", "t")).await?, Err(BusError::BrokerAway { .. })));
    assert!(matches!(soon(bus.read_one("t", 0, 0)).await?, Err(BusError::BrokerAway { .. })));
    Ok(())
}
