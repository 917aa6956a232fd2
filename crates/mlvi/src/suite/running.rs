//! One unit that runs as a task.

use super::SuiteConfig;
use settings::{ConfigError, Settings};
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unit::{Faults, Listen};
use units::UnitKind;

/// A unit that was set up; it runs while it is polled.
pub type Running = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// What whoever starts a unit decides in place of its settings.
#[derive(Debug, Default)]
pub struct Setup {
    /// The admin port, bound already.
    pub admin: Option<Listen>,
    /// The port on which the unit serves clients, if it does; bound already.
    pub http: Option<Listen>,
    /// Background tasks that shall fail, for tests.
    pub faults: Faults,
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
            setup: Setup,
            shutdown: CancellationToken,
        ) -> Result<Running, ConfigError> {
            match kind {
                $(UnitKind::$kind => {
                    let mut config = $unit::config(&mut settings);
                    settings.finish()?;
                    if let Some(admin) = setup.admin {
                        config.shell.admin = admin;
                    }
                    config.shell.faults = setup.faults;
                    $(if let Some(listen) = setup.$port {
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
    /// Binds the unit's ports, reads its settings and runs it.
    pub(super) async fn start(
        kind: UnitKind,
        settings: Settings,
        config: &SuiteConfig,
    ) -> anyhow::Result<Self> {
        let shutdown = CancellationToken::new();
        let mut setup = Setup { faults: config.faults.clone(), ..Setup::default() };
        if serves_clients(kind) {
            setup.http = Some(bind(config.http, "HTTP").await?);
        }
        setup.admin = Some(bind(config.admin[kind as usize], "the admin port").await?);
        let task = tokio::spawn(set_up(kind, settings, setup, shutdown.clone())?);
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

async fn bind(address: SocketAddr, purpose: &str) -> anyhow::Result<Listen> {
    let started = Instant::now();
    loop {
        match Listen::Address(address).bind_now(purpose) {
            Ok((listen, _)) => return Ok(listen),
            Err(error) if started.elapsed() > PORT_PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Why a unit is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    /// What it says that it waits for.
    #[error("{0}")]
    Waits(String),
    /// Its admin port does not answer.
    #[error(transparent)]
    NoAnswer(#[from] Box<ureq::Error>),
    /// The question panicked, or the runtime ends.
    #[error(transparent)]
    NotAsked(#[from] tokio::task::JoinError),
}

/// Asks a unit whether it is ready.
pub(crate) async fn readyz(admin: SocketAddr) -> Result<(), NotReady> {
    let ask = move || {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(2)));
        let agent = ureq::Agent::new_with_config(config.build());
        let mut response = agent.get(format!("http://{admin}/readyz")).call().map_err(Box::new)?;
        let text = response.body_mut().read_to_string().unwrap_or_default();
        if response.status().is_success() {
            Ok(())
        } else {
            Err(NotReady::Waits(text.trim_end().replace('\n', "; ")))
        }
    };
    tokio::task::spawn_blocking(ask).await?
}
