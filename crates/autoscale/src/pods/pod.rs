//! One pod.

use super::FleetSetup;
use crate::{Measured, PodFacts, PodSample, pod_sample};
use std::time::Duration;
use virtual_time::Micros;

/// From its making to its end.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) made: Micros,
    pub(super) ended: Option<Micros>,
    pub(super) stage: Stage,
    pub(super) busy: u32,
    running_since: Option<Micros>,
    ready_since: Option<Micros>,
    /// CPU time used so far, in core-microseconds, and until when that is counted.
    used: f64,
    counted: Micros,
    /// What had been used at the last reading.
    read: Option<f64>,
    measured: Option<Measured>,
}

/// Where a pod is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Not on its way yet: scheduling, image.
    Pending,
    /// Its containers run; it loads its model.
    Starting,
    /// It is a member of the group.
    Ready,
    /// Being deleted, still a member.
    Stopping,
    /// Being deleted, finishing what it has begun.
    Draining,
    /// Gone.
    Gone,
}

impl Pod {
    pub(super) const fn new(now: Micros) -> Self {
        Self {
            made: now,
            ended: None,
            stage: Stage::Pending,
            busy: 0,
            running_since: None,
            ready_since: None,
            used: 0.0,
            counted: now,
            read: None,
            measured: None,
        }
    }

    /// One that has been ready all the time, with readings.
    pub(super) const fn ready_from_the_start() -> Self {
        let mut pod = Self::new(0);
        pod.stage = Stage::Ready;
        pod.running_since = Some(0);
        pod.ready_since = Some(0);
        pod.read = Some(0.0);
        pod
    }

    pub(super) fn enter(&mut self, stage: Stage, now: Micros, setup: &FleetSetup) {
        self.count(now, setup);
        match stage {
            Stage::Starting => self.running_since = Some(now),
            Stage::Ready => self.ready_since = Some(now),
            Stage::Gone => self.ended = Some(now),
            Stage::Pending | Stage::Stopping | Stage::Draining => {}
        }
        self.stage = stage;
    }

    /// Whether the Deployment counts it.
    pub(super) const fn is_wanted(&self) -> bool {
        matches!(self.stage, Stage::Pending | Stage::Starting | Stage::Ready)
    }

    pub(super) const fn is_member(&self) -> bool {
        matches!(self.stage, Stage::Ready | Stage::Stopping)
    }

    /// Whom a Deployment takes away first: who is not ready, then who has been ready for the
    /// shortest time.
    pub(super) fn spared_for(&self) -> (u8, std::cmp::Reverse<Micros>) {
        let stage = match self.stage {
            Stage::Pending => 0,
            Stage::Starting => 1,
            _ => 2,
        };
        (stage, std::cmp::Reverse(self.ready_since.unwrap_or(self.made)))
    }

    pub(super) fn begins(&mut self, now: Micros, setup: &FleetSetup) {
        self.count(now, setup);
        self.busy += 1;
    }

    pub(super) fn finishes(&mut self, now: Micros, setup: &FleetSetup) {
        self.count(now, setup);
        self.busy -= 1;
    }

    /// How many times longer a frame takes that is begun now, because the pod may not use more CPU.
    pub(super) fn slowed(&self, setup: &FleetSetup) -> f64 {
        let wanted = setup.idle_cores + f64::from(self.busy) * setup.cores_per_frame;
        setup.limit_cores.map_or(1.0, |limit| (wanted / limit).max(1.0))
    }

    fn count(&mut self, now: Micros, setup: &FleetSetup) {
        let cores = match self.stage {
            Stage::Pending | Stage::Gone => 0.0,
            Stage::Starting => setup.start_cores,
            _ => setup.idle_cores + f64::from(self.busy) * setup.cores_per_frame,
        };
        self.used += cores.min(setup.limit_cores.unwrap_or(f64::MAX)) * (now - self.counted) as f64;
        self.counted = now;
    }

    /// The metrics server reads: between two readings is a measurement.
    pub(super) fn read(&mut self, now: Micros, window: Micros, setup: &FleetSetup) {
        self.count(now, setup);
        if self.running_since.is_none() {
            return;
        }
        if let Some(before) = self.read.replace(self.used) {
            let millicores = (1000.0 * (self.used - before) / window as f64).round() as u64;
            self.measured = Some(Measured { millicores, at: span(now), window: span(window) });
        }
    }

    /// How the autoscaler counts it.
    pub(super) fn seen(&self, now: Micros) -> PodSample {
        let started = self.running_since.map(span);
        let facts = PodFacts {
            started,
            ready: self.ready_since.is_some(),
            ready_changed: self.ready_since.map(span).or(started).unwrap_or_default(),
            measured: self.measured,
        };
        pod_sample(&facts, span(now))
    }
}

pub(super) const fn span(time: Micros) -> Duration {
    Duration::from_micros(time)
}
