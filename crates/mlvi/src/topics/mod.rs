//! `mlvi topics`: the topics as they should be, and as they are.

mod create;
mod list;
#[cfg(test)]
mod tests;

use anyhow::Context;
use clap::{Args, Subcommand};
use frame_bus::{Bus, BusConfig, TopicSpec};
use settings::Settings;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use unit::{Telemetry, cancel_on_signal};

/// What `mlvi topics` is told. The broker, the names and the partitions are settings, as for the
/// units: see e.g. `preprocessor --help` for MLVI_BROKERS, MLVI_KAFKA_SECURITY and what goes with
/// it, MLVI_TOPIC_PREFIX, MLVI_PARTITIONS and MLVI_KAFKA_REPLICATION.
#[derive(Args, Debug)]
pub struct TopicsArgs {
    #[command(subcommand)]
    command: TopicsCommand,
    /// The broker, or several, separated by commas [default: MLVI_BROKERS, or localhost:9092]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    broker: Option<String>,
    /// Give up when the broker is not there after this time, e.g. 30s, 5m; 0s waits without limit
    #[arg(long, global = true, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

#[derive(Debug, Subcommand)]
enum TopicsCommand {
    /// Make the topics that are missing; those that are there stay as they are
    Create {
        /// Also add partitions to those that have fewer than MLVI_PARTITIONS. A camera's frames
        /// then go to other partitions: those that are under way meanwhile may overtake
        /// each other
        #[arg(long)]
        grow: bool,
        /// Look again so often, e.g. 5m, until it is stopped, and make those that have gone
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        every: Option<Duration>,
    },
    /// Show the topics: partitions, copies, the largest message, retention
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

impl TopicsArgs {
    /// What is told here wins over the environment.
    fn over(&self, settings: Settings) -> Settings {
        settings.with_overrides(self.broker.iter().map(|broker| ("MLVI_BROKERS", broker)))
    }
}

/// The broker, and how the topics should be.
struct Wanted {
    bus: BusConfig,
    specs: Vec<TopicSpec>,
}

impl Wanted {
    fn from_settings(settings: &mut Settings) -> Self {
        let bus = BusConfig::from_settings(settings, "mlvi-topics");
        let topics = frame_bus::topics_from_settings(settings);
        let partitions = frame_bus::partitions_from_settings(settings);
        let specs = frame_bus::all_topic_specs(&topics, partitions);
        Self { bus, specs }
    }
}

/// Runs it.
///
/// # Errors
/// Settings that are not allowed; a broker that does not come in time or does not allow it; for
/// `list` nothing else: what is not as it should be is shown.
pub fn run(args: &TopicsArgs) -> anyhow::Result<()> {
    let mut settings = args.over(Settings::from_environment()?);
    let telemetry = Telemetry::from_settings(&mut settings);
    let wanted = Wanted::from_settings(&mut settings);
    settings.finish()?;
    telemetry.install();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("the async runtime")?;
    let outcome = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let tasks = cancel_on_signal(shutdown.clone())?;
        let bus = Bus::open(wanted.bus.clone())?;
        arrive(&bus, &wanted.bus.brokers, args.timeout, &shutdown).await?;
        let outcome = match args.command {
            TopicsCommand::Create { grow, every: None } => {
                create::run(&bus, &wanted.specs, grow, &shutdown).await
            }
            TopicsCommand::Create { grow, every: Some(every) } => {
                create::keep(&bus, &wanted.specs, grow, every, &shutdown).await
            }
            TopicsCommand::List { json } => list::run(&bus, &wanted.specs, json).await,
        };
        outcome.and(tasks.failure().map_or(Ok(()), |failure| Err(failure.into())))
    });
    runtime.shutdown_background();
    outcome
}

/// Waits for the broker.
async fn arrive(
    bus: &Bus,
    brokers: &str,
    timeout: Duration,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut state = bus.state();
    let limit = if timeout.is_zero() { Duration::MAX } else { timeout };
    let there = tokio::select! {
        there = tokio::time::timeout(limit, state.wait_for(Result::is_ok)) => there.is_ok(),
        () = shutdown.cancelled() => anyhow::bail!("interrupted while waiting for the broker at \
            {brokers}"),
    };
    if !there && let Err(reason) = &*bus.state().borrow() {
        anyhow::bail!(
            "no broker at {brokers} within {}: {reason}",
            humantime::format_duration(timeout)
        );
    }
    Ok(())
}
