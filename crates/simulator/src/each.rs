//! What somebody reaches who knows the servers exactly and nothing of the frames to come.
//!
//! Between a policy and the oracle lie two kinds of ignorance: how long what is under way will take,
//! and which frames will come. This is a policy that is free of the first: of the frame at hand it
//! knows when each tier would answer it, to the microsecond, whatever the uplink and the workers do
//! until then. It decides by the rule of the policy `deadline`: the edge within `COMFORT` of the
//! time that is left, else the tier that answers sooner, and nobody when none is in time. What it
//! misses more than the oracle is the price of deciding frame by frame; what a policy misses more
//! than it does is the price of predictions.

use crate::oracle::at_full_capacity;
use crate::uplink::Uplink;
use crate::{Job, Micros, Scenario, Schedule, Trace};
use frame::Destination::{Cloud, Edge};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// As `[deadline] comfort` by default.
const COMFORT: f64 = 0.5;

/// When each of a tier's workers is free.
struct Workers(BinaryHeap<Reverse<Micros>>);

impl Workers {
    fn new(count: u32) -> Self {
        Self((0..count).map(|_| Reverse(0)).collect())
    }

    /// When a frame that comes at `at` and takes so long would be done.
    fn done(&self, at: Micros, service: Micros) -> Micros {
        self.0.peek().map_or(at, |Reverse(free)| at.max(*free)) + service
    }

    fn take(&mut self, until: Micros) {
        self.0.pop();
        self.0.push(Reverse(until));
    }
}

/// Decides on one frame after the other, each with exact knowledge of when it would be answered.
/// An autoscaled tier is at its maximum all the time.
#[must_use]
pub fn foresee_each(scenario: &Scenario, trace: &Trace, jobs: &[Job]) -> Schedule {
    let full = at_full_capacity(scenario);
    let uplink = Uplink::of(trace, &full);
    let (mut edge, mut cloud) = (Workers::new(full.edge.workers), Workers::new(full.cloud.workers));
    let (mut uplink_free, mut arrived) = (0, 0);
    let (mut routes, mut misses) = (Vec::with_capacity(jobs.len()), 0);
    for (frame, job) in jobs.iter().enumerate() {
        let now = job.decided;
        let deadline = job.deadline.unwrap_or(Micros::MAX);
        let on_edge = edge.done(now, job.service(Edge));
        let sent = uplink.sent(now.max(uplink_free), job.bytes);
        let there = uplink.delivered(frame as u64, job.bytes, sent).max(arrived);
        let in_cloud = cloud.done(there, job.service(Cloud));
        let seen = uplink.seen(in_cloud);
        let comfortable =
            on_edge.saturating_sub(now) as f64 <= COMFORT * deadline.saturating_sub(now) as f64;
        let route = if on_edge <= deadline && (comfortable || on_edge <= seen || seen > deadline) {
            edge.take(on_edge);
            Some(Edge)
        } else if seen <= deadline {
            cloud.take(in_cloud);
            (uplink_free, arrived) = (sent, there);
            Some(Cloud)
        } else {
            misses += 1;
            None
        };
        routes.push(route);
    }
    Schedule { routes, misses, exact: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Beam, Report, World, foresee, simulate, workload};

    #[test]
    fn what_is_foreseen_comes_true_and_is_no_better_than_the_oracle() {
        let scenario = Scenario { minutes: 4.0, ..Scenario::default() };
        let trace = Trace::constant("steady", 6.0).unwrap();
        let jobs = workload(&scenario, 0);
        let schedule = foresee_each(&scenario, &trace, &jobs);
        let world = World { scenario: &scenario, trace: &trace, jobs: &jobs, judge: &|_, _| None };
        let history = simulate(world, &mut schedule.dispatcher(), &mut || {});
        assert_eq!(Report::of(&history, &scenario).misses, schedule.misses);
        let best = foresee(&scenario, &trace, &jobs, Beam::default(), &mut || {}).misses;
        assert!(
            best <= schedule.misses && schedule.misses < 2 * best,
            "{} and {best}",
            schedule.misses
        );
    }
}
