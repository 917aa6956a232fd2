//! Several members of one group.

use crate::site::{Site, join, number_of, receive, send_numbers, soon, topic};
use anyhow::Result;
use frame_bus::Consumer;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// What a member has received: which numbers out of which partitions.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<(BTreeSet<u32>, BTreeSet<i32>)>>);

/// Receives and finishes until it is told to stop, then leaves the group.
fn work(
    mut consumer: Consumer,
    record: Record,
    stop: CancellationToken,
) -> tokio::task::JoinHandle<Result<()>> {
    tokio::spawn(async move {
        loop {
            tokio::select! {
                delivery = consumer.recv() => {
                    let delivery = delivery?;
                    let number = number_of(&delivery.message.payload)?;
                    {
                        let mut seen = record.0.lock().unwrap();
                        seen.0.insert(number);
                        seen.1.insert(delivery.message.partition);
                    }
                    delivery.ack.done();
                }
                () = stop.cancelled() => break,
            }
        }
        consumer.close().await;
        Ok(())
    })
}

/// Sends until the condition holds; returns how many were sent in all.
async fn send_until(
    bus: &frame_bus::Bus,
    topic: &str,
    mut sent: u32,
    done: impl Fn() -> bool,
) -> Result<u32> {
    soon(async {
        while !done() {
            send_numbers(bus, topic, sent..sent + 8).await?;
            sent += 8;
        }
        anyhow::Ok(sent)
    })
    .await?
}

pub(crate) async fn two_members_share_partitions_and_one_leaves(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "share", 4).await?;
    let (one, two) = (Record::default(), Record::default());
    let (stop_one, stop_two) = (CancellationToken::new(), CancellationToken::new());
    let first = work(join(&bus, "g-share", &topic, 4)?, one.clone(), stop_one.clone());
    let partitions = |record: &Record| record.0.lock().unwrap().1.clone();
    let mut sent = send_until(&bus, &topic, 0, || partitions(&one).len() == 4).await?;
    let second = work(join(&bus, "g-share", &topic, 4)?, two.clone(), stop_two.clone());
    sent = send_until(&bus, &topic, sent, || partitions(&two).len() == 2).await?;
    // the first leaves: the second gets everything, without waiting for a session to time out
    stop_one.cancel();
    first.await??;
    sent = send_until(&bus, &topic, sent, || partitions(&two).len() == 4).await?;
    let all = || one.0.lock().unwrap().0.union(&two.0.lock().unwrap().0).count();
    soon(async {
        while all() < sent as usize {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await?;
    stop_two.cancel();
    second.await??;
    assert_eq!(soon(bus.lag("g-share", &topic)).await??.messages, 0);
    Ok(())
}

pub(crate) async fn work_that_a_member_leaves_behind_goes_to_the_other(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "behind", 1).await?;
    send_numbers(&bus, &topic, 0..3).await?;
    let mut first = join(&bus, "g-behind", &topic, 3)?;
    let held = [receive(&mut first).await?, receive(&mut first).await?, receive(&mut first).await?];
    let mut second = join(&bus, "g-behind", &topic, 3)?;
    first.close().await;
    for expected in 0..3 {
        let delivery = receive(&mut second).await?;
        assert_eq!(number_of(&delivery.message.payload)?, expected);
        if expected < 2 {
            delivery.ack.done();
        }
    }
    // acks of the assignment that has ended change nothing any more
    for late in held {
        late.ack.done();
    }
    second.close().await;
    assert_eq!(soon(bus.lag("g-behind", &topic)).await??.messages, 1);
    Ok(())
}

pub(crate) async fn a_partition_that_left_while_it_was_paused_comes_back_awake(
    site: Site,
) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "awake", 4).await?;
    let (one, two) = (Record::default(), Record::default());
    let (stop_one, stop_two) = (CancellationToken::new(), CancellationToken::new());
    let partitions = |record: &Record| record.0.lock().unwrap().1.clone();
    let mut first = join(&bus, "g-awake", &topic, 1)?;
    send_numbers(&bus, &topic, 0..40).await?;
    let held = receive(&mut first).await?;
    // a member that is held up for longer than a second pauses what it has
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let second = work(join(&bus, "g-awake", &topic, 4)?, two.clone(), stop_two.clone());
    let mut sent = send_until(&bus, &topic, 40, || partitions(&two).len() == 2).await?;
    // only now does the first go on, without the two that have left it
    held.ack.done();
    let first = work(first, one.clone(), stop_one.clone());
    sent = send_until(&bus, &topic, sent, || partitions(&one).len() == 2).await?;
    stop_two.cancel();
    second.await??;
    send_until(&bus, &topic, sent, || partitions(&one).len() == 4).await?;
    stop_one.cancel();
    first.await??;
    Ok(())
}
