//! The whole unit, from start to drain.

use crate::app::App;
use crate::backlog::Looks;
use crate::{Config, Limits, backlog, expiry, results, routes};
use anyhow::Context;
use frame_bus::{Bus, topic_specs};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use unit::http::{HttpBounds, serve};
use unit::{Shell, affordable_connections};

/// The loop beats twice a second, and in between waits for one acknowledgement at most.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(60);

/// Serves until `shutdown`; then stops accepting, ends streams and waits, finishes requests within
/// the drain time, and flushes the bus. The broker need not be there at the start: until it is,
/// uploads get 503.
///
/// # Errors
/// When a port cannot be bound, or the Kafka client refuses its configuration.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let drain = config.shell.drain;
    let bus = Bus::open(config.bus)?;
    let listener = config.http.into_tokio("HTTP (MLVI_HTTP_LISTEN)")?;
    let address = listener.local_addr().context("the HTTP port has no address")?;
    let shell = Shell::start(config.shell, &shutdown).await?;
    let (topics, caught_up) = (shell.health.condition("topics"), shell.health.condition("results"));
    shell.health.follow("broker", bus.state());
    // without the broker a client still gets a 503 that says so, and the results that are held:
    // better than no endpoint at all
    shell.health.stay_ready();
    shell.conditions_added();
    let groups = config.groups;
    let specs = topic_specs(&config.topics, config.partitions);
    let app = Arc::new(App::new(
        shell.identity.clone(),
        config.limits,
        config.topics,
        bus.clone(),
        shutdown.clone(),
    ));
    app.metrics.register(&shell.metrics);

    let background = TaskTracker::new();
    background.spawn({
        let app = app.clone();
        async move {
            if app.bus.topics_in_place(&specs, &app.shutdown, |outcome| topics.set(outcome)).await {
                topics.follow(app.bus.topics_state());
                // what waits from before is known before a frame is taken
                let mut looks = Looks::default();
                backlog::look(&app, &groups, &mut looks).await;
                app.topics_are_there();
                tokio::join!(
                    backlog::watch(&app, &groups, looks),
                    results::follow(app.clone(), caught_up)
                );
            }
        }
    });
    background.spawn(expiry::watch(app.clone(), shell.health.heartbeat("expiry", HEARTBEAT_LIMIT)));

    tracing::info!(%address, "serving");
    let stopping = stopwatch(shutdown.clone());
    let counts = app.metrics.connections.clone();
    serve(
        listener,
        routes::router(app.clone()),
        bounds(&app.limits, drain),
        counts,
        shutdown.clone(),
    )
    .await;
    let stopped_at = stopping.await.unwrap_or_else(|_| Instant::now());

    // frames whose client has gone are still on their way to the broker
    let left = || drain.saturating_sub(stopped_at.elapsed());
    app.tasks.close();
    background.close();
    if tokio::time::timeout(left(), async { tokio::join!(app.tasks.wait(), background.wait()) })
        .await
        .is_err()
    {
        tracing::warn!(frames = app.tasks.len(), "work did not finish within the drain time");
    }
    bus.close(left()).await;
    Ok(())
}

/// What clients may hold, as far as the process has room for it.
fn bounds(limits: &Limits, drain: Duration) -> HttpBounds {
    HttpBounds {
        max_connections: affordable_connections(limits.max_connections, "MLVI_MAX_CONNECTIONS"),
        max_per_peer: limits.max_connections_per_peer,
        proxies: limits.proxies.clone(),
        write_timeout: limits.write_timeout,
        head_timeout: HttpBounds::HEAD_TIMEOUT,
        idle_timeout: HttpBounds::IDLE_TIMEOUT,
        drain,
    }
}

/// When the shutdown came.
fn stopwatch(shutdown: CancellationToken) -> tokio::task::JoinHandle<Instant> {
    tokio::spawn(async move {
        shutdown.cancelled().await;
        Instant::now()
    })
}
