//! How a contract stands, in numbers: its attainment with an interval, and what is left of its
//! error budget.

use super::Contracts;
use frame::ContractStanding;

/// The standard normal distribution's quantile for an interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Between which shares the true one lies.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ShareInterval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// The interval of 95 % of a share of which `met` of `met + missed` were seen (E. B. Wilson,
/// *Probable inference, the law of succession, and statistical inference*, 1927), as if frames
/// were independent; from 0 to 1 when nothing was seen.
#[must_use]
pub fn wilson(met: u64, missed: u64) -> ShareInterval {
    let count = (met + missed) as f64;
    if count == 0.0 {
        return ShareInterval { low: 0.0, high: 1.0 };
    }
    let (share, z2) = (met as f64 / count, Z * Z);
    let centre = (share + z2 / (2.0 * count)) / (1.0 + z2 / count);
    let spread = (share * (1.0 - share) / count + z2 / (4.0 * count * count)).sqrt();
    let half = Z / (1.0 + z2 / count) * spread;
    ShareInterval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

/// What is left of the misses that a promised share allows among so many frames, as a part of them:
/// 1 when nothing was missed, 0 when as much was missed as is allowed, below 0 when more was.
#[must_use]
pub fn error_budget_left(share: f64, met: u64, missed: u64) -> f64 {
    if missed == 0 {
        return 1.0;
    }
    1.0 - missed as f64 / ((1.0 - share) * (met + missed) as f64)
}

impl Contracts {
    /// How each contract stands: within its window, or since the beginning.
    pub(crate) fn standings(
        &mut self,
        since_the_beginning: bool,
        at: f64,
    ) -> Vec<ContractStanding> {
        let standing = |kept: &mut super::Kept| {
            kept.attainment.advance(at);
            let (config, attainment) = (&kept.config, &kept.attainment);
            let tally = if since_the_beginning { attainment.ever() } else { attainment.window() };
            ContractStanding {
                name: config.name.clone(),
                cameras: config.cameras.clone(),
                priority: config.priority,
                within_ms: config.within_ms,
                share: config.share,
                agreement: config.agreement,
                order: config.order,
                window_s: config.window_s,
                met: tally.met,
                missed: tally.missed,
                set_aside: tally.set_aside,
                violated: attainment.is_violated(),
            }
        };
        self.kept.iter_mut().map(standing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_literature() {
        // Brown, Cai, DasGupta, Interval estimation for a binomial proportion, 2001: of 0 in 10 the
        // upper bound is z²/(10 + z²)
        let none = wilson(0, 10);
        assert!(none.low == 0.0 && (none.high - 0.277_533).abs() < 1e-5, "{none:?}");
        let half = wilson(50, 50);
        assert!((half.low - 0.403_832).abs() < 1e-5 && (half.high - 0.596_168).abs() < 1e-5);
        assert_eq!(wilson(0, 0), ShareInterval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn the_error_budget_is_what_the_share_allows() {
        assert_eq!(error_budget_left(0.9, 5, 0), 1.0);
        assert!((error_budget_left(0.9, 95, 5) - 0.5).abs() < 1e-9);
        assert!(error_budget_left(0.9, 90, 10).abs() < 1e-9);
        assert!(error_budget_left(0.9, 80, 20) < -0.9);
    }
}
