//! What every policy wears: hysteresis, a circuit breaker per tier, a budget, a motion gate.

mod breaker;
mod budget;
mod hysteresis;
mod motion;

pub use breaker::BreakerState;
pub(crate) use breaker::{Admission, CircuitBreaker};
pub(crate) use budget::TokenBucket;
pub(crate) use hysteresis::Dwell;
pub(crate) use motion::MotionGate;
