//! What simulations in virtual time share: the unit of time, random numbers that a seed decides, and
//! a set of latencies in numbers. No clock, no I/O.

mod latency;
mod random;

pub use latency::Latency;
pub use random::Random;

/// Microseconds from the start of a simulation.
pub type Micros = u64;
