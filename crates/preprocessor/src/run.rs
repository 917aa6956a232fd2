//! From start to stop: shell, bus, topics, the consuming loops, draining.

use crate::Config;
use crate::announce::{Announcer, instance_of};
use crate::answered::Answered;
use crate::contracts::ContractsSpeaker;
use crate::decisions::Decisions;
use crate::forms::Forms;
use crate::guard::{Guard, GuardedPolicy};
use crate::handle::Handler;
use crate::lessons::LessonsKeeper;
use crate::load::{Backlog, watch_cluster};
use crate::metrics::Metrics;
use crate::permits::Permits;
use crate::pixels::JpegSizes;
use crate::policy_in_hand::PolicyInHand;
use crate::prepare::Preparer;
use crate::publish::Publisher;
use crate::redispatch::Redispatcher;
use crate::remembered::{Moving, Remembered};
use crate::results::Results;
use crate::settings_topic::{SettingsTopic, known};
use frame::Newest;
use frame_bus::{Bus, ConsumerOptions, Threads, WorkControl, WorkError};
use futures_util::FutureExt;
use offload::Policy;
use regions::{Book, Known};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use unit::{Ends, Shell};

/// The loops only hand frames to tasks: half a minute without a beat means that one hangs.
const BEAT_LIMIT: Duration = Duration::from_secs(30);
/// How long the first frame waits for what is set: masks may be among it.
const SETTINGS_WITHIN: Duration = Duration::from_secs(120);
/// How long the last announcement may take, and what was learned last.
const FAREWELL: Duration = Duration::from_secs(3);

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
    let drain = config.shell.drain;
    let shell = Shell::start(config.shell, &shutdown).await?;
    let Config {
        bus,
        topics,
        partitions,
        group,
        tiers,
        workers,
        max_in_flight,
        max_takes,
        pixels,
        regions,
        edge_form,
        room,
        policy,
        cluster,
        redispatch,
        ..
    } = config;
    let work = async {
        let in_place = shell.health.condition("topics");
        let bus = Bus::open_on(Threads::started_by(shell.tasks.thread_starter()), bus)?;
        shell.follow("broker", bus.state());
        shell.follow("partitions", bus.groups_state());
        shell.conditions_added();
        let specs = frame_bus::topic_specs(&topics, partitions);
        if !bus.topics_in_place(&specs, shell.stop(), |outcome| in_place.set(outcome)).await {
            return Ok(());
        }
        shell.let_follow(in_place, bus.topics_state());

        let metrics = Metrics::register(&shell.metrics);
        let own = own.map(|policy| GuardedPolicy::boxed(policy, metrics.clone()));
        let config = policy.filled_in(policy.config.clone());
        let decisions = Decisions::new(&config, own, metrics.clone())?;
        let (answered, caught_up) = (Answered::default(), CancellationToken::new());
        let backlog = Backlog {
            bus: bus.clone(),
            topics: topics.clone(),
            groups: tiers,
            own_group: group.clone(),
        };
        // what was left behind by whoever ran before is known before the first frame is decided on
        backlog.look(&decisions, &metrics).await;
        let forms = Arc::new(Forms::new(edge_form));
        let results = Results {
            bus: bus.clone(),
            topic: topics.results.clone(),
            own_unit: shell.identity.unit.clone(),
            decisions: decisions.clone(),
            forms: Arc::clone(&forms),
            answered: answered.clone(),
            traces: shell.traces.clone(),
        };
        // they go on while frames are drained, and end after the last one
        let watching = CancellationToken::new();
        let _until_the_end = watching.clone().drop_guard();
        let background = |name, task| {
            shell.tasks.spawn(name, Ends::WhenAsked(watching.clone()), task);
        };
        let in_hand = PolicyInHand::new(policy.clone(), config, decisions.clone(), metrics.clone());
        if policy.file.is_some() {
            background("policy-file", policy.watch(in_hand.clone(), watching.clone()).boxed());
        }
        let book = regions.book();
        if regions.has_file() {
            let (metrics, stop) = (metrics.clone(), watching.clone());
            let told = move |used| metrics.regions_reloaded(used);
            let watch = regions.watch(Arc::clone(&book), told);
            let watch = async move { stop.run_until_cancelled(watch).await.unwrap_or_default() };
            background("regions-file", watch.boxed());
        }
        background("regions-count", count_regions(&book, &metrics, &watching).boxed());
        let settings = SettingsTopic {
            bus: bus.clone(),
            spec: frame_bus::settings_spec(&topics),
            metrics: metrics.clone(),
            regions: Arc::clone(&book),
            is_there: Arc::default(),
            decisions: decisions.clone(),
        };
        let settings_read = CancellationToken::new();
        background("settings-topic", settings.clone().look_after(watching.clone()).boxed());
        let follow = settings.clone().follow(in_hand.clone(), settings_read, watching.clone());
        background("settings", follow.boxed());
        let instance = instance_of(&shell.identity);
        let contracts =
            ContractsSpeaker::new(settings.clone(), decisions.clone(), instance.clone());
        let keeper = LessonsKeeper { topic: settings.clone(), decisions: decisions.clone() };
        let announcer = Announcer {
            topic: settings,
            in_hand,
            decisions: decisions.clone(),
            instance,
            contracts,
        };
        let announcing = shell.tasks.spawn(
            "announce",
            Ends::WhenAsked(watching.clone()),
            announcer.announce(watching.clone()),
        );
        let keeping = shell.tasks.spawn(
            "lessons",
            Ends::WhenAsked(watching.clone()),
            keeper.keep(watching.clone()),
        );
        let watch = backlog.watch(decisions.clone(), metrics.clone(), watching.clone());
        background("backlog", watch.boxed());
        background("cluster", watch_cluster(cluster, decisions.clone(), watching.clone()).boxed());
        background("results", results.follow(caught_up.clone(), watching.clone()).boxed());

        // a loop that ends, for whatever reason, takes the other one with it
        let stop = shell.stop().child_token();
        let frames = WorkControl { max_takes, ..WorkControl::new(stop.clone(), drain) };
        let held = WorkControl { only_holds: true, ..WorkControl::new(stop.clone(), drain) };
        let publisher = |control: &WorkControl| {
            let (bus, topics, metrics) = (bus.clone(), topics.clone(), metrics.clone());
            let (regions, give_up) = (Arc::clone(&book), control.give_up.clone());
            Arc::new(Publisher { bus, topics, metrics, regions, give_up })
        };
        let redispatcher = Redispatcher {
            publisher: publisher(&held),
            metrics: metrics.clone(),
            decisions: decisions.clone(),
            answered,
            traces: shell.traces.clone(),
            served_by: shell.identity.clone(),
            caught_up,
            shutdown: stop.clone(),
        };
        let preparer = Preparer {
            metrics: metrics.clone(),
            traces: shell.traces.clone(),
            pixels,
            regions: Arc::clone(&book),
            forms,
            sizes: JpegSizes::default(),
            decisions,
            decided: AtomicU64::new(0),
            remembered: Remembered::default(),
            moving: Moving::default(),
            newest: Newest::default(),
            guard: Guard::new(frames.halt.clone()),
        };
        let handler = Handler {
            publisher: publisher(&frames),
            metrics,
            workers: Permits::new(workers, max_in_flight),
            room,
            preparer: Arc::new(preparer),
            traces: shell.traces.clone(),
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
        let known = stop.run_until_cancelled(known(&book, SETTINGS_WITHIN)).await.transpose()?;
        if known == Some(Known::NoTopic) {
            tracing::warn!("there is no settings topic: what was configured decides and masks");
        }
        let (handler, redispatcher) = (Arc::new(handler), Arc::new(redispatcher));
        let (of_frames, of_held) = tokio::join!(
            async { ended(bus.work(frames_options, handler, &frames, || beats[0].beat()).await) },
            async { ended(bus.work(held_options, redispatcher, &held, || beats[1].beat()).await) },
        );
        watching.cancel();
        // only when the bus is stuck: whoever reads it sees it expire then
        drop(tokio::time::timeout(FAREWELL, async { tokio::join!(announcing, keeping) }).await);
        of_frames?;
        Ok(of_held?)
    };
    shell.supervise(Box::pin(work)).await
}

/// Tells how many cameras have masks and zones, at each change until the stop.
fn count_regions(
    book: &Arc<Book>,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let (book, metrics, stop) = (Arc::clone(book), metrics.clone(), stop.clone());
    let mut changes = book.changes();
    async move {
        loop {
            metrics.regions(&book);
            // the book, which tells of changes, is here
            if !matches!(stop.run_until_cancelled(changes.changed()).await, Some(Ok(()))) {
                return;
            }
        }
    }
}
