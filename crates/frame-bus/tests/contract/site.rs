//! A broker to test against, and how to speak with it.

use anyhow::{Context, Result};
use embedded_broker::{Broker, BrokerConfig};
use frame_bus::{
    Bus, BusConfig, Cleanup, Consumer, ConsumerOptions, Delivery, Outgoing, Tail, TailEvent,
    TopicSpec,
};
use ports::ReservedPort;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a busy machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(45);

pub(crate) struct Site {
    brokers: String,
    /// Of a broker that is ours.
    embedded: Option<Embedded>,
    /// The one port for Kafkas of one's own is this test's.
    _turn: Option<MutexGuard<'static, ()>>,
}

/// A broker in this process.
struct Embedded {
    dir: TempDir,
    /// Its own while it is stopped, too.
    port: ReservedPort,
    /// `None` while it is stopped.
    broker: Option<Broker>,
}

impl Embedded {
    async fn start(&mut self, disk_bytes: Option<u64>) -> Result<()> {
        let listen = self.port.address();
        let config = BrokerConfig { listen, disk_bytes, ..BrokerConfig::new(self.dir.path()) };
        self.broker = Some(Broker::start(config).await?);
        Ok(())
    }
}

impl Site {
    pub(crate) async fn embedded() -> Result<Self> {
        Self::embedded_on(None).await
    }

    /// On a disk of this many bytes.
    pub(crate) async fn embedded_on(disk_bytes: Option<u64>) -> Result<Self> {
        let (dir, port) = (tempfile::tempdir()?, ReservedPort::loopback()?);
        let mut embedded = Embedded { dir, port, broker: None };
        embedded.start(disk_bytes).await?;
        let brokers = embedded.port.address().to_string();
        Ok(Self { brokers, embedded: Some(embedded), _turn: None })
    }

    /// `None` when the test is skipped.
    pub(crate) fn kafka() -> Option<Self> {
        requires::kafka().map(|brokers| Self { brokers, embedded: None, _turn: None })
    }

    pub(crate) fn config(&self) -> BusConfig {
        // the shortest session that Kafka allows, so that what depends on it shows
        BusConfig {
            session_timeout: Duration::from_secs(6),
            ..BusConfig::new(&self.brokers, "contract")
        }
    }

    pub(crate) fn bus(&self) -> Result<Bus> {
        Ok(Bus::open(self.config())?)
    }

    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The file with the log of the topic's first partition, of a broker that is ours.
    pub(crate) fn log_file(&self, topic: &str) -> Option<PathBuf> {
        let mut folders = vec![self.embedded.as_ref()?.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()) {
                let is_log = path.extension().is_some_and(|extension| extension == "log");
                if is_log && path.to_string_lossy().contains(topic) {
                    return Some(path);
                }
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        None
    }

    /// Stops the broker and starts it again on its port, with its data. `meanwhile` runs while it
    /// is away.
    pub(crate) async fn restart(
        &mut self,
        meanwhile: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        if let Some(embedded) = &mut self.embedded {
            embedded.broker.take().context("it runs")?.shutdown().await?;
            meanwhile.await?;
            embedded.start(None).await?;
        } else {
            script(&["stop", OWN_PORT]).await?;
            meanwhile.await?;
            script(&["resume", OWN_PORT]).await?;
        }
        Ok(())
    }

    /// A broker that this test alone uses; `None` when the test is skipped.
    pub(crate) async fn into_own(self) -> Result<Option<Self>> {
        if self.embedded.is_some() {
            return Ok(Some(self));
        }
        if requires::kafka_script().is_none() {
            return Ok(None);
        }
        let turn = TURN.lock().await;
        script(&["start", OWN_PORT]).await?;
        Ok(Some(Self {
            brokers: format!("127.0.0.1:{OWN_PORT}"),
            embedded: None,
            _turn: Some(turn),
        }))
    }

    pub(crate) async fn give_back(self) -> Result<()> {
        match self.embedded {
            Some(Embedded { broker: Some(broker), .. }) => Ok(broker.shutdown().await?),
            Some(_) => Ok(()),
            None => script(&["stop", OWN_PORT]).await,
        }
    }
}

const OWN_PORT: &str = "19192";
/// Tests run side by side, and only one of them has that port.
static TURN: Mutex<()> = Mutex::const_new(());

async fn script(arguments: &'static [&'static str]) -> Result<()> {
    let path = std::env::var_os("MLVI_KAFKA_SCRIPT").context("MLVI_KAFKA_SCRIPT")?;
    let status = tokio::task::spawn_blocking(move || {
        std::process::Command::new(path).args(arguments).status()
    })
    .await??;
    anyhow::ensure!(status.success(), "{arguments:?}: {status}");
    Ok(())
}

/// A name that no other test and no earlier run has used.
pub(crate) fn fresh(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    format!("{name}-{now}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn spec(name: &str, partitions: i32) -> TopicSpec {
    TopicSpec {
        name: name.into(),
        partitions,
        cleanup: Cleanup::Delete {
            retention: Duration::from_secs(3600),
            retention_bytes: Some(1 << 30),
        },
    }
}

/// Makes a topic with a fresh name.
pub(crate) async fn topic(bus: &Bus, name: &str, partitions: i32) -> Result<String> {
    let name = fresh(name);
    soon(bus.ensure_topics(&[spec(&name, partitions)], &CancellationToken::new())).await??;
    Ok(name)
}

pub(crate) fn outgoing(topic: &str, key: &str, payload: impl AsRef<[u8]>) -> Outgoing {
    Outgoing {
        topic: topic.into(),
        key: key.into(),
        headers: vec![],
        payload: payload.as_ref().to_vec(),
    }
}

/// Sends a message for each number, with the number as key and payload, one after the other.
pub(crate) async fn send_numbers(
    bus: &Bus,
    topic: &str,
    numbers: std::ops::Range<u32>,
) -> Result<()> {
    for number in numbers {
        soon(bus.send(outgoing(topic, &number.to_string(), number.to_string()))).await??;
    }
    Ok(())
}

pub(crate) fn number_of(payload: &[u8]) -> Result<u32> {
    Ok(std::str::from_utf8(payload)?.parse()?)
}

pub(crate) fn join(bus: &Bus, group: &str, topic: &str, max_in_flight: usize) -> Result<Consumer> {
    Ok(bus.consumer(ConsumerOptions { group: group.into(), topic: topic.into(), max_in_flight })?)
}

pub(crate) async fn receive(consumer: &mut Consumer) -> Result<Delivery> {
    Ok(soon(consumer.recv()).await??)
}

pub(crate) async fn next(tail: &mut Tail) -> Result<TailEvent> {
    Ok(soon(tail.recv()).await??)
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(PATIENCE, future).await.context("it takes too long")
}
