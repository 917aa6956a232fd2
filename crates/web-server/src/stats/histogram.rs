//! How long frames took, in steps of a quarter of an octave.

/// From 1 ms to 55 s; what takes longer counts in the last step.
const STEPS: usize = 64;
/// Steps per doubling: a value is off by at most 19 %.
const PER_OCTAVE: f64 = 4.0;

/// Counts of milliseconds; a step holds at most 65535.
#[derive(Clone, Debug)]
pub(super) struct Histogram([u16; STEPS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; STEPS])
    }
}

impl Histogram {
    /// Counts one value; what is no number or below 1 ms counts in the first step.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to the steps
    pub(super) fn add(&mut self, ms: f64) {
        let step = (ms.max(1.0).log2() * PER_OCTAVE).ceil().min((STEPS - 1) as f64) as usize;
        self.0[step] = self.0[step].saturating_add(1);
    }

    /// Each step that counts something: its upper bound in milliseconds, and how many.
    pub(super) fn steps(&self) -> impl Iterator<Item = (f64, u16)> {
        (0u32..).zip(self.0).filter(|(_, count)| *count > 0).map(|(step, n)| (bound(step), n))
    }

    /// The upper bound of the step in which this share (0 to 1) of the values is reached.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let all: u32 = self.0.iter().map(|count| u32::from(*count)).sum();
        let wanted = (f64::from(all) * share).max(1.0);
        let mut below = 0;
        let found = self.steps().find(|(_, count)| {
            below += u32::from(*count);
            f64::from(below) >= wanted
        });
        found.map(|(bound, _)| bound)
    }
}

/// To a hundredth of a millisecond, so that it is short in JSON.
fn bound(step: u32) -> f64 {
    ((f64::from(step) / PER_OCTAVE).exp2() * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_off_by_a_step_at_most() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for ms in 1..=1000 {
            histogram.add(f64::from(ms));
        }
        for (share, exact) in [(0.01, 10.0), (0.5, 500.0), (0.95, 950.0), (1.0, 1000.0)] {
            let found = histogram.quantile(share).unwrap();
            assert!((exact..exact * 1.2).contains(&found), "{share}: {found}");
        }
        assert_eq!(histogram.steps().map(|(_, count)| u32::from(count)).sum::<u32>(), 1000);
    }

    #[test]
    fn odd_values_count_at_the_ends() {
        let mut histogram = Histogram::default();
        for ms in [f64::NAN, -5.0, 0.0, f64::INFINITY, 1e9] {
            histogram.add(ms);
        }
        let steps: Vec<_> = histogram.steps().collect();
        assert_eq!(steps.len(), 2);
        assert_eq!((steps[0].0, steps[0].1, steps[1].1), (1.0, 3, 2));
    }
}
