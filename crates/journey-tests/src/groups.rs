//! What the consumer groups of a suite have finished.

use crate::Journey;
use frame::Topics;
use frame_bus::{Bus, BusConfig};
use mlvi::suite::UnitKind;
use settings::Settings;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the broker of a suite.
pub struct Groups {
    bus: Bus,
    topics: Topics,
    names: [Option<String>; 4],
}

/// How far a group has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// How many messages it has committed.
    pub committed: u64,
    /// How many it has not.
    pub left: u64,
}

impl Journey {
    /// The consumer groups of this suite's units.
    ///
    /// # Panics
    /// When the settings of the suite are not valid.
    #[must_use]
    pub fn groups(&self) -> Groups {
        let of = |kind| Settings::from_pairs(self.suite.settings_of(kind));
        let mut settings = of(UnitKind::WebServer);
        let config = BusConfig::from_settings(&mut settings, "journey");
        let topics = frame_bus::topics_from_settings(&mut settings);
        settings.finish().expect("the suite's settings are valid");
        let name = |kind| of(kind).optional_text("MLVI_GROUP", "its group");
        Groups { bus: Bus::open(config).expect("a client"), topics, names: UnitKind::ALL.map(name) }
    }
}

impl Groups {
    /// The names of the suite's topics.
    #[must_use]
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// A client of the suite's broker.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// How far the replicas of a working unit have come.
    ///
    /// # Panics
    /// When the broker does not say.
    pub async fn progress(&self, kind: UnitKind) -> Progress {
        let topic = match kind {
            UnitKind::WebServer => panic!("the web-server works in no group"),
            UnitKind::Preprocessor => &self.topics.frames,
            UnitKind::EdgeInference => &self.topics.frames_edge,
            UnitKind::CloudInference => &self.topics.frames_cloud,
        };
        let group = self.names[kind as usize].as_ref().expect("a journey names every group");
        let lag = self.bus.lag(group, topic).await.expect("the broker tells the lag");
        let messages: u64 =
            lag.partitions.iter().map(|partition| u64::try_from(partition.high).unwrap_or(0)).sum();
        Progress { committed: messages - lag.messages, left: lag.messages }
    }

    /// How many results stand on the topic, those of frames that had one before too.
    ///
    /// # Panics
    /// When the broker does not say.
    pub async fn results(&self) -> u64 {
        let lag = self
            .bus
            .lag("nobody", &self.topics.results)
            .await
            .expect("the broker tells the topic's end");
        lag.messages
    }

    /// Waits until a unit's group has committed everything.
    ///
    /// # Panics
    /// When it does not.
    pub async fn finished(&self, kind: UnitKind) {
        let started = Instant::now();
        loop {
            let progress = self.progress(kind).await;
            if progress.left == 0 {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{kind} has not committed everything: {progress:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
