//! What is known of the tiers, and what others tell of them.

use super::Decider;
use crate::Snapshot;
use crate::guards::BreakerState;
use crate::learn::Capacity;
use crate::time::ms;
use frame::{CameraId, ContractStanding, Destination, Order, Timestamp};
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

    /// How each contract stands within its window, in the order of the policy file; with
    /// `since_the_beginning`, since it was made.
    pub fn contracts(
        &mut self,
        since_the_beginning: bool,
        now: Timestamp,
    ) -> Vec<ContractStanding> {
        self.guards.contracts.standings(since_the_beginning, ms(now))
    }

    /// In which order the camera's waiting frames are served.
    pub fn order(&mut self, camera: &CameraId) -> Order {
        self.guards.contracts.order(camera)
    }

    /// The camera's weight beside others where frames wait; `None` when there are no contracts.
    pub fn weight(&mut self, camera: &CameraId) -> Option<u32> {
        self.guards.contracts.weight(camera)
    }

    /// What is left of the budget, in its unit; of the camera that has the least, where each has
    /// its own. `None` without a budget.
    pub fn budget_left(&mut self, now: Timestamp) -> Option<f64> {
        self.guards.budget.as_mut().map(|budget| budget.left(ms(now)))
    }
}
