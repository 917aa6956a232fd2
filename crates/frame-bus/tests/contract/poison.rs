//! Messages that end their process: given up after so many takes, and nobody else.
//!
//! A worker is a process of its own here: this test binary, told to run the ignored test below.

use crate::site::{Site, fresh, next, number_of, outgoing, send_numbers, soon, topic};
use anyhow::{Context, Result, ensure};
use frame_bus::{
    Bus, BusConfig, ConsumerOptions, Handle, Message, SendError, TailEvent, Turn, WorkControl,
    WorkError,
};
use std::collections::BTreeSet;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Each process that is killed keeps its partitions until its session times out.
const PATIENCE: Duration = Duration::from_secs(90);
const DRAIN: Duration = Duration::from_secs(20);
const WORKER: &str = "poison::a_worker_in_a_process_of_its_own";
/// What a message is after which the worker is done.
const LAST: u32 = 9999;

/// What a worker does: its environment.
#[derive(Clone)]
struct Worker {
    brokers: String,
    topic: String,
    /// Where it tells what it has done: the number, or the number with a minus when it was given
    /// up.
    told: String,
    /// This number and those with the same rest by 100 end the process.
    poison: u32,
    /// How long a message takes.
    takes: Duration,
    in_flight: usize,
}

impl Worker {
    async fn new(site: &Site, bus: &Bus, name: &str, partitions: i32) -> Result<Self> {
        let (topic, told) = (topic(bus, name, partitions).await?, topic(bus, "told", 1).await?);
        let brokers = site.brokers().to_owned();
        Ok(Self {
            brokers,
            topic,
            told,
            poison: u32::MAX,
            takes: Duration::from_millis(20),
            in_flight: 8,
        })
    }

    fn start(&self) -> Result<Child> {
        let Self { brokers, topic, told, poison, takes, in_flight } = self;
        let what = format!("{brokers} {topic} {told} {poison} {} {in_flight}", takes.as_millis());
        Ok(Command::new(std::env::current_exe()?)
            .args([WORKER, "--exact", "--ignored", "--nocapture"])
            .env("CONTRACT_WORKER", what)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?)
    }

    fn of_environment() -> Result<Self> {
        let what = std::env::var("CONTRACT_WORKER")?;
        let [brokers, topic, told, poison, takes, in_flight] = *what.split(' ').collect::<Vec<_>>()
        else {
            anyhow::bail!("{what}")
        };
        Ok(Self {
            brokers: brokers.into(),
            topic: topic.into(),
            told: told.into(),
            poison: poison.parse()?,
            takes: Duration::from_millis(takes.parse()?),
            in_flight: in_flight.parse()?,
        })
    }

    /// Starts it again and again until it has an end by itself; how often it was ended.
    async fn until_it_lives(&self, most: u32) -> Result<u32> {
        for deaths in 0..=most {
            if ended(self.start()?).await?.success() {
                return Ok(deaths);
            }
        }
        anyhow::bail!("it has been ended more than {most} times")
    }

    async fn tells(&self, bus: &Bus) -> Result<(BTreeSet<i64>, BTreeSet<i64>)> {
        let mut tail = bus.tail(&self.told, frame::Timestamp::from_micros(0))?;
        let (mut done, mut given_up) = (BTreeSet::new(), BTreeSet::new());
        loop {
            match next(&mut tail).await? {
                TailEvent::Message(message) => {
                    let number: i64 = std::str::from_utf8(&message.payload)?.parse()?;
                    if number < 0 {
                        given_up.insert(-number)
                    } else {
                        done.insert(number)
                    };
                }
                TailEvent::CaughtUp => return Ok((done, given_up)),
            }
        }
    }
}

async fn ended(mut child: Child) -> Result<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if began.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("the worker does not end");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

struct Works {
    bus: Bus,
    worker: Worker,
    shutdown: CancellationToken,
}

impl Works {
    async fn tell(&self, number: i64) -> Result<(), SendError> {
        self.bus.send(outgoing(&self.worker.told, "told", number.to_string())).await.map(drop)
    }
}

impl Handle for Works {
    async fn handle(&self, message: Message, _turn: Turn) -> Result<(), SendError> {
        let number = number_of(&message.payload).expect("every payload is a number");
        if number % 100 == self.worker.poison {
            std::process::abort();
        }
        tokio::time::sleep(self.worker.takes).await;
        if number == LAST {
            self.shutdown.cancel();
        }
        self.tell(number.into()).await
    }

    async fn give_up(&self, message: Message, _turn: Turn, _takes: u32) -> Result<(), SendError> {
        self.tell(-i64::from(number_of(&message.payload).expect("every payload is a number"))).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process that other tests start"]
async fn a_worker_in_a_process_of_its_own() -> Result<()> {
    let worker = Worker::of_environment()?;
    let config = BusConfig {
        session_timeout: Duration::from_secs(6),
        ..BusConfig::new(&worker.brokers, "contract-worker")
    };
    let (bus, shutdown) = (Bus::open(config)?, CancellationToken::new());
    let control = WorkControl::new(shutdown.clone(), DRAIN);
    let options = ConsumerOptions {
        group: format!("g-{}", worker.topic),
        topic: worker.topic.clone(),
        max_in_flight: worker.in_flight,
    };
    let works = Works { bus: bus.clone(), worker, shutdown };
    Ok(bus.work(options, Arc::new(works), &control, || {}).await?)
}

pub(crate) async fn a_message_that_ends_its_process_is_given_up_and_no_other(
    site: Site,
) -> Result<()> {
    let bus = site.bus()?;
    let worker = Worker { poison: 7, ..Worker::new(&site, &bus, "poison", 1).await? };
    send_numbers(&bus, &worker.topic, 0..20).await?;
    send_numbers(&bus, &worker.topic, LAST..LAST + 1).await?;
    // once with others in hand, and as often alone as is allowed
    let deaths = worker.until_it_lives(6).await?;
    let (done, given_up) = worker.tells(&bus).await?;
    assert_eq!(given_up, [7].into());
    assert_eq!(done, (0..20).filter(|number| *number != 7).chain([i64::from(LAST)]).collect());
    assert_eq!(deaths, 4);
    Ok(())
}

pub(crate) async fn a_message_that_is_alone_is_taken_up_three_times(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let worker = Worker { poison: 99, ..Worker::new(&site, &bus, "poison-alone", 1).await? };
    send_numbers(&bus, &worker.topic, 99..100).await?;
    for _ in 0..3 {
        ensure!(!ended(worker.start()?).await?.success(), "it is poison");
    }
    let child = worker.start()?;
    send_numbers(&bus, &worker.topic, 100..101).await?;
    let outcome = tokio::time::timeout(PATIENCE, async {
        loop {
            let (done, given_up) = worker.tells(&bus).await?;
            if !done.is_empty() {
                return anyhow::Ok((done, given_up));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    end(child)?;
    let (done, given_up) = outcome.context("the worker lives on")??;
    assert_eq!((done, given_up), ([100].into(), [99].into()));
    Ok(())
}

pub(crate) async fn a_process_that_is_killed_takes_no_message_with_it(site: Site) -> Result<()> {
    let bus = site.bus()?;
    let takes = Duration::from_millis(150);
    let worker = Worker { takes, in_flight: 4, ..Worker::new(&site, &bus, "killed", 2).await? };
    send_numbers(&bus, &worker.topic, 0..60).await?;
    for round in 1..=3 {
        let child = worker.start()?;
        // each of them does something, and has others in hand when it is killed
        let enough = worker.tells(&bus).await?.0.len() + round;
        let began = Instant::now();
        while worker.tells(&bus).await?.0.len() < enough {
            ensure!(began.elapsed() < PATIENCE, "the worker does nothing");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        end(child)?;
    }
    send_numbers(&bus, &worker.topic, 60..61).await?;
    let child = worker.start()?;
    let began = Instant::now();
    while worker.tells(&bus).await?.0.len() < 61 {
        ensure!(began.elapsed() < PATIENCE, "not everything is done");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    end(child)?;
    assert_eq!(worker.tells(&bus).await?.1, BTreeSet::new());
    Ok(())
}

fn end(mut child: Child) -> Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

struct Panics {
    given_up: AtomicU32,
    shutdown: CancellationToken,
}

impl Handle for Panics {
    async fn handle(&self, message: Message, _turn: Turn) -> Result<(), SendError> {
        assert_ne!(number_of(&message.payload).unwrap(), 1, "this panic belongs to the test");
        Ok(())
    }

    async fn give_up(&self, message: Message, _turn: Turn, takes: u32) -> Result<(), SendError> {
        assert_eq!(number_of(&message.payload).unwrap(), 1);
        self.given_up.store(takes, Ordering::Relaxed);
        self.shutdown.cancel();
        Ok(())
    }
}

/// The message is known then: also where messages are only held, and whatever else was in hand.
pub(crate) async fn a_message_that_panics_is_given_up_wherever_it_comes(site: Site) -> Result<()> {
    let bus = site.bus()?;
    for only_holds in [false, true] {
        let topic = topic(&bus, "panics", 1).await?;
        send_numbers(&bus, &topic, 0..3).await?;
        let handler =
            Arc::new(Panics { given_up: AtomicU32::new(0), shutdown: CancellationToken::new() });
        let group = fresh("panics");
        let works = || async {
            let options =
                ConsumerOptions { group: group.clone(), topic: topic.clone(), max_in_flight: 2 };
            let control = WorkControl {
                only_holds,
                max_takes: 2,
                ..WorkControl::new(handler.shutdown.clone(), DRAIN)
            };
            soon(bus.work(options, Arc::clone(&handler), &control, || {})).await
        };
        assert_eq!(works().await?, Err(WorkError::Halted));
        assert_eq!(works().await?, Err(WorkError::Halted));
        works().await??;
        assert_eq!(handler.given_up.load(Ordering::Relaxed), 2);
        // the last message may not have been taken any more
        assert!(soon(bus.lag(&group, &topic)).await??.messages <= 1);
    }
    Ok(())
}
