//! Looks for the cheapest autoscaler that meets a goal.

use super::recommend::{Candidate, Goal, Outcome, usable_percent};
use super::{FleetSetup, simulate_fleet};
use hpa::{Metric, Spec};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Stabilisation windows of the way down that are tried, in seconds.
const DOWN_S: [u64; 5] = [30, 60, 120, 300, 600];
/// Targets that are tried, in per cent of the requests, as far as they are of use.
const PERCENTS: std::ops::RangeInclusive<u32> = 4..=20;
const PERCENT_STEP: u32 = 5;
/// Targets that are tried, in messages for each pod.
const LAGS: [u32; 7] = [1, 2, 5, 10, 20, 50, 100];

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The unit.
    pub setup: &'a FleetSetup,
    /// What its autoscaler is told now.
    pub present: &'a Spec,
    /// What is wanted of it.
    pub goal: Goal,
    /// The most pods that there may be.
    pub most: u32,
}

/// What was found.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
pub struct Recommendation {
    /// How the present numbers do.
    pub present: Outcome,
    /// The cheapest that meets the goal; `None`: not even the most pods, always there, meet it.
    pub best: Option<Outcome>,
    /// The fewest pods that meet the goal without an autoscaler; if none do, the most there may be.
    pub fixed: Outcome,
    /// How many candidates were simulated.
    pub tried: u64,
}

struct Board<'a> {
    search: Search<'a>,
    best: Mutex<Option<Outcome>>,
    tried: AtomicUsize,
}

/// Tries targets, windows and minimums, as many at a time as there are processors; `progress` hears of each part of `parts` that is done.
pub fn recommend(search: Search<'_>, progress: &(dyn Fn(u64, u64) + Sync)) -> Recommendation {
    let Search { setup, present, goal, most } = search;
    let fixed = fewest_fixed(search);
    let now = Outcome::of(setup, present, goal);
    let board = Board { search, best: Mutex::new(None), tried: AtomicUsize::new(0) };
    if fixed.meets {
        let targets = targets(setup, present);
        let pairs: Vec<(u32, u64)> =
            targets.iter().flat_map(|target| DOWN_S.into_iter().map(move |down_s| (*target, down_s))).collect();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            while let Some((target, down_s)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
                board.try_minimums(*target, *down_s, fixed.candidate.min);
                progress(done.fetch_add(1, Ordering::Relaxed) as u64 + 1, pairs.len() as u64);
            }
        };
        std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from).min(pairs.len());
            (0..threads).for_each(|_| drop(scope.spawn(work)));
        });
    }
    let tried = board.tried.load(Ordering::Relaxed) as u64;
    let best = board.best.into_inner().unwrap_or_else(PoisonError::into_inner).map(|best| with_room(best, most));
    Recommendation { present: now, best, fixed, tried }
}

/// The fewest pods that meet the goal when they are always there.
fn fewest_fixed(search: Search<'_>) -> Outcome {
    let Search { setup, present, goal, most } = search;
    let with = |pods: u32| {
        let candidate = Candidate { min: pods, max: pods, ..Candidate::of(present) };
        Outcome::of(setup, &candidate.put_into(present), goal)
    };
    // more pods are never worse: halve
    let (mut too_few, mut enough) = (0, with(most));
    while enough.meets && enough.candidate.min - too_few > 1 {
        let middle = with(too_few + (enough.candidate.min - too_few) / 2);
        if middle.meets { enough = middle } else { too_few = middle.candidate.min }
    }
    enough
}

fn targets(setup: &FleetSetup, present: &Spec) -> Vec<u32> {
    let usable = usable_percent(setup, present);
    let percents = PERCENTS.map(|step| step * PERCENT_STEP).filter(|percent| f64::from(*percent) <= usable);
    let known = present.metrics.iter().find(|metric| !matches!(metric, Metric::Other { .. }));
    match known {
        Some(Metric::CpuUsage { .. }) => {
            percents.map(|percent| (setup.request_cores * f64::from(percent) * 10.0) as u32).collect()
        }
        Some(Metric::Lag { .. }) => LAGS.to_vec(),
        _ => percents.collect(),
    }
}

/// A quarter more than was ever wanted, so that a somewhat higher load does not stand before a closed door.
fn with_room(mut best: Outcome, most: u32) -> Outcome {
    best.candidate.max = (best.peak_pods + best.peak_pods.div_ceil(4)).max(best.candidate.min + 1).min(most);
    best
}

impl Board<'_> {
    /// The first minimum that meets the goal is the cheapest with this target and window.
    fn try_minimums(&self, target: u32, down_s: u64, fixed: u32) {
        let Search { setup, present, goal, most } = self.search;
        let hours = setup.minutes / 60.0;
        for min in 1..=fixed {
            let cheapest = self.best.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|best| best.pod_hours);
            if cheapest.is_some_and(|pod_hours| f64::from(min) * hours > pod_hours) {
                return;
            }
            self.tried.fetch_add(1, Ordering::Relaxed);
            let candidate = Candidate { min, max: most, target, down_s };
            let spec = candidate.put_into(present);
            // one run tells of most that they will not do
            if simulate_fleet(setup, &spec).share_within(goal.ms) < goal.share {
                continue;
            }
            let outcome = Outcome::of(setup, &spec, goal);
            if outcome.meets {
                self.take(outcome);
                return;
            }
        }
    }

    /// The cheapest; of equals the calmest, so that the order of the threads decides nothing.
    fn take(&self, outcome: Outcome) {
        let mut best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        let key = |outcome: &Outcome| {
            (outcome.pod_hours, outcome.changes, u64::MAX - outcome.candidate.down_s, outcome.candidate.target)
        };
        if best.as_ref().is_none_or(|best| key(&outcome).partial_cmp(&key(best)) == Some(std::cmp::Ordering::Less)) {
            *best = Some(outcome);
        }
    }
}
