//! Says on the settings topic what decides in this process: when it changes, and every few seconds,
//! so that whoever reads it knows that the process is there. At the end it is taken back.

use crate::contracts::ContractsSpeaker;
use crate::decisions::Decisions;
use crate::policy_in_hand::{InForce, PolicyInHand};
use crate::settings_topic::SettingsTopic;
use frame::{Announcement, Expiring, FrameId, ServedBy};
use frame_bus::Outgoing;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Of so many cameras it is told how far edge and cloud agree.
const MAX_CAMERAS: usize = 50;
/// Circuit breakers are looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What has not changed is said again after this time.
pub(crate) const REPEAT: Duration = Duration::from_secs(10);
/// How long what was said counts: two repetitions may be missing.
pub(crate) const VALID: Duration = Duration::from_secs(35);
/// A broker that refuses is not asked again before: each refusal disturbs the producer.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);
/// How long taking it back may take at the end.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Says what decides here.
pub(crate) struct Announcer {
    pub(crate) topic: SettingsTopic,
    pub(crate) in_hand: PolicyInHand,
    pub(crate) decisions: Decisions,
    pub(crate) instance: String,
    pub(crate) contracts: ContractsSpeaker,
}

/// The pod or host, and a part that is new at each start: two processes of one host, and a process
/// and the one before it, are told apart.
pub(crate) fn instance_of(identity: &ServedBy) -> String {
    let fresh = FrameId::fresh().to_string();
    let (_, fresh) = fresh.split_at(fresh.len() - 8);
    format!("{}.{fresh}", identity.pod.as_deref().unwrap_or("unnamed"))
}

impl Announcer {
    /// Goes on until `stop`.
    pub(crate) async fn announce(mut self, stop: CancellationToken) {
        let key = Announcement::key_of(&self.instance);
        let mut changes = self.in_hand.changes();
        let mut said: Option<(InForce, Instant)> = None;
        let mut refused_at: Option<Instant> = None;
        loop {
            let in_force = self.in_hand.in_force();
            let is_news = said
                .as_ref()
                .is_none_or(|(before, at)| *before != in_force || at.elapsed() >= REPEAT);
            let may = refused_at.is_none_or(|at| at.elapsed() >= AFTER_REFUSAL);
            if is_news && may && self.topic.is_there() {
                // of thousands of cameras it takes a millisecond to find the worst
                let decisions = self.decisions.clone();
                let agreement =
                    tokio::task::spawn_blocking(move || decisions.agreement(MAX_CAMERAS)).await;
                let announcement = Announcement {
                    agreement: agreement.unwrap_or_default(),
                    ..in_force.clone().announced(&self.instance, VALID)
                };
                let out = Outgoing {
                    topic: self.topic.spec.name.clone(),
                    key: key.clone(),
                    headers: Vec::new(),
                    payload: announcement.to_json(),
                };
                let sent = tokio::select! {
                    sent = self.topic.bus.send(out) => sent,
                    () = stop.cancelled() => break,
                };
                match sent {
                    Ok(_) => (said, refused_at) = (Some((in_force, Instant::now())), None),
                    Err(error) => {
                        if refused_at.replace(Instant::now()).is_none() {
                            warn!(%error, "what decides here is not announced");
                        }
                    }
                }
            }
            // where announcements are taken
            if said.is_some() && refused_at.is_none() && self.topic.is_there() {
                let told = tokio::select! {
                    told = self.contracts.say() => told,
                    () = stop.cancelled() => break,
                };
                if let Err(error) = told {
                    refused_at = Some(Instant::now());
                    warn!(%error, "how the contracts stand is not announced");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                // its sender is held by `self`
                _ = changes.changed() => {}
                () = stop.cancelled() => break,
            }
        }
        if said.is_some() {
            let taken_back = async {
                self.contracts.take_back().await;
                self.topic.bus.delete_key(&self.topic.spec.name, &key).await
            };
            match tokio::time::timeout(LAST_WORD, taken_back).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => debug!(%error, "the announcement stays until it expires"),
                Err(_) => debug!("the announcement stays until it expires"),
            }
        }
    }
}
