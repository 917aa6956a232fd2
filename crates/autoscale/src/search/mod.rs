//! Searches the cheapest autoscaler that meets a goal.

mod candidate;

pub use candidate::{Candidate, Goal, GoalError, Trial, saturation_percent, usable_percent};

use crate::{FleetSetup, Metric, Spec, simulate_fleet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Stabilisation windows of the way down that are tried, in seconds.
const DOWN_S: [u64; 5] = [30, 60, 120, 300, 600];
/// Targets that are tried, in per cent of the requests, as far as they are of use.
const PERCENTS: std::ops::RangeInclusive<u32> = 4..=20;
const PERCENT_STEP: u32 = 5;
/// Targets that are tried, in messages for each pod.
const LAGS: [u32; 7] = [1, 2, 5, 10, 20, 50, 100];

/// Candidates that cost no more than so many times the cheapest are as good: of those the calmest
/// is taken, as each change moves partitions.
const AS_GOOD: f64 = 1.05;

/// What is searched.
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
    pub present: Trial,
    /// The cheapest that meets the goal, or one that costs at most a twentieth more and is calmer;
    /// `None`: not even the most pods, always there, meet it.
    pub best: Option<Trial>,
    /// The fewest pods that meet the goal without an autoscaler; if none do, the most there may
    /// be.
    pub fixed: Trial,
    /// How many candidates were simulated.
    pub tried: u64,
}

struct Board<'a> {
    search: Search<'a>,
    /// All that meet the goal.
    good: Mutex<Vec<Trial>>,
    tried: AtomicUsize,
}

/// Tries targets, windows and minimums, as many at a time as there are processors; `progress` hears
/// of each part of `parts` that is done.
pub fn recommend(search: Search<'_>, progress: &(dyn Fn(u64, u64) + Sync)) -> Recommendation {
    let Search { setup, present, goal, most } = search;
    let fixed = fewest_fixed(search);
    let now = Trial::of(setup, present, goal);
    let board = Board { search, good: Mutex::new(Vec::new()), tried: AtomicUsize::new(0) };
    if fixed.meets {
        let targets = targets(setup, present);
        let pairs: Vec<(u32, u64)> = targets
            .iter()
            .flat_map(|target| DOWN_S.into_iter().map(move |down_s| (*target, down_s)))
            .collect();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            while let Some((target, down_s)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
                // what is always enough bounds what an autoscaler that overshoots may cost
                board.try_minimums(*target, *down_s, fixed.candidate.min, fixed.candidate.min);
                if fixed.candidate.min < most {
                    board.try_minimums(*target, *down_s, fixed.candidate.min, most);
                }
                progress(done.fetch_add(1, Ordering::Relaxed) as u64 + 1, pairs.len() as u64);
            }
        };
        std::thread::scope(|scope| {
            let threads =
                std::thread::available_parallelism().map_or(1, usize::from).min(pairs.len());
            (0..threads).for_each(|_| drop(scope.spawn(work)));
        });
    }
    let tried = board.tried.load(Ordering::Relaxed) as u64;
    let best = calmest(board.good.into_inner().unwrap_or_else(PoisonError::into_inner))
        .map(|best| with_room(best, most));
    Recommendation { present: now, best, fixed, tried }
}

/// The fewest pods that meet the goal when they are always there.
fn fewest_fixed(search: Search<'_>) -> Trial {
    let Search { setup, present, goal, most } = search;
    let with = |pods: u32| {
        let candidate = Candidate { min: pods, max: pods, ..Candidate::of(present) };
        Trial::of(setup, &candidate.put_into(present), goal)
    };
    // more pods are hardly ever worse: halve
    let (mut too_few, mut enough) = (0, with(most));
    while enough.meets && enough.candidate.min - too_few > 1 {
        let middle = with(too_few + (enough.candidate.min - too_few) / 2);
        if middle.meets { enough = middle } else { too_few = middle.candidate.min }
    }
    enough
}

fn targets(setup: &FleetSetup, present: &Spec) -> Vec<u32> {
    let usable = usable_percent(setup, present);
    let percents =
        PERCENTS.map(|step| step * PERCENT_STEP).filter(|percent| f64::from(*percent) <= usable);
    let known = present.metrics.iter().find(|metric| !matches!(metric, Metric::Other { .. }));
    match known {
        Some(Metric::CpuUsage { .. }) => percents
            .map(|percent| (setup.request_cores * f64::from(percent) * 10.0) as u32)
            .collect(),
        Some(Metric::Lag { .. }) => LAGS.to_vec(),
        _ => percents.collect(),
    }
}

/// A quarter more than was ever wanted, so that a somewhat higher load does not be
/// refused its pods.
fn with_room(mut best: Trial, most: u32) -> Trial {
    if best.candidate.max < most {
        return best;
    }
    best.candidate.max =
        (best.peak_pods + best.peak_pods.div_ceil(4)).max(best.candidate.min + 1).min(most);
    best
}

impl Board<'_> {
    /// The first minimum that meets the goal is the cheapest with this target and window.
    fn try_minimums(&self, target: u32, down_s: u64, fixed: u32, max: u32) {
        let Search { setup, present, goal, .. } = self.search;
        let hours = setup.minutes / 60.0;
        for min in 1..=fixed {
            let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
            let dear =
                good.iter().any(|outcome| f64::from(min) * hours > AS_GOOD * outcome.pod_hours);
            drop(good);
            if dear {
                return;
            }
            self.tried.fetch_add(1, Ordering::Relaxed);
            let candidate = Candidate { min, max, target, down_s };
            let spec = candidate.put_into(present);
            // one run tells of most that they will not do
            if simulate_fleet(setup, &spec).share_within(goal.ms) < goal.share {
                continue;
            }
            let outcome = Trial::of(setup, &spec, goal);
            if outcome.meets {
                self.good.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                return;
            }
        }
    }
}

/// The choice among those that meet the goal; the order in which the threads found them decides
/// nothing.
fn calmest(good: Vec<Trial>) -> Option<Trial> {
    let cheapest = good.iter().map(|outcome| outcome.pod_hours).reduce(f64::min)?;
    let key = |outcome: &Trial| {
        let Candidate { target, down_s, .. } = outcome.candidate;
        (outcome.thrash, outcome.changes, outcome.pod_hours, target, down_s)
    };
    let as_good = good.into_iter().filter(|outcome| outcome.pod_hours <= AS_GOOD * cheapest);
    as_good.min_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal))
}
