//! The loop of a working unit: what is committed, what comes again, and how it ends.

use crate::site::{Site, number_of, outgoing, send_numbers, soon, topic};
use anyhow::Result;
use frame_bus::{Bus, ConsumerOptions, Handle, Message, SendError, Turn, WorkControl, WorkError};
use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longer than a handler takes that does not hang.
const DRAIN: Duration = Duration::from_secs(20);

/// A handler out of a closure that is given the message's number.
struct Does<F>(F);

impl<F, Doing> Handle for Does<F>
where
    F: Fn(u32, Turn) -> Doing + Send + Sync + 'static,
    Doing: Future<Output = Result<(), SendError>> + Send,
{
    fn handle(
        &self,
        message: Message,
        turn: Turn,
    ) -> impl Future<Output = Result<(), SendError>> + Send {
        self.0(number_of(&message.payload).expect("every payload is a number"), turn)
    }

    async fn give_up(&self, _message: Message, _turn: Turn, _takes: u32) -> Result<(), SendError> {
        Ok(())
    }
}

/// Notes numbers, and tells the work to stop when so many are there.
#[derive(Clone)]
struct Log {
    numbers: Arc<Mutex<Vec<u32>>>,
    enough: usize,
    shutdown: CancellationToken,
}

impl Log {
    fn until(enough: usize) -> Self {
        Self { numbers: Arc::default(), enough, shutdown: CancellationToken::new() }
    }

    fn note(&self, number: u32) {
        let mut numbers = self.numbers.lock().unwrap();
        numbers.push(number);
        if numbers.len() == self.enough {
            self.shutdown.cancel();
        }
    }

    fn control(&self, drain: Duration) -> WorkControl {
        WorkControl::new(self.shutdown.clone(), drain)
    }

    fn numbers(&self) -> Vec<u32> {
        self.numbers.lock().unwrap().clone()
    }

    fn distinct(&self) -> BTreeSet<u32> {
        self.numbers().into_iter().collect()
    }
}

fn group_of(topic: &str) -> String {
    format!("g-{topic}")
}

async fn work<F, Doing>(
    bus: &Bus,
    topic: &str,
    max_in_flight: usize,
    control: &WorkControl,
    handler: F,
) -> Result<Result<(), WorkError>>
where
    F: Fn(u32, Turn) -> Doing + Send + Sync + 'static,
    Doing: Future<Output = Result<(), SendError>> + Send,
{
    let options =
        ConsumerOptions { group: group_of(topic), topic: topic.to_owned(), max_in_flight };
    soon(bus.work(options, Arc::new(Does(handler)), control, || {})).await
}

/// Works again, until so many have come; tells which.
async fn comes_again(bus: &Bus, topic: &str, enough: usize) -> Result<BTreeSet<u32>> {
    let log = Log::until(enough);
    let noting = log.clone();
    work(bus, topic, enough, &log.control(DRAIN), move |number, _turn| {
        noting.note(number);
        async { Ok(()) }
    })
    .await??;
    Ok(log.distinct())
}

async fn lag(bus: &Bus, topic: &str) -> Result<u64> {
    Ok(soon(bus.lag(&group_of(topic), topic)).await??.messages)
}

pub(crate) async fn everything_that_was_handled_is_committed(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "work", 3).await?;
    send_numbers(&bus, &topic, 0..30).await?;
    let log = Log::until(30);
    let noting = log.clone();
    let mut beats = 0;
    let handler = Does(move |number, _turn| {
        noting.note(number);
        async { Ok(()) }
    });
    let options =
        ConsumerOptions { group: group_of(&topic), topic: topic.clone(), max_in_flight: 4 };
    soon(bus.work(options, Arc::new(handler), &log.control(DRAIN), || beats += 1)).await??;
    assert_eq!(log.distinct(), (0..30).collect());
    assert_eq!(lag(&bus, &topic).await?, 0);
    assert!(beats > 0);
    Ok(())
}

pub(crate) async fn what_is_not_finished_after_the_drain_comes_again(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "work-hangs", 1).await?;
    send_numbers(&bus, &topic, 0..6).await?;
    let log = Log::until(6);
    let noting = log.clone();
    let control = log.control(Duration::from_millis(300));
    work(&bus, &topic, 6, &control, move |number, _turn| {
        // the sixth ends the work
        noting.note(number);
        async move { if matches!(number, 2 | 5) { pending().await } else { Ok(()) } }
    })
    .await??;
    assert!(control.give_up.is_cancelled(), "whoever still sends is told");
    // 3 and 4 were finished, but stand behind 2
    assert_eq!(comes_again(&bus, &topic, 4).await?, [2, 3, 4, 5].into());
    assert_eq!(lag(&bus, &topic).await?, 0);
    Ok(())
}

pub(crate) async fn a_message_that_cannot_be_processed_halts_the_work(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "work-fatal", 1).await?;
    send_numbers(&bus, &topic, 0..3).await?;
    let control = WorkControl::new(CancellationToken::new(), DRAIN);
    let outcome = work(&bus, &topic, 1, &control, |number, _turn| async move {
        if number == 1 { Err(SendError::Fatal("no".into())) } else { Ok(()) }
    });
    assert_eq!(outcome.await?, Err(WorkError::Halted));
    assert_eq!(lag(&bus, &topic).await?, 2);
    assert_eq!(comes_again(&bus, &topic, 2).await?, [1, 2].into());
    Ok(())
}

pub(crate) async fn a_panic_halts_the_work_and_its_message_comes_again(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let topic = topic(&bus, "work-panics", 1).await?;
    send_numbers(&bus, &topic, 0..2).await?;
    let control = WorkControl::new(CancellationToken::new(), DRAIN);
    let outcome = work(&bus, &topic, 1, &control, |number, _turn| async move {
        assert_ne!(number, 1, "this panic belongs to the test");
        Ok(())
    });
    assert_eq!(outcome.await?, Err(WorkError::Halted));
    assert_eq!(comes_again(&bus, &topic, 1).await?, [1].into());
    Ok(())
}

pub(crate) async fn messages_of_one_key_are_processed_in_order(site: Site) -> Result<()> {
    const COUNT: u32 = 40;
    let bus = site.bus()?;
    let topic = topic(&bus, "work-order", 2).await?;
    for number in 0..COUNT {
        soon(bus.send(outgoing(&topic, "camera", number.to_string()))).await??;
    }
    let log = Log::until(COUNT as usize);
    let noting = log.clone();
    work(&bus, &topic, 8, &log.control(DRAIN), move |number, mut turn| {
        let noting = noting.clone();
        async move {
            // a length that has nothing to do with the order of arrival
            tokio::time::sleep(Duration::from_millis(u64::from(number * 37 % 23))).await;
            turn.wait().await;
            noting.note(number);
            Ok(())
        }
    })
    .await??;
    assert_eq!(log.numbers(), (0..COUNT).collect::<Vec<_>>());
    Ok(())
}
