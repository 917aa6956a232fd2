//! From start to stop: shell, bus, topics, the consuming loop, draining.

use crate::guard::Guard;
use crate::handle::{Decide, Handler};
use crate::load::Load;
use crate::metrics::Metrics;
use crate::publish::Publisher;
use crate::remembered::Remembered;
use crate::{Config, FrameFacts, LoadSnapshot, estimate_to_cloud};
use frame::Decision;
use frame_bus::{Bus, ConsumerOptions, WorkControl};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use unit::Shell;

/// The loop only hands frames to tasks: half a minute without a beat means that it hangs.
const BEAT_LIMIT: Duration = Duration::from_secs(30);

/// Runs the unit until `shutdown`, with [`estimate_to_cloud`] and the configured policy.
///
/// # Errors
/// When a port cannot be bound or a topic cannot be had, or when the unit cannot go on. A broker that is away is waited for.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let policy = config.policy;
    run_with(config, move |frame, load| estimate_to_cloud(frame, load, &policy), shutdown).await
}

/// The same with a decision of the caller's own; the configured policy is not asked.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: Config,
    decide: impl Fn(&FrameFacts, &LoadSnapshot) -> Decision + Send + Sync + 'static,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    start(config, Box::new(decide), shutdown).await
}

async fn start(config: Config, decide: Decide, shutdown: CancellationToken) -> anyhow::Result<()> {
    let Config { shell, bus, topics, partitions, group, tiers, workers, max_in_flight, pixels, .. } = config;
    let control = WorkControl::new(shutdown.clone(), shell.drain);
    let shell = Shell::start(shell, &shutdown).await?;
    let in_place = shell.health.condition("topics");
    let bus = Bus::open(bus)?;
    shell.health.follow("broker", bus.state());
    shell.conditions_added();
    let specs = frame_bus::topic_specs(&topics, partitions);
    if !bus.topics_in_place(&specs, &shutdown, |outcome| in_place.set(outcome)).await {
        return Ok(());
    }

    let metrics = Metrics::register(&shell.metrics);
    let options = ConsumerOptions { group, topic: topics.frames.clone(), max_in_flight };
    let handler = Handler {
        load: Load::watch(bus.clone(), topics.clone(), tiers, metrics.clone()),
        publisher: Publisher { bus: bus.clone(), topics, metrics: metrics.clone(), give_up: control.give_up.clone() },
        metrics,
        workers: Arc::new(Semaphore::new(workers)),
        pixels,
        decide,
        decided: AtomicU64::new(0),
        remembered: Remembered::default(),
        guard: Arc::new(Guard::new(control.halt.clone())),
        served_by: shell.identity.clone(),
    };
    let heartbeat = shell.health.heartbeat("the consuming loop", BEAT_LIMIT);
    Ok(bus.work(options, Arc::new(handler), &control, || heartbeat.beat()).await?)
}
