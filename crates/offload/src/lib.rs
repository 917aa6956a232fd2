//! The offload decision: what is known of a frame and of the tiers, the policies that choose, the
//! guards that all of them wear, and what is learned from results.
//!
//! Nothing here has a clock, a thread or a socket: time comes in as an argument, so that the same
//! code decides in the preprocessor and in the simulator.

mod choice;
mod config;
mod contracts;
mod decider;
mod facts;
mod fair;
mod guards;
mod hardness;
mod learn;
mod lessons;
mod outcome;
pub mod policies;
mod policy;
mod price;
#[cfg(test)]
mod testing;
mod time;

pub use choice::{Action, Choice};
pub use config::{BuiltIn, Place, PolicyConfig, PolicyError};
pub use contracts::{Contract, OnViolation, ShareInterval, Terms, error_budget_left, wilson};
pub use decider::{Decided, Decider, Prepared, TakenTo};
pub use facts::{FrameFacts, Snapshot, TierSnapshot};
pub use fair::FairQueue;
pub use guards::{
    Breaker, BreakerState, Budget, BudgetScope, BudgetUnit, Hysteresis, Motion, Redispatch,
};
pub use hardness::{
    Aim, Cut, EdgeDetections, Empty, FEATURES, FEATURES_LAYOUT, Hard, Hardness, HardnessError,
    HardnessProblem, LEARNED, Learned, Measure, Measured, Regression, Sample, Sum, Term, WEIGHTS,
};
pub use learn::{Capacity, Prior, TierPrior, TierResult};
pub use lessons::{
    AUDITED, Account, Agreement, Calibration, CameraAgreement, Experience, Interval, KeptLessons,
    Lessons, Promise,
};
pub use outcome::{End, Outcome};
pub use policies::{Bandit, Cascade, Deadline, Degrade, Expression, Freshness, PolicyName, Ratio};
pub use policy::{Policy, estimate_to_cloud};
pub use price::Price;
