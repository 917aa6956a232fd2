//! The real broker, and how it is stopped and started again.

use requires::{Requirement, kafka, skip};
use std::path::PathBuf;
use std::process::Command;

/// The address of a real Apache Kafka for a journey that stops it: only one that `.ci/kafka` has
/// started can be. `None` when the test is skipped.
#[must_use]
pub fn kafka_to_stop() -> Option<String> {
    let address = kafka()?;
    // not its pid: another journey may have stopped it for a moment
    if !node(&address).join("server.properties").is_file() {
        let why = format!("the broker at {address} was not started by .ci/kafka");
        skip(Requirement::KafkaScript, &why);
        return None;
    }
    Some(address)
}

fn top() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(_, port)| port)
}

/// Where `.ci/kafka` keeps a node.
pub(crate) fn node(address: &str) -> PathBuf {
    top().join(format!("target/kafka/node-{}", port(address)))
}

fn script(action: &str, address: &str) {
    let output = Command::new(top().join(".ci/kafka"))
        .args([action, port(address)])
        .output()
        .expect(".ci/kafka runs");
    assert!(
        output.status.success(),
        ".ci/kafka {action}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A Kafka that was stopped. Dropping it starts the node again: the next journey wants it, also
/// when this one has failed.
#[derive(Debug)]
pub struct StoppedKafka(String);

impl StoppedKafka {
    /// Stops the node at this address and waits until it has ended.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(address: &str) -> Self {
        let address = address.to_owned();
        let stop = move || {
            script("stop", &address);
            Self(address)
        };
        tokio::task::spawn_blocking(stop).await.expect("the broker stops")
    }

    /// Starts it again, with its data, and waits until it listens.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn resume(self) {
        tokio::task::spawn_blocking(move || drop(self)).await.expect("the broker starts again");
    }
}

impl Drop for StoppedKafka {
    fn drop(&mut self) {
        script("resume", &self.0);
    }
}
