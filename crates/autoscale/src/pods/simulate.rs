//! What happens, event by event.

use super::FleetSetup;
use super::partitions::Partitions;
use super::pod::{Pod, Stage, span};
use super::report::{FleetRow, FleetRun, Tally, word};
use crate::{Controller, Metric, Observed, PodSample, SYNC_PERIOD, Spec};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use virtual_time::{Micros, Random};

const SECOND: f64 = 1e6;
/// How often the autoscaler evaluates, and how often the metrics server reads.
const EVERY: Micros = SYNC_PERIOD.as_micros() as Micros;
/// How long frames may take to be finished after the last one has come in.
const PATIENCE: Micros = 1_800_000_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    Finished { pod: usize, frame: usize },
    Runs(usize),
    BecomesReady(usize),
    Leaves(usize),
    Settles { round: u64 },
    Reads,
    Evaluates,
}

struct World<'a> {
    setup: &'a FleetSetup,
    controller: Controller,
    partitions: Partitions,
    pods: Vec<Pod>,
    /// Who is not gone.
    alive: Vec<usize>,
    wanted: u32,
    /// Later events last; equal times in the order in which they were made.
    events: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    made_events: u64,
    /// The rebalance that goes on, if any, and what it comes to.
    round: u64,
    settling: Vec<Option<usize>>,
    arrivals: Vec<Micros>,
    service: Vec<Micros>,
    latencies_ms: Vec<f64>,
    arrived: usize,
    arrived_at_evaluation: usize,
    finished: usize,
    end: Micros,
    tally: Tally,
}

/// Runs the pods of `setup` under an autoscaler with this specification, from its minimum on. The
/// same arguments give the same run.
#[must_use]
pub fn simulate_fleet(setup: &FleetSetup, spec: &Spec) -> FleetRun {
    let mut world = World::new(setup, spec);
    world.open();
    world.run();
    world.close()
}

impl<'a> World<'a> {
    fn new(setup: &'a FleetSetup, spec: &Spec) -> Self {
        let arrivals = setup.load.arrivals(setup.seed, setup.minutes);
        let mut times = Random::new(setup.seed, "service");
        let mut draw = || {
            times.log_normal(setup.service_ms * 1000.0, setup.service_sigma).round().max(1.0)
                as Micros
        };
        let service = arrivals.iter().map(|_| draw()).collect();
        let wanted = spec.min.max(1);
        Self {
            setup,
            controller: Controller::new(spec.clone()),
            partitions: Partitions::new(setup),
            pods: (0..wanted).map(|_| Pod::ready_from_the_start()).collect(),
            alive: (0..wanted as usize).collect(),
            wanted,
            events: BinaryHeap::new(),
            made_events: 0,
            round: 0,
            settling: Vec::new(),
            latencies_ms: vec![f64::INFINITY; arrivals.len()],
            arrivals,
            service,
            arrived: 0,
            arrived_at_evaluation: 0,
            finished: 0,
            end: (setup.minutes * 60.0 * SECOND) as Micros,
            tally: Tally::default(),
        }
    }

    /// The first pods have been there for long.
    fn open(&mut self) {
        if !self.partitions.is_shared() {
            let owners = self.partitions.revoke(&self.members());
            self.partitions.settle(owners);
        }
        let age = (self.setup.metrics_age_s * SECOND) as Micros;
        self.at(EVERY - age.min(EVERY - 1), Event::Reads);
        self.at(EVERY, Event::Evaluates);
    }

    fn at(&mut self, time: Micros, event: Event) {
        self.made_events += 1;
        self.events.push(Reverse((time, self.made_events, event)));
    }

    fn after(&mut self, now: Micros, seconds: f64, event: Event) {
        self.at(now + (seconds * SECOND) as Micros, event);
    }

    fn run(&mut self) {
        loop {
            let next_event = self.events.peek().map(|Reverse((time, ..))| *time);
            let next_frame = self.arrivals.get(self.arrived).copied();
            match (next_frame, next_event) {
                (Some(frame), event) if event.is_none_or(|event| frame <= event) => {
                    self.arrives(frame)
                }
                (_, Some(time)) => {
                    let over = self.finished == self.arrivals.len() && time > self.end;
                    if over || time > self.end + PATIENCE {
                        return;
                    }
                    if let Some(Reverse((now, _, event))) = self.events.pop() {
                        self.happens(event, now);
                    }
                }
                (_, None) => return,
            }
        }
    }

    fn happens(&mut self, event: Event, now: Micros) {
        match event {
            Event::Finished { pod, frame } => {
                self.latencies_ms[frame] = (now - self.arrivals[frame]) as f64 / 1000.0;
                self.finished += 1;
                self.pods[pod].finishes(now, self.setup);
                if self.pods[pod].is_member() {
                    self.take_up(pod, now);
                } else if self.pods[pod].busy == 0 {
                    self.goes(pod, now);
                }
            }
            // whoever was taken away meanwhile is gone
            Event::Runs(pod) if self.pods[pod].stage == Stage::Pending => {
                self.pods[pod].enter(Stage::Starting, now, self.setup);
                self.after(now, self.setup.start_s, Event::BecomesReady(pod));
            }
            Event::BecomesReady(pod) if self.pods[pod].stage == Stage::Starting => {
                self.pods[pod].enter(Stage::Ready, now, self.setup);
                self.rebalance(now);
            }
            Event::Leaves(pod) => {
                self.pods[pod].enter(Stage::Draining, now, self.setup);
                if self.pods[pod].busy == 0 {
                    self.goes(pod, now);
                }
                self.rebalance(now);
            }
            Event::Settles { round } if round == self.round => {
                let owners = std::mem::take(&mut self.settling);
                self.partitions.settle(owners);
                self.members().into_iter().for_each(|pod| self.take_up(pod, now));
            }
            Event::Reads => {
                for pod in &self.alive {
                    self.pods[*pod].read(now, EVERY, self.setup);
                }
                self.at(now + EVERY, Event::Reads);
            }
            Event::Evaluates => {
                self.evaluate(now);
                self.at(now + EVERY, Event::Evaluates);
            }
            Event::Runs(_) | Event::BecomesReady(_) | Event::Settles { .. } => {}
        }
    }

    fn arrives(&mut self, now: Micros) {
        let owner = self.partitions.push(self.arrived);
        self.arrived += 1;
        let free = |pod: &&usize| {
            self.pods[**pod].is_member() && self.pods[**pod].busy < self.setup.workers
        };
        let taker = match owner {
            Some(owner) => Some(owner),
            None if self.partitions.is_shared() => self
                .alive
                .iter()
                .filter(free)
                .min_by_key(|pod| (self.pods[**pod].busy, **pod))
                .copied(),
            None => None,
        };
        if let Some(pod) = taker {
            self.take_up(pod, now);
        }
    }

    fn take_up(&mut self, pod: usize, now: Micros) {
        while self.pods[pod].is_member() && self.pods[pod].busy < self.setup.workers {
            let Some(frame) = self.partitions.take(pod) else { return };
            self.pods[pod].begins(now, self.setup);
            let slowed = self.pods[pod].slowed(self.setup);
            self.at(
                now + (self.service[frame] as f64 * slowed) as Micros,
                Event::Finished { pod, frame },
            );
        }
    }

    fn goes(&mut self, pod: usize, now: Micros) {
        self.pods[pod].enter(Stage::Gone, now, self.setup);
        self.alive.retain(|other| *other != pod);
    }

    fn members(&self) -> Vec<usize> {
        self.alive.iter().copied().filter(|pod| self.pods[*pod].is_member()).collect()
    }

    fn rebalance(&mut self, now: Micros) {
        let members = self.members();
        if self.partitions.is_shared() {
            members.into_iter().for_each(|pod| self.take_up(pod, now));
            return;
        }
        self.settling = self.partitions.revoke(&members);
        self.round += 1;
        self.after(now, self.setup.rebalance_s, Event::Settles { round: self.round });
    }

    /// Frames that are not finished.
    const fn lag(&self) -> u64 {
        (self.arrived - self.finished) as u64
    }

    /// Messages as KEDA's kafka trigger counts them: no more than all partitions could have members
    /// for.
    fn counted_lag(&self) -> u64 {
        let threshold = self.controller.spec().metrics.iter().find_map(|metric| match metric {
            Metric::Lag { per_replica } => Some(*per_replica),
            _ => None,
        });
        let most = threshold
            .zip(self.setup.partitions)
            .map(|(threshold, partitions)| threshold * u64::from(partitions));
        most.map_or(self.lag(), |most| self.lag().min(most))
    }

    fn evaluate(&mut self, now: Micros) {
        let wanted_pods = self.alive.iter().filter(|pod| self.pods[**pod].is_wanted());
        let pods: Vec<PodSample> = wanted_pods.map(|pod| self.pods[*pod].seen(now)).collect();
        let before = self.wanted;
        let verdict = self.controller.evaluate(&Observed {
            now: span(now),
            current: before,
            pods: &pods,
            request_millicores: (self.setup.request_cores * 1000.0).round() as u64,
            lag: Some(self.counted_lag()),
        });
        self.scale(verdict.desired, now);
        if now <= self.end {
            let ready =
                self.alive.iter().filter(|pod| self.pods[**pod].stage == Stage::Ready).count()
                    as u32;
            let consuming = if self.partitions.is_shared() {
                ready
            } else {
                self.partitions.consuming() as u32
            };
            let row = FleetRow {
                at_s: now as f64 / SECOND,
                load_fps: (self.arrived - self.arrived_at_evaluation) as f64
                    / SYNC_PERIOD.as_secs_f64(),
                wanted: self.wanted,
                ready,
                consuming,
                lag: self.lag(),
                measured: verdict.proposal.map(|proposal| proposal.measured),
                limit: verdict.limit.map(word),
                p50_ms: None,
                p99_ms: None,
            };
            self.tally.evaluated(row, before, &verdict);
        }
        self.arrived_at_evaluation = self.arrived;
    }

    /// What the Deployment does when it shall have so many pods.
    fn scale(&mut self, desired: u32, now: Micros) {
        for _ in self.wanted..desired {
            let pod = self.pods.len();
            self.pods.push(Pod::new(now));
            self.alive.push(pod);
            self.after(now, self.setup.pending_s, Event::Runs(pod));
        }
        let mut spared: Vec<usize> =
            self.alive.iter().copied().filter(|pod| self.pods[*pod].is_wanted()).collect();
        spared.sort_by_key(|pod| (self.pods[*pod].spared_for(), Reverse(*pod)));
        for pod in spared.into_iter().take(self.wanted.saturating_sub(desired) as usize) {
            if self.pods[pod].stage == Stage::Ready {
                self.pods[pod].enter(Stage::Stopping, now, self.setup);
                self.after(now, self.setup.stop_s, Event::Leaves(pod));
            } else {
                self.goes(pod, now);
            }
        }
        self.wanted = desired;
    }

    fn close(self) -> FleetRun {
        let lived = |pod: &Pod| {
            (pod.ended.unwrap_or(self.end).min(self.end).saturating_sub(pod.made)) as f64
        };
        let pod_hours = self.pods.iter().map(lived).sum::<f64>() / SECOND / 3600.0;
        self.tally.run(self.arrivals, self.latencies_ms, pod_hours)
    }
}
