//! How many workers an autoscaler would have.

use crate::{Autoscale, Micros};
use std::collections::VecDeque;

/// How often it looks.
pub(crate) const EVERY: Micros = 15_000_000;
/// It leaves things as they are while the utilisation is off its target by less than this share.
const TOLERANCE: f64 = 0.1;
/// It may add so many workers at a time, or double them, whichever is more.
const STEP: u32 = 4;

/// The horizontal pod autoscaler's algorithm with its default behaviour:
/// <https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/>.
#[derive(Clone, Debug)]
pub(crate) struct Autoscaler {
    setup: Autoscale,
    /// How many workers are wanted, those that are still starting included.
    desired: u32,
    /// What it wanted lately, and when.
    recommended: VecDeque<(Micros, u32)>,
}

impl Autoscaler {
    pub(crate) fn new(setup: &Autoscale, workers: u32) -> Self {
        Self { setup: setup.clone(), desired: workers.clamp(setup.min, setup.max), recommended: VecDeque::new() }
    }

    pub(crate) const fn desired(&self) -> u32 {
        self.desired
    }

    pub(crate) const fn at_maximum(&self) -> bool {
        self.desired >= self.setup.max
    }

    /// How long a new worker takes until it is ready.
    pub(crate) const fn start(&self) -> Micros {
        (self.setup.start_s * 1e6) as Micros
    }

    /// Looks at the mean utilisation (0 to 1) of the `ready` workers since it looked last, and says how many it wants now.
    pub(crate) fn evaluate(&mut self, now: Micros, utilisation: f64, ready: u32) -> u32 {
        let ratio = utilisation / self.setup.target;
        let wanted = if (ratio - 1.0).abs() <= TOLERANCE { self.desired } else { (f64::from(ready) * ratio).ceil() as u32 };
        self.recommended.push_back((now, wanted));
        let horizon = now.saturating_sub((self.setup.stabilisation_s * 1e6) as Micros);
        while self.recommended.front().is_some_and(|(when, _)| *when < horizon) {
            self.recommended.pop_front();
        }
        let highest = self.recommended.iter().map(|(_, wanted)| *wanted).max().unwrap_or(wanted);
        let most = (self.desired * 2).max(self.desired + STEP);
        let next = if wanted > self.desired { wanted.min(most) } else { self.desired.min(highest) };
        self.desired = next.clamp(self.setup.min, self.setup.max);
        self.desired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaler(max: u32) -> Autoscaler {
        Autoscaler::new(&Autoscale { max, ..Autoscale::default() }, 1)
    }

    #[test]
    fn it_grows_at_once_and_shrinks_after_the_stabilisation() {
        let mut scaler = scaler(10);
        assert_eq!(scaler.evaluate(0, 1.0, 1), 2);
        assert_eq!(scaler.evaluate(EVERY, 1.0, 2), 3);
        let shrunk = (2..40).find(|i| scaler.evaluate(i * EVERY, 0.1, 3) < 3).unwrap();
        // the last look that wanted three workers was at one step; its 20 steps of 15 s make 300 s
        assert_eq!(shrunk, 22);
    }

    #[test]
    fn it_keeps_within_its_bounds_and_its_step() {
        let mut wide = scaler(100);
        wide.desired = 30;
        assert_eq!(wide.evaluate(0, 1.0, 90), 60, "at most double");
        let mut narrow = scaler(3);
        assert_eq!(narrow.evaluate(0, 1.0, 40), 3);
        assert!(narrow.at_maximum());
        let mut idle = scaler(3);
        assert_eq!(idle.evaluate(0, 0.0, 1), 1);
        assert_eq!(idle.evaluate(EVERY, 0.72, 1), 1, "near enough to the target");
    }
}
