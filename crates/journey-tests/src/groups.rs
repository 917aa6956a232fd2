//! What the consumer groups of a suite have finished.

use crate::Journey;
use frame::Topics;
use frame_bus::{Bus, BusConfig, PartitionLag};
use mlvi::suite::UnitKind;
use settings::Settings;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// Asks the broker of a suite.
pub struct Groups {
    bus: Bus,
    topics: Topics,
    names: [Option<String>; UnitKind::COUNT],
    /// That of the preprocessors which holds the frames in the cloud.
    redispatch: Option<String>,
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
        let names = UnitKind::ALL.map(name);
        let redispatch =
            of(UnitKind::Preprocessor).optional_text("MLVI_REDISPATCH_GROUP", "its second group");
        Groups { bus: Bus::open(config).expect("a client"), topics, names, redispatch }
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
        let topic = self.topic_of(kind).expect("the web-server works in no group");
        let group = self.names[kind as usize].as_ref().expect("a journey names every group");
        let lag = self.bus.lag(group, topic).await.expect("the broker tells the lag");
        let messages: u64 =
            lag.partitions.iter().map(|partition| u64::try_from(partition.high).unwrap_or(0)).sum();
        Progress { committed: messages - lag.messages, left: lag.messages }
    }

    /// What a unit's replicas share among them; the web-server's read everything each.
    fn topic_of(&self, kind: UnitKind) -> Option<&String> {
        match kind {
            UnitKind::WebServer => None,
            UnitKind::Preprocessor => Some(&self.topics.frames),
            UnitKind::EdgeInference => Some(&self.topics.frames_edge),
            UnitKind::CloudInference => Some(&self.topics.frames_cloud),
            UnitKind::ResultsStore => Some(&self.topics.results),
        }
    }

    /// A line for each group and for the results: how far it is, by partition.
    pub(crate) async fn standing(&self) -> Vec<String> {
        let of_unit =
            |kind: UnitKind| Some((self.names[kind as usize].as_ref()?, self.topic_of(kind)?));
        let redispatch = self.redispatch.as_ref().map(|group| (group, &self.topics.frames_cloud));
        let mut lines = Vec::new();
        for (group, topic) in UnitKind::ALL.into_iter().filter_map(of_unit).chain(redispatch) {
            lines
                .push(format!("group {group} of {topic}: {}", self.partitions(group, topic).await));
        }
        let results = &self.topics.results;
        lines.push(format!("{results}: {}", self.partitions("nobody", results).await));
        lines
    }

    async fn partitions(&self, group: &str, topic: &str) -> String {
        let lag = match self.bus.lag(group, topic).await {
            Ok(lag) => lag,
            Err(error) => return error.to_string(),
        };
        let one = |PartitionLag { partition, committed, low, high }: &PartitionLag| {
            let committed = committed.map_or("none".to_owned(), |offset| offset.to_string());
            format!("[{partition}] {committed} of {low}..{high}")
        };
        let each: Vec<String> = lag.partitions.iter().map(one).collect();
        format!("{} messages left: {}", lag.messages, each.join(", "))
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
                "{kind} has not committed everything: {progress:?}\n{:#?}",
                self.standing().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
