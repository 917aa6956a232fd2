//! Whether a bus says that a consumer lacks the partitions that it ought to have.

use crate::site::{Site, join, receive, send_numbers, soon, topic};
use anyhow::{Context, Result};
use frame_bus::Readiness;
use std::time::Duration;

/// More members than partitions: one of them has nothing to do, and that is as it should be.
pub(crate) async fn a_surplus_member_is_in_place(site: Site) -> Result<()> {
    let buses = [site.bus()?, site.bus()?];
    let topic = topic(&buses[0], "surplus", 1).await?;
    let group = format!("g-{topic}");
    let mut members = Vec::new();
    for bus in &buses {
        let mut state = bus.groups_state();
        assert!(state.borrow().is_err(), "it has not joined");
        members.push(join(bus, &group, &topic, 1)?);
        soon(state.wait_for(Result::is_ok)).await.context("it joins")??;
    }
    // through the rebalances of both
    tokio::time::sleep(Duration::from_secs(4)).await;
    for bus in &buses {
        assert_eq!(*bus.groups_state().borrow(), Ok(()));
    }
    send_numbers(&buses[0], &topic, 0..1).await?;
    let (first, rest) = members.split_at_mut(1);
    tokio::select! {
        delivery = receive(&mut first[0]) => delivery?.ack.done(),
        delivery = receive(&mut rest[0]) => delivery?.ack.done(),
    }
    Ok(())
}

/// Away for longer than its session lasts, a member loses its partitions: until it has some again,
/// the bus says so.
pub(crate) async fn a_member_that_lost_its_partitions_says_since_when(site: Site) -> Result<()> {
    let Some(mut site) = site.into_own().await? else { return Ok(()) };
    let bus = site.bus()?;
    let topic = topic(&bus, "seat", 1).await?;
    let group = format!("g-{topic}");
    let mut state = bus.groups_state();
    let mut consumer = join(&bus, &group, &topic, 1)?;
    send_numbers(&bus, &topic, 0..1).await?;
    receive(&mut consumer).await?.ack.done();
    soon(state.wait_for(Result::is_ok)).await??;
    let told = |state: &Readiness| {
        state.as_ref().is_err_and(|unready| {
            let text = unready.to_string();
            [&topic, &group, "since 2"].iter().all(|part| text.contains(*part))
        })
    };
    site.restart(async {
        soon(state.wait_for(told)).await.context("it is told")??;
        Ok(())
    })
    .await?;
    soon(state.wait_for(Result::is_ok)).await.context("it is in place again")??;
    send_numbers(&bus, &topic, 1..2).await?;
    receive(&mut consumer).await?.ack.done();
    site.give_back().await
}
