//! Quantiles of the latest values.

use std::collections::VecDeque;

/// The latest values, and any quantile of them.
#[derive(Clone, Debug)]
pub(crate) struct Recent {
    limit: usize,
    in_order_of_time: VecDeque<f64>,
    in_order_of_size: Vec<f64>,
}

impl Recent {
    /// Keeps this many.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            in_order_of_time: VecDeque::with_capacity(limit),
            in_order_of_size: Vec::with_capacity(limit),
        }
    }

    /// Takes in a value; the oldest goes when there are too many. Values that are no numbers are
    /// passed over.
    pub(crate) fn push(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        if self.in_order_of_time.len() == self.limit
            && let Some(oldest) = self.in_order_of_time.pop_front()
        {
            let place =
                self.in_order_of_size.partition_point(|other| other.total_cmp(&oldest).is_lt());
            self.in_order_of_size.remove(place);
        }
        self.in_order_of_time.push_back(value);
        let place = self.in_order_of_size.partition_point(|other| other.total_cmp(&value).is_lt());
        self.in_order_of_size.insert(place, value);
    }

    /// The value that a share `q` of the latest ones does not exceed (nearest rank); `None` when
    /// there is none.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let last = self.in_order_of_size.len().checked_sub(1)?;
        let rank = (q * self.in_order_of_size.len() as f64).ceil() as usize;
        Some(self.in_order_of_size[rank.saturating_sub(1).min(last)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_latest_values(
            values in prop::collection::vec(-1e6f64..1e6, 1..200), q in 0.0..=1.0f64,
        ) {
            let mut recent = Recent::new(16);
            for value in &values {
                recent.push(*value);
            }
            let mut latest = values[values.len().saturating_sub(16)..].to_vec();
            latest.sort_by(f64::total_cmp);
            let rank = ((q * latest.len() as f64).ceil() as usize).clamp(1, latest.len());
            prop_assert_eq!(recent.quantile(q), Some(latest[rank - 1]));
        }
    }

    #[test]
    fn nothing_has_no_quantile() {
        let mut recent = Recent::new(4);
        recent.push(f64::NAN);
        assert_eq!(recent.quantile(0.5), None);
    }
}
