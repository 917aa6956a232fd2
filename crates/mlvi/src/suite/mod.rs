//! The whole suite in one process: a broker and the units, each of which can be stopped and
//! started by itself.

mod config;
mod memory;
mod running;

pub(crate) use config::Entrance;
pub use config::{BrokerChoice, SuiteConfig};
pub use memory::within_memory;
pub(crate) use running::readyz;
pub use running::{Running, Setup, set_up};
pub use units::UnitKind;

use anyhow::Context;
use embedded_broker::{Broker, BrokerConfig, BrokerTask};
use ports::ReservedPort;
use running::RunningUnit;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use unit::{Ends, Health, Tasks};

/// The name under which the suite's own background tasks fail: those of the embedded broker, and
/// the one that waits for signals.
pub const SUITE: &str = "mlvi";

/// A running suite. Dropping it ends everything without draining; [`Suite::stop`] is the polite
/// way.
pub struct Suite {
    config: SuiteConfig,
    broker: Option<Broker>,
    brokers: String,
    units: Vec<RunningUnit>,
    /// Those of the embedded broker.
    tasks: Tasks,
    _ports: Vec<ReservedPort>,
}

impl Suite {
    /// Starts the broker (unless an external one is used) and the units. Does not wait until
    /// they are ready.
    ///
    /// # Errors
    /// A [`settings::ConfigError`] for settings that are not allowed; a broker or a port that
    /// cannot be had.
    pub async fn start(mut config: SuiteConfig) -> anyhow::Result<Self> {
        let tasks = Tasks::new(Health::of(SUITE), CancellationToken::new(), config.faults.clone());
        let ports = config.reserve_ports()?;
        let (broker, brokers) = match &config.broker {
            BrokerChoice::Embedded { dir, listen } => {
                let broker = start_broker(&tasks, dir, *listen).await?;
                let brokers = broker.address().to_string();
                (Some(broker), brokers)
            }
            BrokerChoice::External(brokers) => (None, brokers.clone()),
        };
        let mut suite = Self { config, broker, brokers, units: Vec::new(), tasks, _ports: ports };
        for kind in UnitKind::ALL {
            suite.start_unit(kind).await?;
        }
        Ok(suite)
    }

    /// Where clients speak to the web-server.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.config.http
    }

    /// Where a unit's `/livez`, `/readyz` and `/metrics` are.
    #[must_use]
    pub fn admin(&self, kind: UnitKind) -> SocketAddr {
        self.config.admin[kind as usize]
    }

    /// The broker's address.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The settings of a unit: the suite's, then the unit's own, then those that hold the suite
    /// together. A process of the unit that gets them in its environment is a member of this
    /// suite.
    #[must_use]
    pub fn settings_of(&self, kind: UnitKind) -> Vec<(String, String)> {
        let mut pairs = self.config.settings_of(kind);
        pairs.push(("MLVI_BROKERS".into(), self.brokers.clone()));
        pairs
    }

    /// Starts one unit; on the ports that it had, if it ran before.
    ///
    /// # Errors
    /// A [`settings::ConfigError`] for settings that are not allowed; a port that cannot be had.
    pub async fn start_unit(&mut self, kind: UnitKind) -> anyhow::Result<()> {
        let settings = self.config.source(self.settings_of(kind))?;
        let unit = RunningUnit::start(kind, settings, &self.config).await?;
        self.units.push(unit);
        Ok(())
    }

    /// Stops one unit as SIGTERM would, and waits until it has ended.
    ///
    /// # Errors
    /// The unit's own error, or that it does not run.
    pub async fn stop_unit(&mut self, kind: UnitKind) -> anyhow::Result<()> {
        let index = self
            .units
            .iter()
            .position(|unit| unit.kind == kind)
            .with_context(|| format!("{kind} does not run"))?;
        self.units.swap_remove(index).stop().await
    }

    /// Stops the embedded broker.
    ///
    /// # Errors
    /// When there is none, or its last writes fail.
    pub async fn stop_broker(&mut self) -> anyhow::Result<()> {
        let broker = self.broker.take().context("no embedded broker runs")?;
        Ok(broker.shutdown().await?)
    }

    /// Starts the embedded broker again, on its port and its data.
    ///
    /// # Errors
    /// When an external broker is used, or the port or the data cannot be had.
    pub async fn start_broker(&mut self) -> anyhow::Result<()> {
        let BrokerChoice::Embedded { dir, listen } = &self.config.broker else {
            anyhow::bail!("the broker is not ours to start");
        };
        self.broker = Some(start_broker(&self.tasks, dir, *listen).await?);
        Ok(())
    }

    /// Waits until every unit says that it is ready.
    ///
    /// # Errors
    /// When a unit ends instead, or the time is over; the error tells what the units still wait
    /// for.
    pub async fn ready(&mut self, patience: Duration) -> anyhow::Result<()> {
        self.ready_telling(patience, |_, _| {}).await
    }

    /// As [`Suite::ready`], and tells from time to time which unit is waited for and why it is not
    /// ready.
    ///
    /// # Errors
    /// As [`Suite::ready`].
    pub async fn ready_telling(
        &mut self,
        patience: Duration,
        tell: impl Fn(UnitKind, &str),
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        for kind in UnitKind::ALL {
            loop {
                self.fail_if_any_ended().await?;
                let state = readyz(self.admin(kind)).await;
                match state {
                    Ok(()) => break,
                    Err(reason) if started.elapsed() > patience => {
                        anyhow::bail!("{kind} is not ready: {reason}")
                    }
                    Err(reason) => {
                        tell(kind, &reason.to_string());
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Waits until a unit ends by itself or the broker fails, which none should.
    pub async fn until_one_ends(&mut self) -> anyhow::Error {
        loop {
            if let Err(error) = self.fail_if_any_ended().await {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn fail_if_any_ended(&mut self) -> anyhow::Result<()> {
        if let Some(failure) = self.tasks.failure() {
            return Err(anyhow::Error::from(failure).context("the embedded broker has failed"));
        }
        let Some(index) = self.units.iter().position(RunningUnit::has_ended) else { return Ok(()) };
        let unit = self.units.swap_remove(index);
        let kind = unit.kind;
        unit.stop().await.with_context(|| format!("{kind} has ended"))?;
        anyhow::bail!("{kind} has ended without an error")
    }

    /// Stops all units at once, so that one drain time is enough, and then the broker.
    ///
    /// # Errors
    /// The first error of a unit or the broker; all are stopped all the same.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        self.units.iter().for_each(RunningUnit::tell_to_stop);
        for unit in self.units.drain(..) {
            outcome = outcome.and(unit.stop().await);
        }
        if let Some(broker) = self.broker.take() {
            outcome = outcome.and(broker.shutdown().await.map_err(Into::into));
        }
        // a task of the broker that failed meanwhile
        outcome.and(self.tasks.failure().map_or(Ok(()), |failure| Err(failure.into())))
    }
}

/// A broker whose tasks the suite sees end.
async fn start_broker(tasks: &Tasks, dir: &Path, listen: SocketAddr) -> anyhow::Result<Broker> {
    let config = BrokerConfig { listen, ..BrokerConfig::new(dir) };
    let spawn = |name: &'static str, stop: CancellationToken, task: BrokerTask| {
        drop(tasks.spawn(format!("broker {name}"), Ends::WhenAsked(stop), task));
    };
    Ok(Broker::start_with(config, spawn).await?)
}

#[cfg(test)]
mod tests;
