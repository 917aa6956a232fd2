//! Everything together: what was seen of the tiers, the policy, its guards, and the frames on their
//! way.

mod decide;
mod in_flight;
mod late;
mod reload;
mod result;
mod tiers;

use crate::guards::Guards;
use crate::learn::Tier;
use crate::policies::PolicySpec;
use crate::{Choice, Lessons, Policy, PolicyConfig, PolicyError};
use frame::{PerTier, Predicted, Timestamp};
use in_flight::InFlight;
use std::fmt;
use std::hash::Hash;

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
