//! What every unit has around its work.

use crate::http::{HttpBounds, HttpCounts, serve};
use crate::{Condition, Health, Listen, ListenError, Metrics, admin};
use frame::ServedBy;
use settings::Settings;
use std::net::SocketAddr;
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

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
}

impl ShellConfig {
    /// Reads `POD_NAME`, `NODE_NAME`, `MLVI_ADMIN_LISTEN` and `MLVI_DRAIN`.
    pub fn from_settings(settings: &mut Settings, unit: &str) -> Self {
        let pod = settings.optional_text(
            "POD_NAME",
            "the pod's name, from the downward API; the host's name if unset",
        );
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
            "how long frames in flight may take to finish at shutdown; keep it below the session timeout and the pod's grace period",
        );
        let pod = pod.or_else(|| {
            std::fs::read_to_string("/proc/sys/kernel/hostname")
                .ok()
                .map(|name| name.trim().to_owned())
        });
        Self {
            identity: ServedBy { unit: unit.into(), pod, node },
            admin: Listen::Address(admin),
            drain,
        }
    }
}

/// A unit's shell: identity, health and metrics, served on the admin port until it is dropped.
#[derive(Debug)]
pub struct Shell {
    /// Which unit, in which pod, on which node.
    pub identity: ServedBy,
    /// What must hold for the unit to be ready.
    pub health: Health,
    /// What the unit counts.
    pub metrics: Metrics,
    running: Condition,
    shutdown: CancellationToken,
    _admin: DropGuard,
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
        let running = health.lasting_condition("running");
        let listener = config.admin.into_tokio("the admin port (MLVI_ADMIN_LISTEN)")?;
        let stop = CancellationToken::new();
        let counts = HttpCounts::default();
        counts.register(&metrics, "admin");
        tokio::spawn(serve(
            listener,
            admin::router(health.clone(), metrics.clone()),
            admin_bounds(),
            counts,
            stop.clone(),
        ));
        let (identity, shutdown) = (config.identity, shutdown.clone());
        Ok(Self { identity, health, metrics, running, shutdown, _admin: stop.drop_guard() })
    }

    /// Every condition of the unit has been added to its health: from now on it is ready when they
    /// hold. Before this call the unit is never ready, so that none can look ready only because
    /// it has not said yet what it waits for.
    pub fn conditions_added(&self) {
        self.running.ready();
        let (shutdown, running) = (self.shutdown.clone(), self.running.clone());
        tokio::spawn(async move {
            shutdown.cancelled().await;
            running.not_ready("shutting down");
        });
    }
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
        let config = ShellConfig { identity: ServedBy::default(), admin, drain: Duration::ZERO };
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
    async fn a_taken_admin_port_is_an_error_that_names_the_variable() {
        let (taken, address) = Listen::loopback().unwrap();
        let config = ShellConfig {
            identity: ServedBy::default(),
            admin: Listen::Address(address),
            drain: Duration::ZERO,
        };
        let error = Shell::start(config, &CancellationToken::new()).await.unwrap_err().to_string();
        assert!(
            error.contains("MLVI_ADMIN_LISTEN") && error.contains(&address.to_string()),
            "{error}"
        );
        drop(taken);
    }
}
