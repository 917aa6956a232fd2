//! How many workers an autoscaler would have.

use crate::{Autoscale, Micros};
use autoscale::{Behavior, Controller, Metric, Observed, PodSample, Rules, Spec};
use std::time::Duration;

/// How often it is evaluated.
pub(crate) const EVERY: Micros = autoscale::SYNC_PERIOD.as_micros() as Micros;
/// What a worker requests, in thousandths of a core: what it can use.
const REQUEST: u64 = 1000;

/// Kubernetes' own algorithm with a worker in the place of a pod: all workers of a tier are
/// measured alike, and those that are starting are not ready.
#[derive(Clone, Debug)]
pub(crate) struct Autoscaler {
    setup: Autoscale,
    controller: Controller,
    /// How many workers are wanted, those that are still starting included.
    desired: u32,
}

impl Autoscaler {
    pub(crate) fn new(setup: &Autoscale, workers: u32) -> Self {
        let percent = (setup.target * 100.0).round().max(1.0) as u32;
        let down = Rules {
            stabilisation: Duration::from_secs_f64(setup.stabilisation_s),
            ..Rules::down()
        };
        let spec = Spec {
            min: setup.min,
            max: setup.max,
            metrics: vec![Metric::CpuUtilisation { container: None, percent }],
            behavior: Some(Behavior { down, ..Behavior::default() }),
        };
        Self {
            setup: setup.clone(),
            controller: Controller::new(spec),
            desired: workers.clamp(setup.min, setup.max),
        }
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

    /// Takes the mean utilisation (0 to 1) of the `ready` workers since the last time, and says
    /// how many it wants now.
    pub(crate) fn evaluate(&mut self, now: Micros, utilisation: f64, ready: u32) -> u32 {
        let millicores = (utilisation * REQUEST as f64).round() as u64;
        let mut pods = vec![PodSample::Measured { millicores }; ready as usize];
        pods.extend(vec![PodSample::Unready; self.desired.saturating_sub(ready) as usize]);
        let observed = Observed {
            now: Duration::from_micros(now),
            current: self.desired,
            pods: &pods,
            request_millicores: REQUEST,
            lag: None,
        };
        self.desired = self.controller.evaluate(&observed).desired;
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
        // the last evaluation that wanted three workers was at one step; the controller forgets it
        // when its 300 s, 20 steps, are over
        assert_eq!(shrunk, 21);
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
