//! A suite that is set up for one test.

use crate::{Client, StoppedKafka, log, models_dir};
use mlvi::suite::{BrokerChoice, Suite, SuiteConfig, UnitKind};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// The suites take turns: two models at a time on two cores would only wait for each other.
static TURN: Mutex<()> = Mutex::const_new(());
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Loading the models on a busy machine takes some seconds; a broken suite should not hold up the
/// others for long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The turn to use the machine.
pub struct Turn(#[expect(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

impl Turn {
    /// Waits for it.
    pub async fn come() -> Self {
        Self(TURN.lock().await)
    }
}

/// A running suite, its data folder, and the turn to use the machine.
pub struct Journey {
    /// The suite.
    pub suite: Suite,
    kafka: Option<String>,
    stopped: Option<StoppedKafka>,
    _dir: TempDir,
    _turn: Turn,
}

/// A suite with one model thread a tier, and with topics and groups that no other journey has.
#[must_use]
pub fn suite_config(kafka: Option<&str>, dir: &Path) -> SuiteConfig {
    let name = format!("journey-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut config = SuiteConfig::embedded(dir);
    if let Some(brokers) = kafka {
        config.broker = BrokerChoice::External(brokers.to_owned());
    }
    config
        .with("MLVI_MODELS_DIR", models_dir().display())
        .with("MLVI_TOPIC_PREFIX", &name)
        .with("MLVI_MODEL_THREADS", 1)
        .with_unit(UnitKind::Preprocessor, "MLVI_GROUP", format!("{name}-preprocessor"))
        .with_unit(UnitKind::Preprocessor, "MLVI_REDISPATCH_GROUP", format!("{name}-redispatch"))
        .with_unit(UnitKind::EdgeInference, "MLVI_GROUP", format!("{name}-edge"))
        .with_unit(UnitKind::CloudInference, "MLVI_GROUP", format!("{name}-cloud"))
        .with_unit(UnitKind::ResultsStore, "MLVI_GROUP", format!("{name}-store"))
        .with("MLVI_DATABASE_URL", format!("sqlite:{}", dir.join("results.sqlite").display()))
}

impl Journey {
    /// Starts a suite with one model thread a tier on the embedded broker and waits until it is
    /// ready.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(configure: impl FnOnce(SuiteConfig) -> SuiteConfig) -> Self {
        Self::start_on(None, configure).await
    }

    /// The same on a real broker, with topics and groups of its own.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start_on(
        kafka: Option<String>,
        configure: impl FnOnce(SuiteConfig) -> SuiteConfig,
    ) -> Self {
        log::keep();
        let turn = Turn::come().await;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let config = configure(suite_config(kafka.as_deref(), dir.path()));
        let mut suite = Suite::start(config).await.expect("the suite starts");
        suite.ready(PATIENCE).await.expect("the suite becomes ready");
        Self { suite, kafka, stopped: None, _dir: dir, _turn: turn }
    }

    /// A client of the suite.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.suite.http())
    }

    /// Runs a client's blocking work beside the suite.
    ///
    /// # Panics
    /// When the work does.
    pub async fn client_does<T: Send + 'static>(
        &self,
        work: impl FnOnce(Client) -> T + Send + 'static,
    ) -> T {
        let client = self.client();
        tokio::task::spawn_blocking(move || work(client)).await.expect("the client does not panic")
    }

    /// Stops the broker, whichever it is.
    ///
    /// # Panics
    /// When it does not stop, or was not started by `.ci/kafka`.
    pub async fn stop_broker(&mut self) {
        match &self.kafka {
            None => self.suite.stop_broker().await.expect("the broker stops"),
            Some(address) => self.stopped = Some(StoppedKafka::stop(address).await),
        }
    }

    /// Starts the broker again, where it was and with what it had.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_broker(&mut self) {
        match self.stopped.take() {
            None => self.suite.start_broker().await.expect("the broker starts"),
            Some(stopped) => stopped.resume().await,
        }
    }

    /// Stops everything as Ctrl-C would.
    ///
    /// # Panics
    /// When a unit ends with an error.
    pub async fn end(self) {
        self.suite.stop().await.expect("the suite stops without an error");
    }
}
