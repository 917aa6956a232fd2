//! One autoscaler through time.

use super::behavior::{Change, Past, down_limit, up_limit};
use crate::{Behavior, DOWN_STABILISATION, Metric, PodSample, Proposal, Spec, propose};
use std::time::Duration;

/// Without a `behavior` it may at most multiply by this at a time,
const UP_FACTOR: u32 = 2;
/// or go to this, whichever is more.
const UP_AT_LEAST: u32 = 4;

/// What the controller observes when it evaluates.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// When.
    pub now: Duration,
    /// How many replicas the Deployment wants now.
    pub current: u32,
    /// The pods that are not being deleted.
    pub pods: &'a [PodSample],
    /// What a pod (or the container that is measured) requests, in thousandths of a core; 0 when
    /// it requests nothing.
    pub request_millicores: u64,
    /// Messages that wait for the group; `None` when not known.
    pub lag: Option<u64>,
}

/// What the controller decides.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Verdict {
    /// How many replicas the Deployment shall want.
    pub desired: u32,
    /// What the metrics asked for; `None` when none could be read.
    pub proposal: Option<Proposal>,
    /// What kept it from that, if anything.
    pub limit: Option<Limit>,
}

/// What keeps an autoscaler from what its metrics ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// `minReplicas`.
    Minimum,
    /// `maxReplicas`.
    Maximum,
    /// A stabilisation window.
    Stabilisation,
    /// The policies of `behavior`, or the older rule of twice as many.
    Rate,
}

/// An autoscaler and what it remembers.
#[derive(Clone, Debug)]
pub struct Controller {
    spec: Spec,
    past: Past,
    up: Vec<Change>,
    down: Vec<Change>,
}

impl Controller {
    /// One that has evaluated nothing yet.
    #[must_use]
    pub const fn new(spec: Spec) -> Self {
        Self { spec, past: Past::empty(), up: Vec::new(), down: Vec::new() }
    }

    /// What it is told.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Evaluates its metrics and decides. What it decides is taken to be done.
    pub fn evaluate(&mut self, observed: &Observed<'_>) -> Verdict {
        let Observed { now, current, .. } = *observed;
        self.past.remember_first(current, now);
        let (min, max) = (self.spec.min, self.spec.max);
        let verdict = if current == 0 && min > 0 {
            // someone has set it to 0 by hand: the autoscaler is switched off
            Verdict { desired: 0, proposal: None, limit: None }
        } else if current > max {
            Verdict { desired: max, proposal: None, limit: Some(Limit::Maximum) }
        } else if current < min {
            Verdict { desired: min, proposal: None, limit: Some(Limit::Minimum) }
        } else {
            self.by_metrics(observed)
        };
        let change = |replicas| Change { at: now, replicas };
        if verdict.desired > current {
            self.up.push(change(verdict.desired - current));
        } else if verdict.desired < current {
            self.down.push(change(current - verdict.desired));
        }
        self.forget(now);
        verdict
    }

    fn by_metrics(&mut self, observed: &Observed<'_>) -> Verdict {
        let tolerances = self.spec.tolerances();
        let known =
            self.spec.metrics.iter().filter(|metric| !matches!(metric, Metric::Other { .. }));
        let asked: Vec<Option<Proposal>> =
            known.map(|metric| propose(metric, observed, tolerances)).collect();
        let highest = asked.iter().flatten().copied().max_by_key(|proposal| proposal.replicas);
        let stay = Verdict { desired: observed.current, proposal: highest, limit: None };
        match highest {
            // what one metric does not tell might have asked for more
            Some(proposal) if asked.contains(&None) && proposal.replicas < observed.current => stay,
            Some(proposal) => self.normalise(observed, proposal),
            None => stay,
        }
    }

    fn normalise(&mut self, observed: &Observed<'_>, proposal: Proposal) -> Verdict {
        let Observed { now, current, .. } = *observed;
        let wanted = proposal.replicas;
        let (stable, lowest, highest) = match &self.spec.behavior {
            Some(Behavior { up, down }) => {
                let stable = self.past.stabilise(
                    current,
                    wanted,
                    (up.stabilisation, down.stabilisation),
                    now,
                );
                let lowest = down_limit(down, current, &self.up, &self.down, now);
                (stable, lowest, up_limit(up, current, &self.up, &self.down, now))
            }
            None => {
                let stable = self.past.highest(wanted, DOWN_STABILISATION, now);
                (stable, 0, (current * UP_FACTOR).max(UP_AT_LEAST))
            }
        };
        let within_rate = stable.clamp(lowest, highest);
        let desired = within_rate.max(self.spec.min).min(self.spec.max);
        let limit = if desired < within_rate {
            Some(Limit::Maximum)
        } else if desired > within_rate {
            Some(Limit::Minimum)
        } else if within_rate != stable {
            // a rate that the maximum would have cut off anyway is not what limits
            if stable > highest && highest >= self.spec.max {
                Some(Limit::Maximum)
            } else {
                Some(Limit::Rate)
            }
        } else if stable != wanted {
            Some(Limit::Stabilisation)
        } else {
            None
        };
        Verdict { desired, proposal: Some(proposal), limit }
    }

    /// Drops the changes that are older than every policy's period.
    fn forget(&mut self, now: Duration) {
        let Some(Behavior { up, down }) = &self.spec.behavior else {
            self.up.clear();
            self.down.clear();
            return;
        };
        let longest = up
            .policies
            .iter()
            .chain(&down.policies)
            .map(|policy| policy.period)
            .max()
            .unwrap_or_default();
        for changes in [&mut self.up, &mut self.down] {
            changes.retain(|change| change.at + longest > now);
        }
    }
}
