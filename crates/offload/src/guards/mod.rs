//! What every policy wears: a motion gate, hysteresis, a circuit breaker per tier, a budget.
//!
//! Each guard stands in a file of its own, with the section of the policy file that tunes it. The
//! order in which they are applied is data: [`BEFORE_POLICY`] and [`AFTER_POLICY`].

mod apply;
mod breaker;
mod budget;
mod hysteresis;
mod motion;
mod redispatch;

use crate::contracts::Contracts;
use crate::time::ms;
use crate::{FrameFacts, PolicyConfig};
use frame::{CameraId, PerTier, Timestamp};
use std::collections::HashMap;

pub(crate) use apply::Verdict;
pub use breaker::{Breaker, BreakerState};
pub(crate) use breaker::{CircuitBreaker, Permit};
pub(crate) use budget::TokenBucket;
pub use budget::{Budget, BudgetScope, BudgetUnit};
pub(crate) use hysteresis::Dwell;
pub use hysteresis::Hysteresis;
pub use motion::Motion;
pub(crate) use motion::MotionGate;
pub use redispatch::Redispatch;

/// What may answer for a frame before the policy is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gate {
    /// A frame that equals the last one is skipped.
    Motion,
}

/// What may change the policy's choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Guard {
    /// A camera stays on its tier for a while.
    Hysteresis,
    /// A contract that is violated has its remedies.
    Contract,
    /// A silent tier gets no frames but probes.
    Breakers,
    /// What goes to the cloud is paid for.
    Budget,
}

/// In this order, before the policy.
pub(crate) const BEFORE_POLICY: [Gate; 1] = [Gate::Motion];
/// In this order, after the policy: each sees what those before it have made of the choice. The
/// budget is last, because only what really goes to the cloud is paid for.
pub(crate) const AFTER_POLICY: [Guard; 4] =
    [Guard::Hysteresis, Guard::Contract, Guard::Breakers, Guard::Budget];

/// The guards of a decider. `K` names frames.
pub(crate) struct Guards<K> {
    pub(crate) motion: MotionGate<K>,
    pub(crate) dwell: Dwell,
    pub(crate) breakers: PerTier<CircuitBreaker>,
    pub(crate) budget: Option<TokenBucket>,
    pub(crate) contracts: Contracts,
}

impl<K: Copy + Eq> Guards<K> {
    /// `seed` is for the breakers' jitter.
    pub(crate) fn new(config: &PolicyConfig, seed: u64) -> Self {
        Self {
            motion: MotionGate::new(config.motion),
            dwell: Dwell::new(config.hysteresis),
            breakers: PerTier::from_fn(|tier| {
                CircuitBreaker::new(config.breaker, seed.wrapping_add(tier as u64))
            }),
            budget: config.budget.map(|budget| TokenBucket::new(budget, 0.0)),
            contracts: Contracts::new(&config.contracts, 0.0),
        }
    }

    /// Other numbers, the same memory; but with another policy the breakers begin anew: it may
    /// never go where one is open, and then nothing would ever close it.
    pub(crate) fn reconfigure(
        &mut self,
        config: &PolicyConfig,
        is_other_policy: bool,
        now: Timestamp,
    ) {
        self.motion.reconfigure(config.motion);
        self.dwell.reconfigure(config.hysteresis);
        if is_other_policy {
            let seed = now.as_micros();
            self.breakers = PerTier::from_fn(|tier| {
                CircuitBreaker::new(config.breaker, seed.wrapping_add(tier as u64))
            });
        } else {
            self.breakers.edge.reconfigure(config.breaker);
            self.breakers.cloud.reconfigure(config.breaker);
        }
        self.contracts.reconfigure(&config.contracts, ms(now));
        match (&mut self.budget, config.budget) {
            (Some(bucket), Some(budget)) => bucket.reconfigure(budget, ms(now)),
            (bucket, budget) => *bucket = budget.map(|budget| TokenBucket::new(budget, ms(now))),
        }
    }

    /// The budget that pays for a frame: its contract's, or else that of all.
    pub(crate) fn budget_of(&mut self, frame: &FrameFacts) -> Option<&mut TokenBucket> {
        // what a contract paid that is gone, or is another one now, is nobody's
        let is_gone = frame.terms.contract.is_some() && !self.contracts.has(&frame.terms);
        match self.contracts.budget(&frame.terms) {
            Some(own) => Some(own),
            None if is_gone => None,
            None => self.budget.as_mut(),
        }
    }
}

/// Of so many cameras something is kept; names come from clients, who may make up any number of
/// them.
const MAX_CAMERAS: usize = 10_000;

/// Makes room for a camera that is not there yet: those that are not worth keeping go, and if that
/// is not enough, a tenth of all.
pub(crate) fn make_room<T>(
    cameras: &mut HashMap<CameraId, T>,
    camera: &CameraId,
    mut worth_keeping: impl FnMut(&mut T) -> bool,
) {
    if cameras.len() < MAX_CAMERAS || cameras.contains_key(camera) {
        return;
    }
    cameras.retain(|_, kept| worth_keeping(kept));
    if cameras.len() >= MAX_CAMERAS {
        let mut left = MAX_CAMERAS / 10;
        cameras.retain(|_, _| {
            left = left.saturating_sub(1);
            left == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_cameras_is_bounded() {
        let mut cameras = HashMap::new();
        for n in 0..3 * MAX_CAMERAS {
            let camera: CameraId = format!("camera-{n}").parse().unwrap();
            make_room(&mut cameras, &camera, |_| true);
            cameras.insert(camera, ());
            assert!(cameras.len() <= MAX_CAMERAS);
        }
        let last: CameraId = "last".parse().unwrap();
        make_room(&mut cameras, &last, |()| false);
        assert!(cameras.len() < MAX_CAMERAS);
    }
}
