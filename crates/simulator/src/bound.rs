//! How many deadlines every schedule misses at least.
//!
//! **The relaxation.** Take a window: the frames that are decided on from `a` on and whose deadline
//! is `b` at the latest. Whoever answers one of them in time works on it within `a` to `b`. So
//!
//! - the edge, with `w` workers, answers no more of them than its `k` shortest service times fit
//!   into `w · (b - a)`;
//! - the cloud no more than its shortest service times fit into the time from `a + rtt / 2` to
//!   `b - rtt / 2`, and no more than the smallest of them fit through the uplink from `a` to
//!   `b - rtt`.
//!
//! Both counts are what a schedule could reach that may split frames among workers, need not keep
//! their order, and may choose the frames of each server as if the others had none: leaving out
//! constraints cannot make the best one worse. Of `n` frames at least `n` less both counts miss
//! their deadline. Windows whose sets of frames are disjoint add up, since each frame is counted
//! once, and the sum is the largest over all choices of such windows from a grid (weighted interval
//! scheduling: Kleinberg and Tardos 2005, Algorithm Design, 6.1).
//!
//! **For those who cannot know service times** ([`Knowing::Sizes`]) the service times are replaced
//! by their mean. When a worker begins a frame, how long it will take is independent of all that
//! was decided before; the number of frames begun is then a stopping time, and by Wald's equation
//! (1944) its expectation times the mean service time is the expected time of work, which is
//! `w · (b - a)` and at most one frame a worker that ends later. It bounds the *expected* misses of
//! a policy, not those of one run.

use crate::oracle::at_full_capacity;
use crate::uplink::Uplink;
use crate::{Job, Micros, Scenario, Trace};
use frame::Destination::{self, Cloud, Edge};

/// How long windows are, in steps of the grid: bursts last up to half a minute or so.
const LENGTHS: [usize; 9] = [1, 2, 4, 8, 16, 32, 60, 61, 62];
/// The grid, in microseconds.
const STEP: Micros = 500_000;

/// What somebody knows who decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Knowing {
    /// Everything, each frame's service times included.
    Everything,
    /// Everything but service times, of which the mean is known.
    Sizes,
}

/// How many deadlines every schedule misses at least.
#[must_use]
pub fn least_misses(scenario: &Scenario, trace: &Trace, jobs: &[Job], knowing: Knowing) -> u64 {
    let full = at_full_capacity(scenario);
    let uplink = Uplink::of(trace, &full);
    let bound = Bound { scenario: &full, uplink, knowing };
    let end = jobs.last().map_or(0, |job| job.decided);
    let steps = (end / STEP + 2) as usize;
    // frames are in the order in which they are decided on
    let first_of: Vec<usize> = (0..=steps)
        .map(|step| jobs.partition_point(|job| job.decided < step as Micros * STEP))
        .collect();
    // `best[step]`: the most that windows before this step can show to be missed
    let mut best = vec![0; steps + 1];
    for until in 1..=steps {
        best[until] = best[until - 1];
        for length in LENGTHS.into_iter().filter(|length| *length <= until) {
            let from = until - length;
            let missed = bound.missed(&jobs[first_of[from]..first_of[until]]);
            best[until] = best[until].max(best[from] + missed);
        }
    }
    best[steps]
}

struct Bound<'a> {
    scenario: &'a Scenario,
    uplink: Uplink<'a>,
    knowing: Knowing,
}

impl Bound<'_> {
    /// Of these frames.
    fn missed(&self, jobs: &[Job]) -> u64 {
        let Some(first) = jobs.first() else { return 0 };
        // one that may be answered at any time is never missed, and needs no time in this window
        let hurried: Vec<&Job> = jobs.iter().filter(|job| job.deadline.is_some()).collect();
        let Some(last) = hurried.iter().filter_map(|job| job.deadline).max() else { return 0 };
        let (from, until) = (first.decided, last);
        let one_way = self.uplink.one_way();
        let time = until.saturating_sub(from);
        let work: Micros = hurried.iter().map(|job| job.service(Edge)).sum();
        if work <= time * u64::from(self.scenario.edge.workers) {
            // the edge alone may do all of it
            return 0;
        }
        let edge = self.served(&hurried, Edge, time);
        let in_cloud = until.saturating_sub(from + 2 * one_way);
        let cloud = self.served(&hurried, Cloud, in_cloud);
        let sent = self.sent(&hurried, from, until.saturating_sub(2 * one_way));
        (hurried.len() as u64).saturating_sub(edge + cloud.min(sent))
    }

    /// How many of them a tier's workers answer in so much time at most.
    fn served(&self, jobs: &[&Job], tier: Destination, time: Micros) -> u64 {
        let workers = match tier {
            Edge => self.scenario.edge.workers,
            Cloud => self.scenario.cloud.workers,
        };
        let time = time * u64::from(workers);
        let mut services: Vec<Micros> = jobs.iter().map(|job| job.service(tier)).collect();
        match self.knowing {
            Knowing::Everything => {
                services.sort_unstable();
                fit(&services, time as f64, |service| *service as f64)
            }
            Knowing::Sizes => {
                let mean = services.iter().sum::<Micros>() as f64 / services.len() as f64;
                ((time as f64 / mean.max(1.0)) as u64 + u64::from(workers)).min(jobs.len() as u64)
            }
        }
    }

    /// How many of them go through the uplink from one moment to another at most.
    fn sent(&self, jobs: &[&Job], from: Micros, until: Micros) -> u64 {
        let mut bytes: Vec<u64> = jobs.iter().map(|job| job.bytes).collect();
        bytes.sort_unstable();
        let units = self.uplink.units_between(from, until.max(from));
        fit(&bytes, units, |bytes| self.uplink.units(*bytes))
    }
}

/// How many of sorted things fit into so much room.
fn fit<T>(sorted: &[T], room: f64, size: impl Fn(&T) -> f64) -> u64 {
    let mut taken = 0.0;
    let fits = sorted.iter().take_while(|thing| {
        taken += size(thing);
        // sums of floating-point numbers: a little more fits rather than a little less
        taken <= room * (1.0 + 1e-9) + 1e-6
    });
    fits.count() as u64
}
