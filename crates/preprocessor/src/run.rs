//! From start to stop: shell, bus, topics, the consuming loop, draining.

use crate::guard::Guard;
use crate::handle::{Decide, Handler};
use crate::load::Load;
use crate::metrics::Metrics;
use crate::publish::Publisher;
use crate::{Config, FrameFacts, LoadSnapshot, estimate_to_cloud};
use frame::Decision;
use frame_bus::{Bus, BusError, Consumer, ConsumerOptions, Lanes};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use unit::{Heartbeat, Shell};

const BEAT_EVERY: Duration = Duration::from_secs(1);
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
    let drain = shell.drain;
    let shell = Shell::start(shell, &shutdown).await?;
    let consuming = shell.health.condition("consumer");
    let bus = Bus::open(bus)?;
    shell.health.follow("broker", bus.state());
    shell.conditions_added();
    match bus.ensure_topics(&frame_bus::topic_specs(&topics, partitions), &shutdown).await {
        Err(BusError::ShuttingDown) => return Ok(()),
        outcome => outcome?,
    }

    let metrics = Metrics::register(&shell.metrics);
    let consumer = bus.consumer(ConsumerOptions { group, topic: topics.frames.clone(), max_in_flight })?;
    let (give_up, halt) = (CancellationToken::new(), CancellationToken::new());
    let handler = Handler {
        load: Load::watch(bus.clone(), topics.clone(), tiers, metrics.clone()),
        publisher: Publisher { bus: bus.clone(), topics, metrics: metrics.clone(), give_up: give_up.clone() },
        metrics,
        workers: Arc::new(Semaphore::new(workers)),
        pixels,
        decide,
        decided: AtomicU64::new(0),
        guard: Arc::new(Guard::new(halt.clone())),
        served_by: shell.identity.clone(),
        halt: halt.clone(),
    };
    let consume = Consume { handler: Arc::new(handler), consumer, tasks: TaskTracker::new() };
    consuming.ready();
    let heartbeat = shell.health.heartbeat("the consuming loop", BEAT_LIMIT);
    let (consume, outcome) = consume.until(&shutdown, &halt, &heartbeat).await;

    consuming.not_ready("draining");
    let Consume { consumer, tasks, .. } = consume;
    tasks.close();
    if tokio::time::timeout(drain, tasks.wait()).await.is_err() {
        warn!(frames = tasks.len(), drain_ms = drain.as_millis(), "frames were not finished in time and will come again");
        give_up.cancel();
    }
    consumer.close().await;
    bus.close(drain).await;
    outcome?;
    anyhow::ensure!(!halt.is_cancelled(), "the preprocessor could not go on; the log says why");
    Ok(())
}

struct Consume {
    handler: Arc<Handler>,
    consumer: Consumer,
    tasks: TaskTracker,
}

impl Consume {
    /// Takes frames until `shutdown` or `halt`, a task each; the consumer bounds how many there are.
    async fn until(
        mut self,
        shutdown: &CancellationToken,
        halt: &CancellationToken,
        heartbeat: &Heartbeat,
    ) -> (Self, Result<(), BusError>) {
        let lanes = Lanes::new();
        let mut beat = tokio::time::interval(BEAT_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return (self, Ok(())),
                () = halt.cancelled() => return (self, Ok(())),
                _ = beat.tick() => heartbeat.beat(),
                delivery = self.consumer.recv() => {
                    let delivery = match delivery {
                        Ok(delivery) => delivery,
                        Err(error) => return (self, Err(error)),
                    };
                    let key = String::from_utf8_lossy(delivery.message.key.as_deref().unwrap_or_default());
                    let turn = lanes.enter(&key);
                    let handler = Arc::clone(&self.handler);
                    handler.metrics.in_flight.inc();
                    self.tasks.spawn(async move {
                        handler.handle(delivery, turn).await;
                        handler.metrics.in_flight.dec();
                    });
                }
            }
        }
    }
}
