//! What values a network's layers put out.

/// From the least to the largest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least.
    pub low: f32,
    /// The largest, no less than `low`.
    pub high: f32,
}

impl Range {
    /// Nothing but zero.
    pub const ZERO: Self = Self { low: 0.0, high: 0.0 };

    /// With the values of another one.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}
