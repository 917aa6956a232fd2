//! The whole unit, from start to drain.

use crate::access::Access;
use crate::app::{App, Sources};
use crate::history::History;
use crate::{Config, Limits, backlog, expiry, pictures, results, routes, settings_topic};
use anyhow::Context;
use frame_bus::{Bus, Threads, TopicSpec, topic_specs};
use futures_util::FutureExt;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use unit::http::{HttpBounds, Port, serve};
use unit::{Condition, Ends, Shell, connection_limit};

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
    let listener = config.http.into_tokio("HTTP (MLVI_HTTP_LISTEN)")?;
    let address = listener.local_addr().context("the HTTP port has no address")?;
    let shell = Shell::start(config.shell, &shutdown).await?;
    let Config { bus, topics, partitions, groups, access, regions, database, limits, .. } = config;
    let work = async {
        let bus = Bus::open_on(Threads::started_by(shell.tasks.thread_starter()), bus)?;
        let (in_place, caught_up) =
            (shell.health.condition("topics"), shell.health.condition("results"));
        shell.follow("broker", bus.state());
        // without the broker a client still gets a 503 that says so, and the results that are held:
        // better than no endpoint at all
        shell.health.stay_ready();
        shell.conditions_added();
        let specs = topic_specs(&topics, partitions);
        let (identity, stop) = (shell.identity.clone(), shell.stop().clone());
        let access = Arc::new(Access::new(access, address.ip().is_loopback()));
        let app = Arc::new(App::new(
            identity,
            access,
            limits,
            topics,
            Sources {
                history: History::new(database),
                regions: regions.book(),
                traces: shell.traces.clone(),
            },
            bus.clone(),
            stop,
        ));
        app.metrics.register(&shell.metrics);
        app.pictures.start(shell.tasks.thread_starter()).context("cannot start a thread")?;

        // compressed before it is asked for
        tokio::task::spawn_blocking(dashboard::page).await.context("the dashboard")?;

        let found = CancellationToken::new();
        let background =
            |name, task| shell.tasks.spawn(name, Ends::WhenAsked(shell.stop().clone()), task);
        let beat = shell.health.heartbeat("expiry", HEARTBEAT_LIMIT);
        let mut running = vec![
            background("topics", find_topics(app.clone(), specs, in_place, found.clone()).boxed()),
            background("backlog", backlog::watch(app.clone(), groups, found.clone()).boxed()),
            background("results", results::follow(app.clone(), found, caught_up).boxed()),
            background("expiry", expiry::watch(app.clone(), beat).boxed()),
            background("settings-topic", settings_topic::look_after(app.clone()).boxed()),
            background("settings", settings_topic::follow(app.clone()).boxed()),
            background("pictures", pictures::drive(app.clone()).boxed()),
        ];
        let (tokens, certificate) = app.access.watched();
        let until_stop = |task| {
            let stop = shell.stop().clone();
            async move { stop.run_until_cancelled(task).await.unwrap_or_default() }.boxed()
        };
        if tokens {
            let watching = app.access.clone().watch_tokens(app.metrics.clone()).boxed();
            running.push(background("tokens", until_stop(watching)));
        }
        if regions.has_file() {
            let metrics = app.metrics.clone();
            let told = move |used| metrics.reloaded("regions", used);
            let watching = regions.watch(app.regions.clone(), told).boxed();
            running.push(background("regions-file", until_stop(watching)));
        }
        if certificate {
            let watching = app.access.clone().watch_certificate(app.metrics.clone()).boxed();
            running.push(background("certificate", until_stop(watching)));
        }

        let (port, tls) = (Port::from(listener), app.access.tls());
        let port = if let Some(tls) = tls { port.with_tls(tls) } else { port };
        tracing::info!(%address, https = certificate, tokens, "serving");
        let serving = serve(
            port,
            routes::router(app.clone()),
            bounds(&app.limits, drain),
            app.metrics.connections.clone(),
            shell.stop().clone(),
        );
        let stopping = async {
            shell.stop().cancelled().await;
            Instant::now()
        };
        let ((), stopped_at) = tokio::join!(serving, stopping);

        // frames whose client has gone are still on their way to the broker
        let left = || drain.saturating_sub(stopped_at.elapsed());
        app.tasks.close();
        let finished = async { tokio::join!(app.tasks.wait(), join_all(running)) };
        if tokio::time::timeout(left(), finished).await.is_err() {
            tracing::warn!(frames = app.tasks.len(), "work did not finish within the drain time");
        }
        bus.close(left()).await;
        Ok(())
    };
    shell.supervise(Box::pin(work)).await
}

/// Makes the topics that are missing, tells when all are there, and watches over them from then on.
async fn find_topics(
    app: Arc<App>,
    specs: Vec<TopicSpec>,
    in_place: Condition,
    found: CancellationToken,
) {
    if app.bus.topics_in_place(&specs, &app.shutdown, |outcome| in_place.set(outcome)).await {
        found.cancel();
        let following = in_place.follow(app.bus.topics_state());
        app.shutdown.run_until_cancelled(following).await;
        // when the monitor has failed, it is the one to be named, not whoever followed it
        app.shutdown.cancelled().await;
    }
}

/// What clients may hold, as far as the process has room for it.
fn bounds(limits: &Limits, drain: Duration) -> HttpBounds {
    HttpBounds {
        max_connections: connection_limit(limits.max_connections, "MLVI_MAX_CONNECTIONS"),
        max_per_peer: limits.max_connections_per_peer,
        proxies: limits.proxies.clone(),
        write_timeout: limits.write_timeout,
        head_timeout: HttpBounds::HEAD_TIMEOUT,
        idle_timeout: HttpBounds::IDLE_TIMEOUT,
        drain,
    }
}
