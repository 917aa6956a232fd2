//! A tier's queue and its workers.

use crate::autoscaler::{Autoscaler, EVERY};
use crate::queue::Queue;
use crate::{Micros, TierSetup};

/// A tier.
#[derive(Debug)]
pub(crate) struct Tier {
    pub(crate) queue: Queue,
    /// Of the edge: frames sent here that are not finished.
    pub(crate) lag: u64,
    ready: u32,
    busy: u32,
    /// Worker time since the autoscaler was evaluated last, and until when it is counted.
    worked: Micros,
    counted: Micros,
    scaler: Option<Autoscaler>,
}

/// What the autoscaler said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scaled {
    /// The number of workers to have, from now on or once new ones have started.
    pub(crate) desired: u32,
    /// How long that takes.
    pub(crate) after: Micros,
}

impl Tier {
    pub(crate) fn new(setup: &TierSetup) -> Self {
        let scaler =
            setup.autoscale.as_ref().map(|autoscale| Autoscaler::new(autoscale, setup.workers));
        let ready = scaler.as_ref().map_or(setup.workers, Autoscaler::desired);
        Self { queue: Queue::new(), lag: 0, ready, busy: 0, worked: 0, counted: 0, scaler }
    }

    pub(crate) const fn ready(&self) -> u32 {
        self.ready
    }

    pub(crate) fn at_maximum(&self) -> Option<bool> {
        self.scaler.as_ref().map(Autoscaler::at_maximum)
    }

    pub(crate) const fn has_free_worker(&self) -> bool {
        self.busy < self.ready
    }

    pub(crate) fn begins(&mut self, now: Micros) {
        self.count(now);
        self.busy += 1;
    }

    pub(crate) fn ends(&mut self, now: Micros) {
        self.count(now);
        self.busy -= 1;
    }

    fn count(&mut self, now: Micros) {
        self.worked += (now - self.counted) * u64::from(self.busy);
        self.counted = now;
    }

    /// Every 15 s: what the autoscaler says, if there is one.
    pub(crate) fn evaluate(&mut self, now: Micros) -> Option<Scaled> {
        self.count(now);
        let scaler = self.scaler.as_mut()?;
        // workers that go away finish their frame: they may have worked more than all that are left
        // could
        let utilisation = self.worked as f64 / (EVERY * u64::from(self.ready.max(1))) as f64;
        self.worked = 0;
        let desired = scaler.evaluate(now, utilisation.min(1.0), self.ready);
        let after = if desired > self.ready { scaler.start() } else { 0 };
        Some(Scaled { desired, after })
    }

    /// New workers have started, or some are taken away. What was wanted then may not be wanted any
    /// more.
    pub(crate) fn scale(&mut self, started: u32) {
        let desired = self.scaler.as_ref().map_or(started, Autoscaler::desired);
        self.ready = if started > self.ready {
            started.min(desired).max(self.ready)
        } else {
            self.ready.min(desired)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Autoscale;

    #[test]
    fn workers_come_after_their_start_and_go_at_once() {
        let autoscale =
            Autoscale { min: 1, max: 4, target: 0.5, start_s: 20.0, stabilisation_s: 0.0 };
        let mut tier = Tier::new(&TierSetup {
            workers: 1,
            service_ms: 10.0,
            service_sigma: 0.0,
            service_times: None,
            accuracy: 1.0,
            autoscale: Some(autoscale),
        });
        tier.begins(0);
        assert!(!tier.has_free_worker());
        assert_eq!(tier.evaluate(EVERY), Some(Scaled { desired: 2, after: 20_000_000 }));
        assert_eq!((tier.ready(), tier.at_maximum()), (1, Some(false)));
        tier.scale(2);
        assert_eq!(tier.ready(), 2);
        tier.ends(EVERY + 1);
        let scaled = tier.evaluate(2 * EVERY).unwrap();
        assert_eq!((scaled.desired, scaled.after), (1, 0));
        tier.scale(scaled.desired);
        assert_eq!(tier.ready(), 1);
        tier.scale(2);
        assert_eq!(tier.ready(), 1, "workers that started too late are not kept");
    }
}
