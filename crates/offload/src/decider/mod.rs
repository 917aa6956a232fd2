//! Everything together: what was seen of the tiers, the policy, its guards, and the frames on their
//! way.

mod decide;
mod in_flight;
mod late;
mod reload;
mod result;
mod tiers;

pub use reload::Prepared;

use crate::guards::Guards;
use crate::learn::Tier;
use crate::policies::PolicySpec;
use crate::{Choice, KeptLessons, Lessons, Policy, PolicyConfig, PolicyError};
use frame::{CameraId, Order, PerTier, Predicted, Timestamp};
use in_flight::InFlight;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

/// Decides on frames and learns from their results. `K` names frames.
///
/// It has no clock: every call says what time it is.
///
/// A policy that panics leaves it usable: [`Decider::decide`] asks the policy before it notes
/// anything of the frame, and in all other methods the policy learns when everything else is done.
/// [`Decider::late`], which has an answer to give, can be called again after its policy panicked,
/// and does the rest.
pub struct Decider<K> {
    config: PolicyConfig,
    policy: Box<dyn Policy>,
    /// What was learned before a policy that learns none of it; kept for the next one that does.
    shelved: Option<Lessons>,
    /// What the policy was built from; `None`: it is the caller's own, which no configuration
    /// replaces.
    built_from: Option<PolicySpec>,
    tiers: PerTier<Tier>,
    guards: Guards<K>,
    in_flight: InFlight<K>,
}

/// A decision with everything that travels with the frame.
#[derive(Clone, PartialEq, Debug)]
pub struct Decided<K> {
    /// What is done, after all guards.
    pub choice: Choice,
    /// The policy's name.
    pub policy: String,
    /// In how many milliseconds each tier was expected to answer.
    pub predicted_ms: Predicted,
    /// When the frame is to be taken back if there is no answer; `None` on the edge.
    pub answer_by: Option<Timestamp>,
    /// The frame that this one equals, when it is skipped.
    pub same_as: Option<K>,
    /// The name of the contract that the camera has.
    pub contract: Option<Arc<str>>,
    /// In which order the camera's waiting frames are served.
    pub order: Order,
    /// The camera's weight beside others where frames wait: 1, or its contract's priority.
    pub weight: u32,
}

/// What becomes of a frame that the cloud did not answer in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakenTo {
    /// It goes to the edge.
    Edge,
    /// The edge has had it before: its provisional answer counts.
    Provisional,
}

impl<K: Copy + Eq + Hash> Decider<K> {
    /// With the policy that the configuration names. `seed` is for the breakers' jitter.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: &PolicyConfig, seed: u64) -> Result<Self, PolicyError> {
        config.check()?;
        let spec = PolicySpec::of(config.policy, config);
        let policy = spec.build()?;
        Ok(Self { built_from: Some(spec), ..Self::with_policy(policy, config, seed) })
    }

    /// With a policy of the caller's own; of the configuration all but the policy counts.
    #[must_use]
    pub fn with_policy(policy: Box<dyn Policy>, config: &PolicyConfig, seed: u64) -> Self {
        Self {
            policy,
            shelved: None,
            built_from: None,
            tiers: PerTier::from_fn(|tier| Tier::new(tier, &config.prior[tier])),
            guards: Guards::new(config, seed),
            in_flight: InFlight::new(),
            config: config.clone(),
        }
    }

    /// What it is configured with.
    #[must_use]
    pub fn config(&self) -> &PolicyConfig {
        &self.config
    }

    /// The policy's name.
    #[must_use]
    pub fn policy(&self) -> &str {
        self.policy.name()
    }

    /// What the cloud's answers taught about the edge's; `None` while the policy compares none.
    #[must_use]
    pub fn lessons(&self) -> Option<&Lessons> {
        self.policy.lessons()
    }

    /// What is to be kept of what was learned since it was kept last, at `now`; `last`: it is the
    /// last time.
    pub fn to_keep(&mut self, now: Timestamp, last: bool) -> Vec<KeptLessons> {
        self.policy.lessons_mut().map(|lessons| lessons.to_keep(now, last)).unwrap_or_default()
    }

    /// Goes on from what was learned of a camera elsewhere, if it is later than what is known here.
    pub fn keep(&mut self, kept: KeptLessons) {
        match self.policy.lessons_mut() {
            Some(lessons) => lessons.keep(kept),
            None => self.shelved.get_or_insert_default().keep(kept),
        }
    }

    /// Nothing is kept of a camera's lessons any more.
    pub fn keep_no_more(&mut self, camera: &CameraId) {
        if let Some(lessons) = self.policy.lessons_mut().or(self.shelved.as_mut()) {
            lessons.keep_no_more(camera);
        }
    }

    /// Whether a frame is on its way to a tier, as far as is known here.
    #[must_use]
    pub fn knows(&self, key: K) -> bool {
        self.in_flight.get(key).is_some()
    }
}

impl<K> fmt::Debug for Decider<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decider")
            .field("policy", &self.policy.name())
            .field("in_flight", &self.in_flight.len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
