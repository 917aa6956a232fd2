//! The unit: load, consume, and drain at the end.

use crate::batch::Gathering;
use crate::handle::Handler;
use crate::metrics::WorkerMetrics;
use crate::model::Model;
use crate::publish::Publisher;
use crate::threads::Threads;
use crate::{Config, ModelPrecision};
use anyhow::Context;
use detector::{Description, Detector, Kernels, LoadOptions, Precision};
use frame::{Destination, ImageSize, Newest, RgbImage, Topics};
use frame_bus::{Bus, ConsumerOptions, WorkControl};
use inference_settings::KernelChoice;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use unit::{Ends, Shell};
use vision::Limits;

/// A model that is at one batch for so long hangs: a slow board needs a second or two for a frame,
/// and a batch has 64 at most.
const STUCK_AFTER: Duration = Duration::from_secs(120);
/// The loop only hands frames to tasks: half a minute without a beat means that it hangs.
const BEAT_LIMIT: Duration = Duration::from_secs(30);

/// Runs an inference unit with the model that the configuration names, until `shutdown`.
///
/// # Errors
/// When the model cannot be loaded, a port cannot be bound, or the client cannot be made. A broker
/// that is away is none of these.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let (model_config, max_batch) = (config.model.clone(), config.max_batch);
    let load = move || -> anyhow::Result<Arc<dyn Model>> {
        let started = Instant::now();
        let mut description = Description::load(&model_config.dir, &model_config.name)?;
        let precision = match model_config.precision {
            ModelPrecision::AsDescribed => description.precision(),
            ModelPrecision::Float32 => Precision::Float32,
            ModelPrecision::Bfloat16 => Precision::Bfloat16,
            ModelPrecision::Int8 => Precision::Int8,
        };
        description = description.with_precision(precision);
        if let Some(file) = model_config.trials_file {
            detector::remember_trials(file);
        }
        let options = LoadOptions {
            max_batch,
            threads: model_config.frame_threads,
            kernels: match model_config.kernels {
                KernelChoice::Auto => Kernels::Auto,
                KernelChoice::Table => Kernels::Table,
                KernelChoice::Small => Kernels::Small,
                KernelChoice::Tract => Kernels::Tract,
            },
        };
        let detector = Detector::load(&description, options)?;
        let info = detector.info();
        let load_ms = started.elapsed().as_millis();
        tracing::info!(
            model = info.name,
            version = info.version,
            input = info.input,
            load_ms,
            "model loaded"
        );
        Ok(Arc::new(detector))
    };
    start(config, load, shutdown).await
}

/// The same with a model that is there already: for tests, and for models that are no [`Detector`].
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: Config,
    model: Arc<dyn Model>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    start(config, move || Ok(model), shutdown).await
}

/// Whether the worker of this tier reads or writes the topic; the edge sends hard frames on.
fn uses(topics: &Topics, tier: Destination, name: &str) -> bool {
    let escalates = tier == Destination::Edge && name == topics.frames_cloud;
    escalates
        || [topics.for_destination(tier), &topics.results, &topics.dead_letter].contains(&name)
}

async fn start(
    config: Config,
    load: impl FnOnce() -> anyhow::Result<Arc<dyn Model>> + Send + 'static,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let drain = config.shell.drain;
    let shell = Shell::start(config.shell, &shutdown).await?;
    let Config {
        bus,
        topics,
        partitions,
        group,
        tier,
        threads,
        max_batch,
        batch_wait,
        max_in_flight,
        max_takes,
        max_pixels,
        room,
        max_model_failures,
        ..
    } = config;
    let work = async {
        let (loaded, in_place) =
            (shell.health.condition("model"), shell.health.condition("topics"));
        let bus = Bus::open_on(frame_bus::Threads::started_by(shell.tasks.thread_starter()), bus)?;
        shell.follow("broker", bus.state());
        shell.follow("partitions", bus.groups_state());
        shell.conditions_added();

        let mut specs = frame_bus::topic_specs(&topics, partitions);
        // a user of the cloud side may not even see the site's own topics
        specs.retain(|spec| uses(&topics, tier, &spec.name));
        let report = |outcome| in_place.set(outcome);
        let mut making = Box::pin(bus.topics_in_place(&specs, shell.stop(), report));
        let mut made = None;
        // while the model is loaded the topics are made; a model that cannot be loaded does not
        // wait for a broker
        let mut loading = tokio::task::spawn_blocking(move || load().and_then(warmed_up));
        let model = loop {
            tokio::select! {
                model = &mut loading => break model.context("loading the model panicked")??,
                there = &mut making, if made.is_none() => made = Some(there),
            }
        };
        let (batch_sender, batches) = mpsc::channel(threads);
        let model_threads = Threads::start(&shell.tasks, &model, threads, max_pixels, batches)?;
        // it ends when the last sender of jobs is gone, and the model threads after it
        let (jobs, job_receiver) = mpsc::channel(max_batch);
        let newest = Arc::new(Newest::default());
        let gathering = Gathering {
            max: max_batch,
            wait: batch_wait,
            max_waiting: max_in_flight,
            newest: Arc::clone(&newest),
        };
        let gathering = gathering.run(job_receiver, batch_sender);
        shell.tasks.spawn("batches", Ends::WhenDone, gathering);
        loaded.ready();

        let there = match made {
            Some(there) => there,
            None => making.as_mut().await,
        };
        drop(making);
        if !there {
            return Ok(());
        }
        shell.let_follow(in_place, bus.topics_state());
        let options = ConsumerOptions {
            group,
            topic: topics.for_destination(tier).to_owned(),
            max_in_flight,
        };
        let control = WorkControl { max_takes, ..WorkControl::new(shell.stop().clone(), drain) };
        let metrics = WorkerMetrics::register(&shell.metrics);
        metrics.loaded(model.operators());
        let handler = Handler {
            publisher: Publisher {
                bus: bus.clone(),
                topics,
                metrics,
                traces: shell.traces.clone(),
                give_up: control.give_up.clone(),
            },
            jobs,
            newest,
            room,
            limits: Limits { max_pixels },
            model: model.info().clone(),
            served_by: shell.identity.clone(),
            tier,
            model_failures: AtomicU32::new(0),
            max_model_failures,
            halt: control.halt.clone(),
        };
        let heartbeat = shell.health.heartbeat("the consuming loop", BEAT_LIMIT);
        let beat = || {
            if !model_threads.any_stuck(STUCK_AFTER) {
                heartbeat.beat();
            }
        };
        Ok(bus.work(options, Arc::new(handler), &control, beat).await?)
    };
    shell.supervise(Box::pin(work)).await
}

/// The first run of a network pays for page faults and caches; it should not be a client's frame.
fn warmed_up(model: Arc<dyn Model>) -> anyhow::Result<Arc<dyn Model>> {
    let size = ImageSize { width: 64, height: 64 };
    let grey = RgbImage::new(size, vec![128; 64 * 64 * 3]).context("a grey image")?;
    let detect = || model.session()?.detect(&[&grey]);
    detect().map_err(|error| {
        anyhow::anyhow!("the model {} fails on a grey image: {error}", model.info().name)
    })?;
    Ok(model)
}
