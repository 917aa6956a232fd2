//! One unit that runs as a task.

use super::SuiteConfig;
use settings::{ConfigError, Settings};
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unit::Listen;
use units::UnitKind;

/// A unit that was set up; it runs while it is polled.
pub type Running = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Ports that are bound already, in place of those of the settings.
#[derive(Debug, Default)]
pub struct Ports {
    /// The admin port.
    pub admin: Option<Listen>,
    /// The port on which the unit serves clients, if it does.
    pub http: Option<Listen>,
}

macro_rules! set_up {
    ($($kind:ident: $unit:ident, $about:path $(, binds $port:ident)?;)*) => {
        /// Reads the settings of a unit and sets it up. It ends by itself after `shutdown`.
        ///
        /// # Errors
        /// When a setting is not allowed.
        pub fn set_up(
            kind: UnitKind,
            mut settings: Settings,
            ports: Ports,
            shutdown: CancellationToken,
        ) -> Result<Running, ConfigError> {
            match kind {
                $(UnitKind::$kind => {
                    let mut config = $unit::config(&mut settings);
                    settings.finish()?;
                    if let Some(admin) = ports.admin {
                        config.shell.admin = admin;
                    }
                    $(if let Some(listen) = ports.$port {
                        config.$port = listen;
                    })?
                    Ok(Box::pin($unit::run(config, shutdown)))
                })*
            }
        }

        /// Whether a unit serves clients on a port of its own.
        const fn serves_clients(kind: UnitKind) -> bool {
            match kind {
                $(UnitKind::$kind => false $(| !stringify!($port).is_empty())?,)*
            }
        }
    };
}

units::for_each_unit!(set_up);

pub(super) struct RunningUnit {
    pub(super) kind: UnitKind,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl RunningUnit {
    /// Binds the unit's ports (and notes them in `config`, so that a restart gets the same), reads
    /// its settings and runs it.
    pub(super) async fn start(
        kind: UnitKind,
        settings: Settings,
        config: &mut SuiteConfig,
    ) -> anyhow::Result<Self> {
        let shutdown = CancellationToken::new();
        let mut ports = Ports::default();
        if serves_clients(kind) {
            ports.http = Some(bind(&mut config.http, "HTTP").await?);
        }
        ports.admin = Some(bind(&mut config.admin[kind as usize], "the admin port").await?);
        let task = tokio::spawn(set_up(kind, settings, ports, shutdown.clone())?);
        Ok(Self { kind, shutdown, task })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    pub(super) fn tell_to_stop(&self) {
        self.shutdown.cancel();
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.task.await?
    }
}

/// A unit that has just ended leaves its port a moment later.
const PORT_PATIENCE: Duration = Duration::from_secs(2);

async fn bind(address: &mut SocketAddr, purpose: &str) -> anyhow::Result<Listen> {
    let started = Instant::now();
    loop {
        match Listen::Address(*address).bind_now(purpose) {
            Ok((listen, bound)) => {
                *address = bound;
                return Ok(listen);
            }
            Err(error) if started.elapsed() > PORT_PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Asks a unit whether it is ready; the error is what it still waits for.
pub(crate) async fn readyz(admin: SocketAddr) -> Result<(), String> {
    let ask = move || {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(2)));
        let agent = ureq::Agent::new_with_config(config.build());
        let mut response = agent
            .get(format!("http://{admin}/readyz"))
            .call()
            .map_err(|error| error.to_string())?;
        let text = response.body_mut().read_to_string().unwrap_or_default();
        if response.status().is_success() {
            Ok(())
        } else {
            Err(text.trim_end().replace('\n', "; "))
        }
    };
    tokio::task::spawn_blocking(ask).await.unwrap_or_else(|error| Err(error.to_string()))
}
