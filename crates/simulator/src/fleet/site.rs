//! A site: its frames, its edge and its way to the region.

use super::Fleet;
use super::report::Counts;
use crate::uplink::Uplink;
use crate::{Micros, Scenario, Trace};
use virtual_time::Random;

/// Up to this share of the time that is left the edge is taken, as `deadline` does by default.
const COMFORT: f64 = 0.5;

/// Work that waits for some workers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    workers: f64,
    service_ms: f64,
    /// Work of one worker, in milliseconds, as of `at`.
    work_ms: f64,
    at: Micros,
}

impl Queue {
    pub(super) fn new(workers: u32, service_ms: f64) -> Self {
        Self { workers: f64::from(workers), service_ms, work_ms: 0.0, at: 0 }
    }

    /// How long a frame that comes at `now` waits, in milliseconds.
    fn waits_ms(&mut self, now: Micros) -> f64 {
        // frames of other sites may have come a little later within the same step
        let passed = now.saturating_sub(self.at) as f64 / 1000.0;
        self.work_ms = (self.work_ms - passed * self.workers).max(0.0);
        self.at = self.at.max(now);
        // of what the other workers do, half is done on average: no frame waits for that
        let under_way = 0.5 * (self.workers - 1.0) * self.service_ms;
        ((self.work_ms - under_way) / self.workers).max(0.0)
    }

    fn add(&mut self) {
        self.work_ms += self.service_ms;
    }
}

pub(super) struct Site<'a> {
    scenario: Scenario,
    uplink: Uplink<'a>,
    arrivals: Random,
    sizes: Random,
    /// How many frames are expected by the next one's arrival.
    expected: f64,
    /// How many the phase has skipped.
    skipped: f64,
    next: Micros,
    edge: Queue,
    link_free: Micros,
}

impl<'a> Site<'a> {
    pub(super) fn new(fleet: &Fleet, trace: &'a Trace, number: u32) -> Self {
        let scenario = fleet.scenario(trace, number);
        let purpose =
            |what: &str| Random::new(fleet.site.seed, &format!("{what} of site {number}"));
        let mut site = Self {
            uplink: Uplink::of(trace, &scenario),
            arrivals: purpose("arrivals"),
            sizes: purpose("sizes"),
            expected: 0.0,
            skipped: scenario.load.frames_by(scenario.load.phase_s),
            next: 0,
            edge: Queue::new(scenario.edge.workers, scenario.edge.service_ms),
            link_free: 0,
            scenario,
        };
        site.draw();
        site
    }

    fn draw(&mut self) {
        self.expected += self.arrivals.exponential();
        let load = &self.scenario.load;
        let second = load.second_of(self.skipped + self.expected) - load.phase_s;
        self.next = (second.max(0.0) * 1e6) as Micros;
    }

    /// Decides on all frames that come in before `until`.
    pub(super) fn run(&mut self, until: Micros, region: &mut Queue, counts: &mut Counts) {
        while self.next < until {
            self.frame(self.next, region, counts);
            self.draw();
        }
    }

    fn frame(&mut self, arrival: Micros, region: &mut Queue, counts: &mut Counts) {
        let (scenario, load) = (&self.scenario, &self.scenario.load);
        let now = arrival + (scenario.preprocess_ms * 1000.0) as Micros;
        let left_ms = if load.deadline_ms > 0.0 {
            load.deadline_ms - scenario.preprocess_ms
        } else {
            f64::INFINITY
        };
        let bytes = self.sizes.log_normal(load.frame_bytes, load.frame_sigma).max(1.0) as u64;
        let edge_ms = self.edge.waits_ms(now) + scenario.edge.service_ms;
        let minute = counts.minute(arrival);
        minute.frames += 1;
        if edge_ms <= COMFORT * left_ms {
            self.edge.add();
            minute.edge += 1;
            return;
        }
        let sent = self.uplink.sent(now.max(self.link_free), bytes);
        let link_ms = (sent - now) as f64 / 1000.0;
        let least_ms = link_ms + scenario.uplink.rtt_ms + scenario.cloud.service_ms;
        // it comes over the link while others are worked on: what takes longer counts
        let cloud_ms = least_ms + (region.waits_ms(now) - link_ms).max(0.0);
        if cloud_ms <= left_ms && cloud_ms < edge_ms {
            self.link_free = sent;
            region.add();
            minute.cloud += 1;
            minute.bytes_up += bytes;
        } else if edge_ms <= left_ms {
            self.edge.add();
            minute.edge += 1;
        } else {
            minute.missed += 1;
            // by which of the two it would have been in time otherwise
            if least_ms <= left_ms {
                minute.for_region += 1;
            } else {
                minute.for_uplink += 1;
            }
        }
    }
}
