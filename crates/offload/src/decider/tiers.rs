//! What is known of the tiers, and what others tell of them.

use super::Decider;
use crate::Snapshot;
use crate::guards::BreakerState;
use crate::learn::Capacity;
use crate::time::ms;
use frame::{Destination, Timestamp};
use std::hash::Hash;

impl<K: Copy + Eq + Hash> Decider<K> {
    /// What the broker says of how far a tier's group is behind.
    pub fn lag(&mut self, tier: Destination, frames: Option<u64>) {
        self.tiers[tier].lag(frames);
    }

    /// What an orchestrator says of a tier.
    pub fn capacity(&mut self, tier: Destination, capacity: Capacity) {
        self.tiers[tier].capacity(capacity);
    }

    /// The tiers as they are seen now, for a frame of this size.
    #[must_use]
    pub fn snapshot(&self, bytes: usize, now: Timestamp) -> Snapshot {
        Snapshot::from_fn(|tier| {
            self.tiers[tier].snapshot(bytes, self.config.price.of(tier, bytes), ms(now))
        })
    }

    /// How a tier's breaker stands.
    pub fn breaker(&mut self, tier: Destination, now: Timestamp) -> BreakerState {
        self.guards.breakers[tier].state(ms(now))
    }

    /// What is left of the budget, in its unit; of the camera that has the least, where each has
    /// its own. `None` without a budget.
    pub fn budget_left(&mut self, now: Timestamp) -> Option<f64> {
        self.guards.budget.as_mut().map(|budget| budget.left(ms(now)))
    }
}
