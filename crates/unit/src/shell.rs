//! What every unit has around its work.

use crate::health::Reason;
use crate::http::{HttpBounds, HttpCounts, serve};
use crate::traces::{TracesConfig, Whereabouts};
use crate::{
    Condition, Ends, Faults, Health, Listen, ListenError, Metrics, TaskFailure, Tasks, Traces,
    admin,
};
use frame::ServedBy;
use prometheus_client::metrics::info::Info;
use settings::Settings;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long after the failure of a task the admin port still answers, so that whoever asks it (a
/// probe, Prometheus, a person) has a chance to read which one it was. The unit drains meanwhile.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the work may take to stop, beyond its drain time: leaving a consumer group and a last
/// flush.
const AFTER_DRAIN: Duration = Duration::from_secs(10);
/// How long the last spans may take, after the work.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// The admin port's bounds: probes, Prometheus and a few people, each of whom has a few
/// connections. Its answers are some kilobytes.
fn admin_bounds() -> HttpBounds {
    HttpBounds {
        max_connections: 64,
        max_per_peer: 16,
        // `kubectl port-forward` and a sidecar stand for many
        proxies: HttpBounds::loopback(),
        write_timeout: Duration::from_secs(10),
        head_timeout: Duration::from_secs(5),
        idle_timeout: HttpBounds::IDLE_TIMEOUT,
        drain: Duration::from_secs(1),
    }
}

/// How a unit's shell is set up.
#[derive(Debug)]
pub struct ShellConfig {
    /// Which unit, in which pod, on which node: comes back in every result.
    pub identity: ServedBy,
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub admin: Listen,
    /// How long frames in flight may take to finish once the unit was told to stop.
    pub drain: Duration,
    /// Background tasks that are made to panic: none, unless a test plants one.
    pub faults: Faults,
    /// Where spans go; `None`: nowhere.
    pub traces: Option<TracesConfig>,
}

impl ShellConfig {
    /// Reads `POD_NAME`, `NODE_NAME`, `MLVI_ADMIN_LISTEN`, `MLVI_DRAIN`, and OpenTelemetry's
    /// variables.
    pub fn from_settings(settings: &mut Settings, unit: &str) -> Self {
        let pod = pod_name(settings);
        let node = settings.optional_text("NODE_NAME", "the node's name, from the downward API");
        let admin: SocketAddr = settings.parsed(
            "MLVI_ADMIN_LISTEN",
            "0.0.0.0:9600",
            "ADDRESS:PORT",
            "where /livez, /readyz and /metrics are served",
        );
        let drain = settings.duration(
            "MLVI_DRAIN",
            Duration::from_secs(8),
            Duration::ZERO..=Duration::from_secs(600),
            "how long frames in flight may take to finish at shutdown; keep it below the session \
             timeout and the pod's grace period",
        );
        let at = Whereabouts { unit, pod: pod.as_deref(), node: node.as_deref() };
        let traces = TracesConfig::from_settings(settings, at);
        Self {
            identity: ServedBy { unit: unit.into(), pod: pod.or_else(host_name), node },
            admin: Listen::Address(admin),
            drain,
            faults: Faults::default(),
            traces,
        }
    }
}

/// Reads `POD_NAME`.
pub(crate) fn pod_name(settings: &mut Settings) -> Option<String> {
    settings.optional_text(
        "POD_NAME",
        "the pod's name, from the downward API; the host's name if unset",
    )
}

/// What stands for the pod outside of Kubernetes.
pub(crate) fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}

/// A unit's shell: identity, health, metrics and background tasks, served on the admin port until
/// it is dropped, which ends the tasks, too.
#[derive(Debug)]
pub struct Shell {
    /// Which unit, in which pod, on which node.
    pub identity: ServedBy,
    /// What must hold for the unit to be ready.
    pub health: Health,
    /// What the unit counts.
    pub metrics: Metrics,
    /// Where every background task of the unit is spawned.
    pub tasks: Tasks,
    /// Where spans go.
    pub traces: Traces,
    running: Condition,
    drain: Duration,
    _end: DropGuard,
}

impl Shell {
    /// Binds the admin port and serves it. The unit is ready from [`Self::conditions_added`] on,
    /// when its conditions hold, until `shutdown`, so that no new work is sent to it then.
    ///
    /// # Errors
    /// When the admin port cannot be bound.
    pub async fn start(
        config: ShellConfig,
        shutdown: &CancellationToken,
    ) -> Result<Self, ListenError> {
        let (health, metrics) = (Health::of(&config.identity.unit), Metrics::default());
        metrics.register("unit", "which unit this is", whose(&config.identity.unit));
        let running = health.lasting_condition("running");
        let listener = config.admin.into_tokio("the admin port (MLVI_ADMIN_LISTEN)")?;
        let tasks = Tasks::new(health.clone(), shutdown.child_token(), config.faults);
        tasks.register(&metrics);
        let counts = HttpCounts::default();
        counts.register(&metrics, "admin");
        let (router, never) =
            (admin::router(health.clone(), metrics.clone()), CancellationToken::new());
        let server = serve(listener, router, admin_bounds(), counts, never);
        tasks.spawn("admin", Ends::Never, server);
        let traces = Traces::start(&config.identity.unit, config.traces, &metrics, &tasks);
        let (identity, drain, _end) = (config.identity, config.drain, tasks.end_guard());
        Ok(Self { identity, health, metrics, tasks, traces, running, drain, _end })
    }

    /// Cancelled when the unit is to stop: at the shutdown that it was started with, or because a
    /// background task has failed.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        self.tasks.stop()
    }

    /// Adds a condition that follows a channel: it holds while the value is `Ok`. When the sender
    /// is gone, which is so at the end of the unit, it stays as it is.
    pub fn follow<E: Reason>(&self, name: &'static str, state: watch::Receiver<Result<(), E>>) {
        self.let_follow(self.health.condition(name), state);
    }

    /// The same for a condition that is there already.
    pub fn let_follow<E: Reason>(
        &self,
        condition: Condition,
        state: watch::Receiver<Result<(), E>>,
    ) {
        let name = format!("condition {}", condition.name());
        self.tasks.spawn(name, Ends::WhenDone, condition.follow(state));
    }

    /// Does the unit's work to its end, which comes early when a background task fails: the work is
    /// told to stop then, as at a shutdown, and the failure is what the unit ends with.
    ///
    /// # Errors
    /// The failure of a task, or else the work's own error.
    pub async fn supervise<E>(&self, work: impl Future<Output = Result<(), E>>) -> Result<(), E>
    where
        E: From<TaskFailure> + AsRef<dyn std::error::Error>,
    {
        let outcome = self.tasks.supervise(work, self.drain + AFTER_DRAIN).await;
        self.traces.flush(LAST_SPANS).await;
        if let Some(at) = self.tasks.failed_at() {
            tokio::time::sleep_until(at + FAREWELL).await;
        }
        outcome
    }

    /// Every condition of the unit has been added to its health: from now on it is ready when they
    /// hold. Before this call the unit is never ready, so that none can look ready only because
    /// it has not said yet what it waits for.
    pub fn conditions_added(&self) {
        self.running.ready();
        let (stop, running) = (self.stop().clone(), self.running.clone());
        self.tasks.spawn("stop", Ends::WhenDone, async move {
            stop.cancelled().await;
            running.not_ready(crate::health::SHUTTING_DOWN);
        });
    }
}

/// What tells a unit's metrics from those of another unit with the same counters.
fn whose(unit: &str) -> Info<[(&'static str, String); 2]> {
    Info::new([("unit", unit.to_owned()), ("version", env!("CARGO_PKG_VERSION").to_owned())])
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(address: SocketAddr, path: &str) -> (u16, String) {
        let url = format!("http://{address}{path}");
        tokio::task::spawn_blocking(move || {
            let agent = ureq::Agent::new_with_config(
                ureq::Agent::config_builder().http_status_as_error(false).build(),
            );
            let mut response = agent.get(url).call().unwrap();
            (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn the_admin_port_tells_health_and_metrics() {
        let (admin, address) = Listen::loopback().unwrap();
        let shutdown = CancellationToken::new();
        let config = ShellConfig {
            identity: ServedBy::default(),
            admin,
            drain: Duration::ZERO,
            faults: Faults::default(),
            traces: None,
        };
        let shell = Shell::start(config, &shutdown).await.unwrap();
        let model = shell.health.condition("model");
        model.ready();
        assert_eq!(get(address, "/readyz").await.0, 503, "there may be more conditions");
        model.not_ready("it was unloaded");
        shell.conditions_added();
        let (status, text) = get(address, "/readyz").await;
        assert_eq!(status, 503);
        assert!(text.contains("not ready  model: it was unloaded"), "{text}");
        model.ready();
        assert_eq!(get(address, "/readyz").await.0, 200);
        assert_eq!(get(address, "/livez").await.0, 200);

        let frames = prometheus_client::metrics::counter::Counter::<u64>::default();
        shell.metrics.register("frames", "frames seen", frames.clone());
        frames.inc();
        let (status, text) = get(address, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("mlvi_frames_total 1"), "{text}");

        let _stalled = shell.health.heartbeat("loop", Duration::ZERO);
        while get(address, "/livez").await.0 == 200 {}

        shutdown.cancel();
        while get(address, "/readyz").await.0 == 200 {}
    }

    #[tokio::test]
    async fn a_failed_task_is_named_and_counted_and_ends_the_unit() {
        let (admin, address) = Listen::loopback().unwrap();
        let config = ShellConfig {
            identity: ServedBy { unit: "unit".into(), ..ServedBy::default() },
            admin,
            drain: Duration::ZERO,
            faults: Faults::default(),
            traces: None,
        };
        let shutdown = CancellationToken::new();
        let shell = Shell::start(config, &shutdown).await.unwrap();
        shell.health.stay_ready();
        shell.conditions_added();
        shell.tasks.spawn("learning", Ends::Never, async { panic!("on purpose") });
        let stop = shell.stop().clone();
        let work = async {
            stop.cancelled().await;
            let seen = (get(address, "/livez").await, get(address, "/readyz").await);
            assert_eq!((seen.0.0, seen.1.0), (503, 503), "{seen:?}");
            for text in [seen.0.1, seen.1.1] {
                assert!(text.contains("task 'learning' of unit panicked: on purpose"), "{text}");
            }
            let metrics = get(address, "/metrics").await.1;
            assert!(metrics.contains("mlvi_task_failures_total{task=\"learning\"} 1"), "{metrics}");
            assert!(metrics.contains("mlvi_task_failures_total{task=\"admin\"} 0"), "{metrics}");
            anyhow::Ok(())
        };
        let error = shell.supervise(work).await.unwrap_err();
        assert_eq!(error.to_string(), "task 'learning' of unit panicked: on purpose");
        assert!(!shutdown.is_cancelled(), "that is not ours to say");
    }

    #[tokio::test]
    async fn a_taken_admin_port_is_an_error_that_names_the_variable() {
        let (taken, address) = Listen::loopback().unwrap();
        let config = ShellConfig {
            identity: ServedBy::default(),
            admin: Listen::Address(address),
            drain: Duration::ZERO,
            faults: Faults::default(),
            traces: None,
        };
        let error = Shell::start(config, &CancellationToken::new()).await.unwrap_err().to_string();
        assert!(
            error.contains("MLVI_ADMIN_LISTEN") && error.contains(&address.to_string()),
            "{error}"
        );
        drop(taken);
    }
}
