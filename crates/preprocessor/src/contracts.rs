//! Says on the settings topic how the contracts stand: beside the announcement, and as often.

use crate::announce::{REPEAT, VALID};
use crate::decisions::Decisions;
use crate::settings_topic::SettingsTopic;
use frame::{ContractsRecord, Expiring};
use frame_bus::{Outgoing, SendError};
use std::time::Instant;
use tracing::debug;

/// Says how the contracts stand here.
pub(crate) struct ContractsSpeaker {
    topic: SettingsTopic,
    decisions: Decisions,
    instance: String,
    /// When it was said last, and which contracts were violated.
    said: Option<(Instant, Vec<bool>)>,
}

impl ContractsSpeaker {
    pub(crate) fn new(topic: SettingsTopic, decisions: Decisions, instance: String) -> Self {
        Self { topic, decisions, instance, said: None }
    }

    /// Says it if there are contracts, and it was not said for a while or one begins or ceases to
    /// be violated.
    ///
    /// # Errors
    /// When the broker does not take it.
    pub(crate) async fn say(&mut self) -> Result<(), SendError> {
        let standings = self.decisions.contracts();
        let violated: Vec<bool> = standings.iter().map(|standing| standing.violated).collect();
        let is_news = match &self.said {
            Some((at, before)) => *before != violated || at.elapsed() >= REPEAT,
            None => !standings.is_empty(),
        };
        if !is_news {
            return Ok(());
        }
        let (instance, valid) = (self.instance.clone(), VALID);
        let out = Outgoing {
            topic: self.topic.spec.name.clone(),
            key: ContractsRecord::key_of(&instance),
            headers: Vec::new(),
            payload: ContractsRecord::new(instance, standings, valid).to_json(),
        };
        self.topic.bus.send(out).await?;
        self.said = Some((Instant::now(), violated));
        Ok(())
    }

    /// Takes it back.
    pub(crate) async fn take_back(&self) {
        if self.said.is_none() {
            return;
        }
        let key = ContractsRecord::key_of(&self.instance);
        if let Err(error) = self.topic.bus.delete_key(&self.topic.spec.name, &key).await {
            debug!(%error, "the record of the contracts stays until it expires");
        }
    }
}
