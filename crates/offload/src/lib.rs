//! The offload decision: what is known of a frame and of the tiers, the policies that choose, the
//! guards that all of them wear, and what is learned from results.
//!
//! Nothing here has a clock, a thread or a socket: time comes in as an argument, so that the same
//! code decides in the preprocessor and in the simulator.

mod choice;
mod config;
mod decider;
mod facts;
mod guards;
mod hardness;
mod learn;
mod outcome;
pub mod policies;
mod policy;
#[cfg(test)]
mod testing;

pub use choice::{Action, Choice};
pub use config::{
    Bandit, Breaker, Budget, BudgetScope, BudgetUnit, Cascade, Deadline, Degrade, Expression,
    Hysteresis, Motion, PolicyConfig, PolicyError, Price, Prior, Ratio, Redispatch, TierPrior,
};
pub use decider::{Decided, Decider, TakenTo};
pub use facts::{FrameFacts, Snapshot, TierSnapshot};
pub use guards::BreakerState;
pub use hardness::{
    Empty, Hard, Hardness, HardnessError, Measure, Regression, Sample, Seen, WEIGHTS,
};
pub use learn::{Capacity, TierResult};
pub use outcome::{End, Outcome};
pub use policy::{Policy, estimate_to_cloud};
