//! Another policy file while frames are on their way.

use super::Decider;
use crate::policies::PolicySpec;
use crate::{PolicyConfig, PolicyError};
use frame::{Destination, Timestamp};
use std::hash::Hash;

impl<K: Copy + Eq + Hash> Decider<K> {
    /// Exchanges policy and guards. What was seen of the tiers stays, and so does what the policy
    /// has learned, unless something that the policy is built from has changed.
    ///
    /// # Errors
    /// When the configuration cannot be used; then nothing has changed.
    pub fn reconfigure(
        &mut self,
        config: &PolicyConfig,
        now: Timestamp,
    ) -> Result<(), PolicyError> {
        config.check()?;
        let mut is_other_policy = false;
        if let Some(before) = &self.built_from {
            let spec = PolicySpec::of(config.policy, config);
            if spec != *before {
                let mut policy = spec.build()?;
                if let Some(lessons) = self.policy.hand_over() {
                    policy.take_over(lessons);
                }
                self.policy = policy;
                self.built_from = Some(spec);
            }
            is_other_policy = config.policy != self.config.policy;
        }
        let is_counted_alike = match (&self.config.budget, &config.budget) {
            (Some(before), Some(budget)) => budget.counts_like(before),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !is_counted_alike {
            // what was reserved in another unit cannot be given back in this one
            self.in_flight.forget_reservations();
        }
        self.guards.reconfigure(config, is_other_policy, now);
        for tier in Destination::ALL {
            self.tiers[tier].believe(&config.prior[tier]);
        }
        self.config = config.clone();
        Ok(())
    }
}
