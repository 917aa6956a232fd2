//! The best that could be done by somebody who knows the future.
//!
//! An oracle knows every arrival, size and service time and what the uplink will carry, and sends
//! each frame to the edge, to the cloud or to nobody so that the fewest deadlines are missed. It
//! takes the frames in the order in which they come in and keeps the set of states that could still
//! be the beginning of a best schedule: how many deadlines were missed, and from when on each edge
//! worker, the uplink and each cloud worker are free. All deadlines are equally long, so frames are
//! served in the order in which they came in and a later moment of freedom is never better (Kiefer
//! and Wolfowitz 1955); therefore a state can be left out when another one has missed so many fewer
//! deadlines that it can afford to drop every frame that the first one begins earlier. Where this
//! leaves more states than the beam allows, the least promising are left out as well; then the
//! result is good but not proven to be the best, and says so.

use crate::front::{Front, Limits, Possible};
use crate::uplink::Uplink;
use crate::{Dispatcher, Job, Micros, Routed, Scenario, Trace};
use frame::Destination::{self, Cloud, Edge};
use offload::{Action, BreakerState, Capacity, FrameFacts, TakenTo, TierResult};

/// Where an oracle sends each frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// In the order in which the frames come in; `None`: no tier gets it.
    pub routes: Vec<Option<Destination>>,
    /// How many deadlines are missed.
    pub misses: u64,
    /// Whether no schedule misses fewer. With autoscaled tiers: whether none would if all workers
    /// were there all the time.
    pub exact: bool,
}

/// Which states an oracle keeps at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beam(pub usize);

impl Default for Beam {
    /// On the default scenario this comes within one to three per cent of the misses that several
    /// times as many states find.
    fn default() -> Self {
        Self(100)
    }
}

/// The scenario as the oracle has it: every autoscaled tier at its maximum from the beginning.
#[must_use]
pub fn at_full_capacity(scenario: &Scenario) -> Scenario {
    let mut full = scenario.clone();
    for tier in [&mut full.edge, &mut full.cloud] {
        if let Some(autoscale) = tier.autoscale.take() {
            tier.workers = autoscale.max;
        }
    }
    full
}

/// Finds a schedule with the fewest missed deadlines, and among those that it still has in the end
/// one with the fewest bytes.
///
/// `progress` hears of each frame that it has gone through.
pub fn foresee(
    scenario: &Scenario,
    trace: &Trace,
    jobs: &[Job],
    beam: Beam,
    progress: &mut dyn FnMut(),
) -> Schedule {
    if jobs.iter().all(|job| job.deadline.is_none()) {
        // nothing can be missed, and the edge costs no bytes
        jobs.iter().for_each(|_| progress());
        return Schedule { routes: vec![Some(Edge); jobs.len()], misses: 0, exact: true };
    }
    let full = at_full_capacity(scenario);
    let uplink = Uplink::of(trace, &full);
    let smallest = Smallest::of(jobs);
    let mut front = Front::new(full.edge.workers as usize, full.cloud.workers as usize);
    for (i, job) in jobs.iter().enumerate() {
        front.advance(job.decided, job.decided + uplink.one_way());
        front.extend(job.bytes, |[edge_free, uplink_free, cloud_free]| {
            let in_time =
                |answered: Micros| job.deadline.is_none_or(|deadline| answered <= deadline);
            let on_edge = edge_free + job.service(Edge);
            let sent = uplink.sent(uplink_free, job.bytes);
            let there = uplink.delivered(i as u64, job.bytes, sent);
            let in_cloud = there.max(cloud_free) + job.service(Cloud);
            Possible {
                edge: in_time(on_edge).then_some(on_edge),
                cloud: in_time(uplink.seen(in_cloud)).then_some((sent, in_cloud)),
            }
        });
        let [edge, cloud, bytes] = smallest.0[i];
        front.prune(
            beam.0,
            &Limits { edge, cloud, uplink: &|from, to| uplink.frames_between(from, to, bytes) },
        );
        progress();
    }
    let mut schedule = front.finish();
    // what is sent later may then be there sooner, and waits for nothing before it
    schedule.exact &= !uplink.is_lossy();
    // with unequal preprocessing an older frame may come after a younger one: the exchange argument
    // for serving them in order then fails
    schedule.exact &= jobs.is_sorted_by_key(|job| job.deadline);
    schedule
}

/// For each frame the shortest service times and the smallest size among it and all that come in
/// before its deadline.
struct Smallest(Vec<[u64; 3]>);

impl Smallest {
    fn of(jobs: &[Job]) -> Self {
        let mut last = 0;
        let each = jobs.iter().enumerate().map(|(i, job)| {
            let until = job.deadline.unwrap_or(Micros::MAX);
            last = last.max(i);
            while last + 1 < jobs.len() && jobs[last + 1].arrival <= until {
                last += 1;
            }
            let ahead = &jobs[i..=last];
            let least = |of: &dyn Fn(&Job) -> u64| ahead.iter().map(of).min().unwrap_or(1).max(1);
            [
                least(&|job| job.service(Edge)),
                least(&|job| job.service(Cloud)),
                least(&|job| job.bytes),
            ]
        });
        Self(each.collect())
    }
}

impl Schedule {
    /// As somebody who decides so.
    #[must_use]
    pub const fn dispatcher(&self) -> impl Dispatcher + '_ {
        Foreseen(self)
    }
}

struct Foreseen<'a>(&'a Schedule);

impl Dispatcher for Foreseen<'_> {
    fn decide(&mut self, frame: usize, _facts: &FrameFacts, _now: Micros) -> Routed {
        let (action, reason) = match self.0.routes[frame] {
            Some(Edge) => (Action::Send(Edge), "foreseen-edge"),
            Some(Cloud) => (Action::Send(Cloud), "foreseen-cloud"),
            None => (Action::Expire, "foreseen-miss"),
        };
        Routed { action, reason, answer_by: None, predicted_ms: None }
    }

    fn result(&mut self, _frame: usize, _result: &TierResult, _now: Micros) -> Option<Micros> {
        None
    }

    fn late(&mut self, _frame: usize, _now: Micros) -> Option<TakenTo> {
        None
    }

    fn lag(&mut self, _tier: Destination, _frames: u64) {}

    fn capacity(&mut self, _tier: Destination, _capacity: Capacity) {}

    fn breaker(&mut self, _tier: Destination, _now: Micros) -> BreakerState {
        BreakerState::Closed
    }
}
