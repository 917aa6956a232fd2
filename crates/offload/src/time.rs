//! Moments and spans as milliseconds, which is what predictions are reckoned in.

use frame::Timestamp;
use std::time::Duration;

/// A moment on the decider's clock, in milliseconds.
pub(crate) fn ms(time: Timestamp) -> f64 {
    time.as_micros() as f64 / 1000.0
}

/// Never panics: what is no number is no time, and nothing is waited for longer than a day.
pub(crate) fn duration(ms: f64) -> Duration {
    const DAY_MS: f64 = 86_400_000.0;
    Duration::from_micros((ms.clamp(0.0, DAY_MS) * 1000.0) as u64)
}
