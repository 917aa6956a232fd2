//! The node's listeners and users.

use crate::log;
use anyhow::{Context, Result, ensure};
use frame_bus::{
    Bus, BusConfig, Cleanup, Login, Mechanism, Outgoing, Password, Readiness, Security, Tls,
    TopicSpec,
};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a busy machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stand {
    host: String,
    port: u16,
    secrets: PathBuf,
}

impl Stand {
    /// `None` when the test is skipped since there is no node; an error when there is one without
    /// what a login needs.
    pub(crate) fn kafka() -> Result<Option<Self>> {
        let Some(address) = requires::kafka() else { return Ok(None) };
        let (host, port) = address.rsplit_once(':').context("MLVI_KAFKA must be HOST:PORT")?;
        let port: u16 = port.parse().context("MLVI_KAFKA must be HOST:PORT")?;
        let usual = || {
            format!("{}/../../target/kafka/node-{port}/secrets", env!("CARGO_MANIFEST_DIR")).into()
        };
        let secrets: PathBuf =
            std::env::var_os("MLVI_KAFKA_SECRETS").map_or_else(usual, PathBuf::from);
        let hint = "start the node with `.ci/kafka start`, or say with MLVI_KAFKA_SECRETS where \
                    its secrets are";
        ensure!(
            secrets.join("ca.pem").exists(),
            "{} is not there: {hint}",
            secrets.join("ca.pem").display()
        );
        log::keep();
        Ok(Some(Self { host: host.to_owned(), port, secrets }))
    }

    /// The listener that is open to everyone.
    pub(crate) fn open(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The one with TLS and a login.
    pub(crate) fn secure(&self) -> String {
        format!("{}:{}", self.host, self.port + 2)
    }

    /// The one with a login alone.
    pub(crate) fn login_only(&self) -> String {
        format!("{}:{}", self.host, self.port + 3)
    }

    /// What the node has logged, where its folder is at hand.
    pub(crate) fn node_log(&self) -> Option<String> {
        std::fs::read_to_string(self.secrets.parent()?.join("kafka.log")).ok()
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn tls(&self) -> Tls {
        Tls { ca_file: Some(self.secrets.join("ca.pem")), identity: None }
    }

    /// The file with a user's password.
    pub(crate) fn secret(&self, user: &str) -> PathBuf {
        self.secrets.join(user)
    }

    /// One of the node's users, with its password.
    pub(crate) fn login(&self, user: &str) -> Result<Login> {
        let file = self.secret(user);
        let password =
            std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Ok(login(user, password.trim_end()))
    }

    /// As this user, over TLS.
    pub(crate) fn as_user(&self, user: &str) -> Result<BusConfig> {
        Ok(config(
            &self.secure(),
            Security { tls: Some(self.tls()), login: Some(self.login(user)?) },
        ))
    }

    /// As somebody who may do everything.
    pub(crate) fn anyone(&self) -> BusConfig {
        config(&self.open(), Security::default())
    }
}

pub(crate) fn login(user: &str, password: &str) -> Login {
    Login {
        mechanism: Mechanism::ScramSha512,
        username: user.into(),
        password: Password::new(password),
    }
}

pub(crate) fn config(brokers: &str, security: Security) -> BusConfig {
    let quick = Duration::from_secs(6);
    BusConfig {
        security,
        session_timeout: quick,
        send_timeout: quick,
        ..BusConfig::new(brokers, "secure")
    }
}

/// A name that no other test and no earlier run has used; it begins as those that the user `site`
/// may use.
pub(crate) fn fresh(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    format!("mlvi-{name}-{now}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn spec(name: &str) -> TopicSpec {
    TopicSpec {
        name: name.into(),
        partitions: 1,
        cleanup: Cleanup::Delete {
            retention: Duration::from_secs(3600),
            retention_bytes: Some(1 << 30),
        },
    }
}

pub(crate) async fn make(bus: &Bus, names: &[&str]) -> Result<()> {
    let specs: Vec<TopicSpec> = names.iter().map(|name| spec(name)).collect();
    Ok(soon(bus.ensure_topics(&specs, &CancellationToken::new())).await??)
}

pub(crate) fn outgoing(topic: &str, payload: impl Into<Vec<u8>>) -> Outgoing {
    Outgoing { topic: topic.into(), key: "camera".into(), headers: vec![], payload: payload.into() }
}

/// Waits until the bus says that it is not usable, in these words.
pub(crate) async fn complains(bus: &Bus, words: &[&str]) -> Result<String> {
    let mut state = bus.state();
    let says = |state: &Readiness| {
        state.as_ref().is_err_and(|unready| {
            let reason = unready.to_string();
            words.iter().all(|word| reason.contains(word))
        })
    };
    let outcome = tokio::time::timeout(PATIENCE, state.wait_for(says))
        .await
        .map(|found| found.map(|found| found.clone()));
    match outcome {
        Ok(found) => Ok(found?.unwrap_err().to_string()),
        Err(_) => anyhow::bail!("{words:?} are not in {:?}", *bus.state().borrow()),
    }
}

pub(crate) async fn is_usable(bus: &Bus) -> Result<()> {
    let mut state = bus.state();
    soon(state.wait_for(Result::is_ok)).await??;
    Ok(())
}

/// Runs `.ci/kafka`; `false` when the test is skipped since the environment does not say where it
/// is.
pub(crate) async fn script(arguments: &[&str]) -> Result<bool> {
    let Some(path) = requires::kafka_script() else { return Ok(false) };
    let mut command = std::process::Command::new(path);
    command.args(arguments).stdout(std::process::Stdio::null());
    let status = tokio::task::spawn_blocking(move || command.status()).await??;
    ensure!(status.success(), "{arguments:?}: {status}");
    Ok(true)
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(PATIENCE, future).await.context("it takes too long")
}
