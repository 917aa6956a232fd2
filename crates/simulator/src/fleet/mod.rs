//! Many sites with one cloud region, each frame decided on its own and every server a fluid.
//!
//! A site has cameras, an edge node and an uplink of its own; all sites share the region's workers.
//! Frames come in one by one (a Poisson process each site, its bursts at a phase of its own), and
//! each goes where the policy `deadline` would send it if it knew the mean service times and the
//! queues: to the cheaper edge while the answer comes within `COMFORT` of the time that is left,
//! else to the tier that answers sooner, and to nobody when none is in time. What is not modelled
//! frame by frame is the servers: a tier's queue is the work that waits in it, in milliseconds,
//! which its workers drain at their full rate (a fluid queue: Kleinrock 1976, Queueing Systems II,
//! 2.1). A frame so costs some twenty nanoseconds in place of the exact engine's microseconds, and
//! no frame is kept.
//!
//! Left out against the exact engine: what the policy has to learn, frames that are taken back, the
//! spread of service times, and the order in which sites come within one step of `STEP`.
//! `tests/fleet.rs` states how far the two are apart.

mod report;
mod scenario;
mod site;

pub use report::{FleetMinute, FleetReport, Limit, Need};
pub use scenario::{Fleet, FleetPrices, Region};

use crate::{Micros, Trace};
use report::Counts;
use site::{Queue, Site};

/// How often the region's queue is brought up to date: far below a deadline.
const STEP: Micros = 20_000;

/// Simulates a fleet over an uplink that every site has, each from another moment of it on.
/// `progress` hears of each simulated second.
#[must_use]
pub fn simulate_fleet(fleet: &Fleet, trace: &Trace, progress: &mut dyn FnMut()) -> FleetReport {
    let mut sites: Vec<Site<'_>> =
        (0..fleet.sites).map(|number| Site::new(fleet, trace, number)).collect();
    let mut region = Queue::new(fleet.region.workers, fleet.site.cloud.service_ms);
    let end = (fleet.site.minutes * 60e6) as Micros;
    let mut counts = Counts::new(end);
    let mut now = 0;
    while now < end {
        let next = (now + STEP).min(end);
        for site in &mut sites {
            site.run(next, &mut region, &mut counts);
        }
        if now / 1_000_000 != next / 1_000_000 {
            progress();
        }
        now = next;
    }
    FleetReport::of(fleet, &counts)
}
