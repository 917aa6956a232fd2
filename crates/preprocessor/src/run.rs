//! From start to stop: shell, bus, topics, the consuming loops, draining.

use crate::Config;
use crate::answered::Answered;
use crate::decisions::Decisions;
use crate::guard::Guard;
use crate::handle::Handler;
use crate::load::{Backlog, watch_cluster};
use crate::metrics::Metrics;
use crate::publish::Publisher;
use crate::redispatch::Redispatcher;
use crate::remembered::{Moving, Remembered};
use crate::results::Results;
use frame_bus::{Bus, ConsumerOptions, WorkControl, WorkError};
use offload::Policy;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use unit::Shell;

/// The loops only hand frames to tasks: half a minute without a beat means that one hangs.
const BEAT_LIMIT: Duration = Duration::from_secs(30);

/// Runs the unit until `shutdown`, with the configured policy.
///
/// # Errors
/// When a port cannot be bound or a topic cannot be had, or when the unit cannot go on. A broker
/// that is away is waited for.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    start(config, None, shutdown).await
}

/// The same with a policy of the caller's own; of the configured one only the guards count.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: Config,
    policy: Box<dyn Policy>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    start(config, Some(policy), shutdown).await
}

async fn start(
    config: Config,
    own: Option<Box<dyn Policy>>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let Config {
        shell,
        bus,
        topics,
        partitions,
        group,
        tiers,
        workers,
        max_in_flight,
        max_takes,
        pixels,
        room,
        policy,
        cluster,
        redispatch,
    } = config;
    let drain = shell.drain;
    let shell = Shell::start(shell, &shutdown).await?;
    let in_place = shell.health.condition("topics");
    let bus = Bus::open(bus)?;
    shell.health.follow("broker", bus.state());
    shell.health.follow("partitions", bus.groups_state());
    shell.conditions_added();
    let specs = frame_bus::topic_specs(&topics, partitions);
    if !bus.topics_in_place(&specs, &shutdown, |outcome| in_place.set(outcome)).await {
        return Ok(());
    }
    in_place.follow(bus.topics_state());

    let metrics = Metrics::register(&shell.metrics);
    // a loop that ends, for whatever reason, takes the other one with it
    let stop = shutdown.child_token();
    let watching = CancellationToken::new();
    let _until_the_end = watching.clone().drop_guard();
    let decisions = Decisions::new(&policy.filled_in(policy.config.clone()), own, metrics.clone())?;
    tokio::spawn(policy.watch(decisions.clone(), metrics.clone(), watching.clone()));
    let backlog = Backlog {
        bus: bus.clone(),
        topics: topics.clone(),
        groups: tiers,
        own_group: group.clone(),
    };
    // what was left behind by whoever ran before is known before the first frame is decided on
    backlog.look(&decisions, &metrics).await;
    tokio::spawn(backlog.watch(decisions.clone(), metrics.clone(), watching.clone()));
    tokio::spawn(watch_cluster(cluster, decisions.clone(), watching.clone()));
    let (answered, caught_up) = (Answered::default(), CancellationToken::new());
    let results = Results {
        bus: bus.clone(),
        topic: topics.results.clone(),
        own_unit: shell.identity.unit.clone(),
        decisions: decisions.clone(),
        answered: answered.clone(),
    };
    tokio::spawn(results.follow(caught_up.clone(), watching.clone()));

    let frames = WorkControl { max_takes, ..WorkControl::new(stop.clone(), drain) };
    let held = WorkControl { only_holds: true, ..WorkControl::new(stop.clone(), drain) };
    let publisher = |control: &WorkControl| {
        let (bus, topics, metrics) = (bus.clone(), topics.clone(), metrics.clone());
        Arc::new(Publisher { bus, topics, metrics, give_up: control.give_up.clone() })
    };
    let redispatcher = Redispatcher {
        publisher: publisher(&held),
        metrics: metrics.clone(),
        decisions: decisions.clone(),
        answered,
        served_by: shell.identity.clone(),
        caught_up,
        shutdown: stop.clone(),
    };
    let handler = Handler {
        publisher: publisher(&frames),
        metrics,
        workers: Arc::new(Semaphore::new(workers)),
        pixels,
        room,
        decisions,
        decided: AtomicU64::new(0),
        remembered: Remembered::default(),
        moving: Moving::default(),
        guard: Arc::new(Guard::new(frames.halt.clone())),
        served_by: shell.identity.clone(),
    };
    let frames_options = ConsumerOptions { group, topic: topics.frames.clone(), max_in_flight };
    let held_options = ConsumerOptions {
        group: redispatch.group,
        topic: topics.frames_cloud.clone(),
        max_in_flight: redispatch.max_held,
    };
    let beats = [
        shell.health.heartbeat("the consuming loop", BEAT_LIMIT),
        shell.health.heartbeat("the loop that watches over the cloud's frames", BEAT_LIMIT),
    ];
    let ended = |outcome: Result<(), WorkError>| {
        stop.cancel();
        outcome
    };
    let (of_frames, of_held) = tokio::join!(
        async {
            ended(bus.work(frames_options, Arc::new(handler), &frames, || beats[0].beat()).await)
        },
        async {
            ended(bus.work(held_options, Arc::new(redispatcher), &held, || beats[1].beat()).await)
        },
    );
    of_frames?;
    Ok(of_held?)
}
