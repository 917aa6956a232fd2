//! Logs that are not what they were: made again, cut, or without their beginning.

use crate::site::{
    Site, join, next, number_of, outgoing, receive, send_numbers, soon, spec, topic,
};
use anyhow::{Context, Result, bail};
use frame::Timestamp;
use frame_bus::{Bus, Consumer, Readiness, Tail, TailEvent};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Long enough for every client to see that the topic is gone, and too short for any.
const GAPS: [Duration; 2] = [Duration::from_secs(6), Duration::ZERO];

fn admin(site: &Site) -> Result<AdminClient<DefaultClientContext>> {
    Ok(ClientConfig::new().set("bootstrap.servers", site.brokers()).create()?)
}

async fn delete(site: &Site, topic: &str) -> Result<()> {
    let deleted = admin(site)?.delete_topics(&[topic], &AdminOptions::new()).await?;
    anyhow::ensure!(deleted.iter().all(Result::is_ok), "{deleted:?}");
    Ok(())
}

/// Deletes the topic and makes it again. A broker deletes in the background, and then takes the
/// name again.
async fn make_again(site: &Site, topic: &str, partitions: i32, gap: Duration) -> Result<()> {
    delete(site, topic).await?;
    tokio::time::sleep(gap).await;
    let bus = site.bus()?;
    soon(bus.ensure_topics(&[spec(topic, partitions)], &CancellationToken::new())).await??;
    Ok(())
}

/// As a client would that has never met the topic before: the producer of a bus goes on after a
/// while.
async fn send_fresh(site: &Site, topic: &str, numbers: std::ops::Range<u32>) -> Result<()> {
    send_numbers(&site.bus()?, topic, numbers).await
}

/// Reads until all of these numbers have come, some of them twice.
async fn tail_sees(tail: &mut Tail, numbers: std::ops::Range<u32>) -> Result<()> {
    let mut missing: BTreeSet<u32> = numbers.collect();
    while !missing.is_empty() {
        match next(tail).await.with_context(|| format!("{missing:?} have not come"))? {
            TailEvent::Message(message) => drop(missing.remove(&number_of(&message.payload)?)),
            TailEvent::CaughtUp => bail!("it had caught up before"),
        }
    }
    Ok(())
}

async fn member_sees(consumer: &mut Consumer, numbers: std::ops::Range<u32>) -> Result<()> {
    let mut missing: BTreeSet<u32> = numbers.collect();
    while !missing.is_empty() {
        let delivery =
            receive(consumer).await.with_context(|| format!("{missing:?} have not come"))?;
        missing.remove(&number_of(&delivery.message.payload)?);
        delivery.ack.done();
    }
    Ok(())
}

/// All is finished while the member is still there, and stays so when it has left: what is
/// committed fits the log that there is.
async fn is_finished(
    bus: &Bus,
    group: &str,
    topic: &str,
    consumer: &mut Consumer,
    ends: &[i64],
) -> Result<()> {
    let finished =
        async {
            loop {
                let lag = bus.lag(group, topic).await?;
                if lag.partitions.iter().zip(ends).all(|(partition, end)| {
                    partition.high == *end && partition.committed == Some(*end)
                }) {
                    return anyhow::Ok(());
                }
                // what comes twice is finished as well
                if let Ok(delivery) =
                    tokio::time::timeout(Duration::from_millis(100), consumer.recv()).await
                {
                    delivery?.ack.done();
                }
            }
        };
    match soon(finished).await {
        Ok(outcome) => outcome,
        Err(_) => bail!("not committed: {:?}", bus.lag(group, topic).await?),
    }
}

pub(crate) async fn a_tail_begins_again_when_its_topic_is_made_again(site: Site) -> Result<()> {
    let bus = site.bus()?;
    for gap in GAPS {
        let topic = topic(&bus, "tail-again", 1).await?;
        let mut tail = bus.tail(&topic, Timestamp::now())?;
        assert_eq!(next(&mut tail).await?, TailEvent::CaughtUp);
        send_numbers(&bus, &topic, 0..2).await?;
        tail_sees(&mut tail, 0..2).await?;
        // a log that is longer than the old one was: its offsets tell nothing
        make_again(&site, &topic, 1, gap).await?;
        send_fresh(&site, &topic, 10..15).await?;
        tail_sees(&mut tail, 10..15).await?;
        // a shorter one, with more partitions
        make_again(&site, &topic, 3, gap).await?;
        send_fresh(&site, &topic, 20..22).await?;
        tail_sees(&mut tail, 20..22).await?;
    }
    Ok(())
}

pub(crate) async fn a_group_begins_again_when_its_topic_is_made_again(site: Site) -> Result<()> {
    let bus = site.bus()?;
    for gap in GAPS {
        let topic = topic(&bus, "group-again", 1).await?;
        let group = format!("g-{topic}");
        let mut consumer = join(&bus, &group, &topic, 4)?;
        send_numbers(&bus, &topic, 0..3).await?;
        member_sees(&mut consumer, 0..3).await?;
        is_finished(&bus, &group, &topic, &mut consumer, &[3]).await?;
        make_again(&site, &topic, 1, gap).await?;
        send_fresh(&site, &topic, 10..17).await?;
        member_sees(&mut consumer, 10..17).await?;
        is_finished(&bus, &group, &topic, &mut consumer, &[7]).await?;
        // what is finished late belongs to the old log
        send_fresh(&site, &topic, 17..18).await?;
        let late = receive(&mut consumer).await?;
        make_again(&site, &topic, 1, gap).await?;
        send_fresh(&site, &topic, 20..22).await?;
        member_sees(&mut consumer, 20..22).await?;
        late.ack.done();
        is_finished(&bus, &group, &topic, &mut consumer, &[2]).await?;
        consumer.close().await;
        let lag = soon(bus.lag(&group, &topic)).await??;
        assert_eq!((lag.messages, lag.partitions[0].committed), (0, Some(2)), "{lag:?}");
    }
    Ok(())
}

/// The same bus goes on sending into a topic that was made again.
pub(crate) async fn a_producer_goes_on_when_its_topic_is_made_again(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "send-again", 2).await?;
    send_numbers(&bus, &topic, 0..5).await?;
    for gap in GAPS {
        make_again(&site, &topic, 2, gap).await?;
        for number in 0..5u32 {
            let out = outgoing(&topic, &number.to_string(), number.to_string());
            soon(bus.send_persistently(out, &CancellationToken::new())).await??;
        }
        let lag = soon(bus.lag("g-none", &topic)).await??;
        assert!(lag.messages >= 5, "{lag:?}");
    }
    Ok(())
}

pub(crate) async fn a_position_below_the_log_goes_on_at_its_start(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "no-beginning", 1).await?;
    send_numbers(&bus, &topic, 0..9).await?;
    let mut consumer = join(&bus, "g-no-beginning", &topic, 1)?;
    let first = receive(&mut consumer).await?;
    first.ack.done();
    consumer.close().await;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(6))?;
    admin(&site)?.delete_records(&list, &AdminOptions::new()).await?;
    let mut consumer = join(&bus, "g-no-beginning", &topic, 1)?;
    member_sees(&mut consumer, 6..9).await?;
    is_finished(&bus, "g-no-beginning", &topic, &mut consumer, &[9]).await
}

/// A commit that outlived its log, e.g. after a power cut: everything that comes is given, and the
/// commit is mended.
pub(crate) async fn a_commit_above_the_log_is_mended(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "above", 1).await?;
    send_numbers(&bus, &topic, 0..4).await?;
    let other: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", site.brokers())
        .set("group.id", "g-above")
        .create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(50))?;
    other.commit(&list, CommitMode::Sync)?;
    drop(other);
    let mut consumer = join(&bus, "g-above", &topic, 1)?;
    send_numbers(&bus, &topic, 4..6).await?;
    member_sees(&mut consumer, 4..6).await?;
    is_finished(&bus, "g-above", &topic, &mut consumer, &[6]).await?;
    consumer.close().await;
    assert_eq!(soon(bus.lag("g-above", &topic)).await??.partitions[0].committed, Some(6));
    Ok(())
}

pub(crate) async fn a_topic_that_is_missing_is_told_until_it_is_back(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let names = [topic(&bus, "needed", 1).await?, topic(&bus, "missed", 1).await?];
    let specs = [spec(&names[0], 1), spec(&names[1], 1)];
    let mut state = bus.topics_state();
    assert!(state.borrow().is_err(), "nobody has asked yet");
    assert!(soon(bus.topics_in_place(&specs, &CancellationToken::new(), |_| ())).await?);
    soon(state.wait_for(Result::is_ok)).await??;
    delete(&site, &names[1]).await?;
    let a_few_seconds = Duration::from_secs(10);
    let told = |state: &Readiness| {
        state.as_ref().is_err_and(|unready| {
            let reason = unready.to_string();
            reason.contains(&names[1])
                && !reason.contains(&names[0])
                && reason.contains("not there")
        })
    };
    tokio::time::timeout(a_few_seconds, state.wait_for(told)).await.context("it is not told")??;
    // asking makes nothing
    assert_eq!(soon(bus.topics(&names)).await??.len(), 1);
    soon(bus.ensure_topics(&specs, &CancellationToken::new())).await??;
    tokio::time::timeout(a_few_seconds, state.wait_for(Result::is_ok))
        .await
        .context("it stays missing")??;
    Ok(())
}

/// Each restart of a broker gives its partitions a higher leader epoch; a topic that is made again
/// begins with the lowest.
pub(crate) async fn a_topic_that_is_made_again_after_a_restart_is_read(site: Site) -> Result<()> {
    let Some(mut site) = site.into_own().await? else { return Ok(()) };
    let bus = site.bus()?;
    let topic = topic(&bus, "epochs", 1).await?;
    let mut consumer = join(&bus, "g-epochs", &topic, 4)?;
    let mut tail = bus.tail(&topic, Timestamp::from_micros(0))?;
    assert_eq!(next(&mut tail).await?, TailEvent::CaughtUp);
    for round in 0..2u32 {
        send_fresh(&site, &topic, round..round + 1).await?;
        member_sees(&mut consumer, round..round + 1).await?;
        tail_sees(&mut tail, round..round + 1).await?;
        site.restart(async { Ok(()) }).await?;
    }
    send_fresh(&site, &topic, 5..6).await?;
    member_sees(&mut consumer, 5..6).await?;
    tail_sees(&mut tail, 5..6).await?;
    make_again(&site, &topic, 1, Duration::ZERO).await?;
    send_fresh(&site, &topic, 10..14).await?;
    member_sees(&mut consumer, 10..14).await?;
    tail_sees(&mut tail, 10..14).await?;
    is_finished(&bus, "g-epochs", &topic, &mut consumer, &[4]).await?;
    site.give_back().await
}

/// A broker that lost the end of a log while it was away; only the embedded one's files are known
/// well enough to take it away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_cut_gives_what_is_written_since() -> Result<()> {
    let mut site = Site::embedded().await?;
    let bus = site.bus()?;
    let topic = topic(&bus, "cut", 1).await?;
    let mut consumer = join(&bus, "g-cut", &topic, 4)?;
    let mut tail = bus.tail(&topic, Timestamp::from_micros(0))?;
    assert_eq!(next(&mut tail).await?, TailEvent::CaughtUp);
    send_numbers(&bus, &topic, 0..20).await?;
    member_sees(&mut consumer, 0..20).await?;
    tail_sees(&mut tail, 0..20).await?;
    is_finished(&bus, "g-cut", &topic, &mut consumer, &[20]).await?;
    let log = site.log_file(&topic).context("the log's file")?;
    let mut kept = 0;
    site.restart(async {
        kept = std::fs::metadata(&log)?.len() / 2;
        Ok(std::fs::OpenOptions::new().write(true).open(&log)?.set_len(kept)?)
    })
    .await?;
    send_fresh(&site, &topic, 100..103).await?;
    member_sees(&mut consumer, 100..103).await?;
    tail_sees(&mut tail, 100..103).await?;
    let end = soon(bus.lag("g-cut", &topic)).await??.partitions[0].high;
    // ten of the twenty are gone, and the broker gives none of their offsets twice
    assert!(end >= 23, "{end}");
    is_finished(&bus, "g-cut", &topic, &mut consumer, &[end]).await?;
    site.give_back().await
}
