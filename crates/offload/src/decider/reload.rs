//! Another policy file while frames are on their way.

use super::Decider;
use crate::policies::PolicySpec;
use crate::{Policy, PolicyConfig, PolicyError};
use frame::{Destination, Timestamp};
use std::fmt;
use std::hash::Hash;

/// A configuration that was checked, with its policy built, which may take a while (a rule is
/// compiled): nobody who decides has to wait for that.
pub struct Prepared {
    config: PolicyConfig,
    /// `None`: whoever decides by a policy of their own goes on with that.
    built: Option<(PolicySpec, Box<dyn Policy>)>,
}

impl Prepared {
    /// With the policy that the configuration names.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: &PolicyConfig) -> Result<Self, PolicyError> {
        let prepared = Self::without_policy(config)?;
        let spec = PolicySpec::of(config.policy, config);
        let policy = spec.build()?;
        Ok(Self { built: Some((spec, policy)), ..prepared })
    }

    /// For a decider with a policy of the caller's own: all but the policy counts.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn without_policy(config: &PolicyConfig) -> Result<Self, PolicyError> {
        config.check()?;
        Ok(Self { config: config.clone(), built: None })
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("config", &self.config).finish_non_exhaustive()
    }
}

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
        let own = self.built_from.is_none();
        let prepare = if own { Prepared::without_policy } else { Prepared::new };
        self.exchange(prepare(config)?, now);
        Ok(())
    }

    /// As [`Self::reconfigure`], with what was prepared before: a matter of microseconds.
    pub fn exchange(&mut self, prepared: Prepared, now: Timestamp) {
        let Prepared { config, built } = prepared;
        let mut is_other_policy = false;
        if let (Some(before), Some((spec, policy))) = (&self.built_from, built) {
            if spec != *before {
                let mut policy = policy;
                let lessons = self.policy.hand_over().or_else(|| self.shelved.take());
                match lessons {
                    Some(lessons) if policy.lessons().is_some() => policy.take_over(lessons),
                    lessons => self.shelved = lessons,
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
        self.guards.reconfigure(&config, is_other_policy, now);
        for tier in Destination::ALL {
            self.tiers[tier].believe(&config.prior[tier]);
        }
        self.config = config;
    }
}
