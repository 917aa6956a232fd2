//! From start to stop: shell, bus, topics, database, the consuming loop.

use crate::Config;
use crate::config::ThumbnailsConfig;
use crate::consume::Consuming;
use crate::gaps::Gaps;
use crate::keep::Keeper;
use crate::masks::Masks;
use crate::metrics::Metrics;
use crate::retention::Retention;
use crate::thumbnails::{Making, Wishing};
use crate::wishes::Wishes;
use frame::Topics;
use frame_bus::{Bus, ConsumerOptions, Threads};
use futures_util::FutureExt;
use results_db::Database;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unit::{Ends, Shell};

/// The loop beats every few seconds, also while it waits for the database.
const BEAT_LIMIT: Duration = Duration::from_secs(30);
/// How often the backlog is asked for.
const BACKLOG_EVERY: Duration = Duration::from_secs(5);

/// Runs the unit until `shutdown`.
///
/// # Errors
/// When a port cannot be bound or a topic cannot be had; when the database belongs to another
/// program or to a newer one of ours. A broker or database that is away is waited for.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let drain = config.shell.drain;
    let shell = Shell::start(config.shell, &shutdown).await?;
    let Config { bus, topics, partitions, group, database, batch, batch_wait, thumbnails, .. } =
        config;
    let (keep, bytes) = (config.retention, config.database_bytes);
    let metrics = Metrics::register(&shell.metrics);
    let Some(url) = database else {
        tracing::info!("MLVI_DATABASE_URL is not set: results are not kept");
        shell.conditions_added();
        return shell.supervise(idle(shell.stop())).await;
    };
    let work = async {
        let in_place = shell.health.condition("topics");
        let database_there = shell.health.condition("database");
        let bus = Bus::open_on(Threads::started_by(shell.tasks.thread_starter()), bus)?;
        shell.follow("broker", bus.state());
        shell.follow("partitions", bus.groups_state());
        shell.conditions_added();
        let specs = frame_bus::topic_specs(&topics, partitions);
        if !bus.topics_in_place(&specs, shell.stop(), |outcome| in_place.set(outcome)).await {
            return Ok(());
        }
        shell.let_follow(in_place, bus.topics_state());
        let mut keeper = Keeper::new(url, metrics.clone(), database_there);
        let Some(database) = keeper.open(shell.stop()).await? else { return Ok(()) };
        let watching = CancellationToken::new();
        let _until_the_end = watching.clone().drop_guard();
        let background = |name, task| {
            shell.tasks.spawn(name, Ends::WhenAsked(watching.clone()), task);
        };
        let retention =
            Retention { database: database.clone(), keep, bytes, metrics: metrics.clone() };
        background("retention", retention.work(watching.clone()).boxed());
        let backlog = watch_backlog(
            bus.clone(),
            group.clone(),
            topics.results.clone(),
            metrics.clone(),
            watching.clone(),
        );
        background("backlog", backlog.boxed());

        let (stored, give_up) = (CancellationToken::new(), CancellationToken::new());
        let pictures = thumbnails.map(|config| {
            let (of, until) = ((&bus, &topics, database), [&watching, &stored, &give_up]);
            make_pictures(&shell, config, of, &metrics, until)
        });
        let (wishing, making) = pictures.unzip();
        let consumer = bus.consumer(ConsumerOptions {
            group: group.clone(),
            topic: topics.results.clone(),
            max_in_flight: batch,
        })?;
        let beat = shell.health.heartbeat("the consuming loop", BEAT_LIMIT);
        let consuming = Consuming {
            bus,
            group,
            dead_letter: topics.dead_letter.clone(),
            keeper,
            metrics,
            batch,
            batch_wait,
            gaps: Gaps::default(),
            wishing,
            stop: shell.stop().clone(),
            give_up: give_up.clone(),
            traces: shell.traces.clone(),
        };
        let patience = async {
            shell.stop().cancelled().await;
            tokio::time::sleep(drain).await;
            give_up.cancel();
            std::future::pending::<()>().await;
        };
        let storing = async {
            let outcome = consuming.work(consumer, || beat.beat()).await;
            // what was stored last has its pictures, too, unless the unit cannot go on
            stored.cancel();
            if outcome.is_err() {
                give_up.cancel();
            }
            if let Some(making) = making {
                // one that has panicked was told of
                let _ = making.await;
            }
            outcome
        };
        tokio::select! {
            outcome = storing => outcome?,
            () = patience => {}
        }
        Ok(())
    };
    shell.supervise(Box::pin(work)).await
}

/// Starts what makes pictures of events; gives who wishes for them, and when all of them are made.
fn make_pictures(
    shell: &Shell,
    config: ThumbnailsConfig,
    (bus, topics, database): (&Bus, &Topics, Database),
    metrics: &Metrics,
    [watching, stored, give_up]: [&CancellationToken; 3],
) -> (Wishing, JoinHandle<()>) {
    let ThumbnailsConfig { budget, regions, pixels: room, most_memory } = config;
    let book = regions.book();
    let until_the_end =
        |name, task| shell.tasks.spawn(name, Ends::WhenAsked(watching.clone()), task);
    if regions.has_file() {
        let (book, stop) = (Arc::clone(&book), watching.clone());
        let watch = async move {
            stop.run_until_cancelled(regions.watch(book, |_| {})).await;
        };
        until_the_end("regions-file", watch.boxed());
    }
    let masks = Masks { bus: bus.clone(), topics: topics.clone(), book };
    until_the_end("settings-topic", masks.clone().look_after(watching.clone()).boxed());
    until_the_end("settings", masks.clone().follow(watching.clone()).boxed());
    let wishes = Arc::new(Wishes::default());
    let making = Making {
        wishes: Arc::clone(&wishes),
        bus: bus.clone(),
        frames: topics.frames.clone(),
        masks,
        database,
        budget,
        room,
        most_memory,
        metrics: metrics.clone(),
    };
    // it ends when its work is done, or was given up
    let work = making.work(stored.clone(), give_up.clone());
    let making = shell.tasks.spawn("thumbnails", Ends::WhenDone, work);
    (Wishing::new(wishes, metrics.clone()), making)
}

async fn idle(stop: &CancellationToken) -> anyhow::Result<()> {
    stop.cancelled().await;
    Ok(())
}

async fn watch_backlog(
    bus: Bus,
    group: String,
    topic: String,
    metrics: Metrics,
    stop: CancellationToken,
) {
    loop {
        if let Ok(lag) = bus.lag(&group, &topic).await {
            metrics.backlog.set(i64::try_from(lag.messages).unwrap_or(i64::MAX));
        }
        if stop.run_until_cancelled(tokio::time::sleep(BACKLOG_EVERY)).await.is_none() {
            return;
        }
    }
}
