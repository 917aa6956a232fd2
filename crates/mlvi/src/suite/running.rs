//! One unit that runs as a task.

use super::{SuiteConfig, UnitKind};
use settings::Settings;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unit::{Faults, Listen, ShellConfig};

pub(super) struct RunningUnit {
    pub(super) kind: UnitKind,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl RunningUnit {
    /// Reads the unit's settings, binds its ports (and notes them in `config`, so that a restart
    /// gets the same) and runs it.
    pub(super) async fn start(
        kind: UnitKind,
        mut settings: Settings,
        config: &mut SuiteConfig,
    ) -> anyhow::Result<Self> {
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let admin = &mut config.admin[kind as usize];
        let task = match kind {
            UnitKind::WebServer => {
                let mut unit = web_server::Config::from_settings(&mut settings);
                settings.finish()?;
                unit.http = bind(&mut config.http, "HTTP").await?;
                unit.shell = on_port(unit.shell, admin, &config.faults).await?;
                tokio::spawn(web_server::run(unit, token))
            }
            UnitKind::Preprocessor => {
                let mut unit = preprocessor::Config::from_settings(&mut settings);
                settings.finish()?;
                unit.shell = on_port(unit.shell, admin, &config.faults).await?;
                tokio::spawn(preprocessor::run(unit, token))
            }
            UnitKind::EdgeInference => {
                let mut unit = edge_inference::config(&mut settings);
                settings.finish()?;
                unit.shell = on_port(unit.shell, admin, &config.faults).await?;
                tokio::spawn(edge_inference::run(unit, token))
            }
            UnitKind::CloudInference => {
                let mut unit = cloud_inference::config(&mut settings);
                settings.finish()?;
                unit.shell = on_port(unit.shell, admin, &config.faults).await?;
                tokio::spawn(cloud_inference::run(unit, token))
            }
        };
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

async fn on_port(
    shell: ShellConfig,
    admin: &mut SocketAddr,
    faults: &Faults,
) -> anyhow::Result<ShellConfig> {
    let admin = bind(admin, "the admin port").await?;
    Ok(ShellConfig { admin, faults: faults.clone(), ..shell })
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
