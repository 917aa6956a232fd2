//! The admin port of a process that feeds cameras: whether they deliver, and what was counted.

use super::camera::Shared;
use super::metrics::Metrics;
use frame::ServedBy;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use unit::{Condition, Faults, Heartbeat, Listen, Shell, ShellConfig};

/// The loop that looks after the cameras takes a thousandth of it.
const ALIVE_WITHIN: Duration = Duration::from_secs(30);

/// Served until it is dropped.
pub(super) struct Admin {
    delivering: Condition,
    alive: Heartbeat,
    _shell: Shell,
}

impl Admin {
    /// Binds the port.
    ///
    /// # Errors
    /// When it is taken.
    pub(super) fn start(
        runtime: &Runtime,
        address: SocketAddr,
        metrics: &Metrics,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let config = ShellConfig {
            identity: ServedBy { unit: "camera".into(), pod: None, node: None },
            admin: Listen::Address(address),
            drain: Duration::ZERO,
            faults: Faults::default(),
            traces: None,
        };
        let shell = runtime.block_on(Shell::start(config, stop))?;
        metrics.register(&shell.metrics);
        let delivering = shell.health.condition("cameras");
        let alive = shell.health.heartbeat("cameras", ALIVE_WITHIN);
        shell.conditions_added();
        Ok(Self { delivering, alive, _shell: shell })
    }

    /// Says how the cameras do.
    pub(super) fn tell(&self, shared: &Shared) {
        self.alive.beat();
        let missing = shared.deliveries.missing();
        shared.metrics.cameras(missing.of, missing.of - missing.names.len());
        if missing.names.is_empty() {
            self.delivering.ready();
        } else {
            self.delivering.not_ready(missing.to_string());
        }
    }
}
