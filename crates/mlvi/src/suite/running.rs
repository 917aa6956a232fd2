//! One unit that runs as a task.

use super::{SuiteConfig, UnitKind};
use settings::Settings;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unit::{Listen, ShellConfig};

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
                unit.shell = on_port(unit.shell, admin).await?;
                tokio::spawn(web_server::run(unit, token))
            }
            UnitKind::Preprocessor => {
                let mut unit = preprocessor::Config::from_settings(&mut settings);
                settings.finish()?;
                unit.shell = on_port(unit.shell, admin).await?;
                tokio::spawn(preprocessor::run(unit, token))
            }
            UnitKind::EdgeInference => {
                let mut unit = edge_inference::config(&mut settings);
                settings.finish()?;
                unit.shell = on_port(unit.shell, admin).await?;
                tokio::spawn(edge_inference::run(unit, token))
            }
            UnitKind::CloudInference => {
                let mut unit = cloud_inference::config(&mut settings);
                settings.finish()?;
                unit.shell = on_port(unit.shell, admin).await?;
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

async fn on_port(shell: ShellConfig, admin: &mut SocketAddr) -> anyhow::Result<ShellConfig> {
    Ok(ShellConfig { admin: bind(admin, "the admin port").await?, ..shell })
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
