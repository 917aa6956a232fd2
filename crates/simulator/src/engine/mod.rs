//! The simulation itself: what happens to each frame, event by event.

mod readings;
mod site;

use crate::dispatcher::Dispatcher;
use crate::events::{Event, Events};
use crate::queue::{LeftOut, Waiting};
use crate::record::{Answer, History, Record};
use crate::tier::Tier;
use crate::{Job, Micros, Scenario, Trace};
use frame::Destination::{self, Cloud, Edge};
use frame::{ImageSize, PerTier};
use offload::{Action, End, FrameFacts, Hardness, Measured, TakenTo, Terms, TierResult};
use site::Site;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The size of every simulated image, in pixels.
const IMAGE: ImageSize = ImageSize { width: 640, height: 480 };

/// What the edge finds in an image, by a measure of hardness.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct EdgeAnswer {
    /// Whether it was hard.
    pub hard: bool,
    /// What the edge measures of it.
    pub measured: Measured,
    /// How far this is from what the cloud finds, from 0 (the same) to 1 (nothing in common).
    pub loss: f64,
    /// How many boxes of it and of what the cloud finds have no match in the other.
    pub wrong: f64,
}

/// Says what the edge finds in an image; `None` when that is not known.
pub type Judge<'a> = &'a dyn Fn(u32, &Hardness) -> Option<EdgeAnswer>;

/// What is simulated.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Tiers, uplink and times.
    pub scenario: &'a Scenario,
    /// What the uplink carries.
    pub trace: &'a Trace,
    /// The frames, in the order in which they come in.
    pub jobs: &'a [Job],
    /// Which images are hard for the edge.
    pub judge: Judge<'a>,
}

/// Sends every frame where `dispatcher` says, until each has its answer; `progress` hears of each
/// frame that has come in.
pub fn simulate(
    world: World<'_>,
    dispatcher: &mut dyn Dispatcher,
    progress: &mut dyn FnMut(),
) -> History {
    simulate_sites(&[world], vec![&mut *dispatcher], progress).pop().unwrap_or_default()
}

/// The same for several sites that share one cloud: its workers, its queue and its autoscaler. Each
/// site has its own dispatcher, and gets a history of its own.
///
/// The cloud is that of the first world's scenario. A site hears of the cloud what its preprocessor
/// would: how many workers it has, and how many frames of all sites wait or are worked on there.
/// With more than one site, cameras are called `site-0-camera-0` and so on.
pub fn simulate_sites<'a>(
    worlds: &'a [World<'a>],
    dispatchers: Vec<&'a mut dyn Dispatcher>,
    progress: &mut dyn FnMut(),
) -> Vec<History> {
    let Some(first) = worlds.first() else { return Vec::new() };
    let mut engine = Engine {
        worlds,
        sites: Site::all(worlds, dispatchers),
        events: Events::default(),
        cloud: Tier::new(&first.scenario.cloud),
    };
    engine.open();
    // which frame comes next at each site, those that are decided on first on top
    let decided = |site: usize, frame: usize| {
        worlds[site].jobs.get(frame).map(|job| Reverse((job.decided, site, frame)))
    };
    let mut next: BinaryHeap<_> =
        (0..engine.sites.len()).filter_map(|site| decided(site, 0)).collect();
    while let Some(Reverse((moment, site, frame))) = next.pop() {
        engine.run_until(moment);
        engine.decide(site, frame);
        progress();
        next.extend(decided(site, frame + 1));
    }
    engine.run_until(Micros::MAX);
    engine.sites.into_iter().map(Site::finish).collect()
}

struct Engine<'a> {
    worlds: &'a [World<'a>],
    sites: Vec<Site<'a>>,
    events: Events,
    /// What all sites share.
    cloud: Tier,
}

impl Engine<'_> {
    fn run_until(&mut self, end: Micros) {
        while let Some((now, site, event)) = self.events.next_by(end) {
            self.happens(site, event, now);
        }
    }

    fn happens(&mut self, site: usize, event: Event, now: Micros) {
        match event {
            Event::Arrives { frame, answer_by } => {
                self.sites[site].in_cloud += 1;
                self.waits(Cloud, Waiting { site, frame, answer_by });
                self.take_up(Cloud, site, now);
            }
            Event::Finished { tier, frame } => {
                self.tier(tier, site).ends(now);
                self.sites[site].history.frames[frame].inferences[tier] += 1;
                match tier {
                    Edge => self.seen(site, Edge, frame, true, now),
                    Cloud => self.sees_later(site, Event::Seen { tier, frame, worked: true }, now),
                }
                self.take_up(tier, site, now);
            }
            Event::Seen { tier, frame, worked } => self.seen(site, tier, frame, worked, now),
            Event::PassedOver => self.sites[site].cloud_lag -= 1,
            Event::AnswerBy { frame } => self.overdue(site, frame, now),
            Event::Promote { frame } => self.sites[site].promote(frame, now),
            Event::Lag => self.read_lag(site, now),
            Event::Scale => self.read_load(site, now),
            Event::Started { tier, workers } => {
                self.tier(tier, site).scale(workers);
                self.scaled(tier, site, now);
            }
        }
    }

    /// The tier that a site's frames come to.
    fn tier(&mut self, tier: Destination, site: usize) -> &mut Tier {
        match tier {
            Edge => &mut self.sites[site].edge,
            Cloud => &mut self.cloud,
        }
    }

    /// The cloud has done with a frame, which its site sees when the link lets it.
    fn sees_later(&mut self, site: usize, event: Event, now: Micros) {
        self.sites[site].in_cloud -= 1;
        let at = self.sites[site].uplink.seen(now);
        self.events.at(at, site, event);
    }

    fn decide(&mut self, site: usize, frame: usize) {
        let at = &mut self.sites[site];
        let job = &at.world.jobs[frame];
        let now = job.decided;
        let facts = FrameFacts {
            camera: at.cameras[job.camera as usize].clone(),
            sequence: job.sequence,
            ordinal: frame as u64,
            bytes: job.bytes as usize,
            image: IMAGE,
            age_ms: (now - job.arrival) as f64 / 1000.0,
            deadline_left_ms: job.deadline.map(|deadline| (deadline as f64 - now as f64) / 1000.0),
            change: None,
            terms: Terms::default(),
        };
        let routed = at.dispatcher.decide(frame, &facts, now);
        at.decided += 1;
        let destination = match routed.action {
            Action::Send(tier) => Some(tier),
            Action::Cascade(_) => Some(Edge),
            Action::Expire | Action::Skip => None,
        };
        at.history.frames.push(Record {
            arrival: job.arrival,
            camera: job.camera,
            deadline: job.deadline,
            image: job.image,
            destination,
            reason: routed.reason,
            predicted_ms: routed.predicted_ms,
            answer: None,
            redispatched: false,
            escalated: false,
            bytes_up: 0,
            inferences: PerTier::default(),
        });
        if let Some(answer_by) = routed.answer_by {
            self.events.at(answer_by, site, Event::AnswerBy { frame });
        }
        match routed.action {
            Action::Send(Cloud) => self.send_up(site, frame, routed.answer_by, now),
            Action::Send(Edge) => self.send_to_edge(site, frame, routed.answer_by, now),
            Action::Cascade(hardness) => {
                self.sites[site].cascades.insert(frame, hardness);
                self.send_to_edge(site, frame, routed.answer_by, now);
            }
            Action::Expire => self.sites[site].answer(frame, Answer::Expired, now),
            Action::Skip => self.sites[site].answer(frame, Answer::Skipped, now),
        }
        self.sites[site].watch_breakers(now);
    }

    fn send_to_edge(&mut self, site: usize, frame: usize, by: Option<Micros>, now: Micros) {
        self.sites[site].edge.lag += 1;
        self.waits(Edge, Waiting { site, frame, answer_by: by });
        self.take_up(Edge, site, now);
    }

    fn send_up(&mut self, site: usize, frame: usize, answer_by: Option<Micros>, now: Micros) {
        let arrives = self.sites[site].send_up(frame, now);
        self.events.at(arrives, site, Event::Arrives { frame, answer_by });
    }

    /// Free workers take up what waits.
    fn take_up(&mut self, tier: Destination, site: usize, now: Micros) {
        let worlds = self.worlds;
        let is_over = |waiting: &Waiting| {
            let deadline = worlds[waiting.site].jobs[waiting.frame].deadline;
            [waiting.answer_by, deadline].into_iter().flatten().any(|by| by < now)
        };
        while self.tier(tier, site).has_free_worker() {
            let mut left_out = Vec::new();
            let next = self.tier(tier, site).queue.pop(is_over, &mut left_out);
            for left_out in left_out {
                match left_out {
                    LeftOut::Overtaken(waiting) => self.overtaken(tier, waiting, now),
                    LeftOut::Over(waiting) => self.passes_over(tier, waiting, now),
                }
            }
            let Some(waiting) = next else { return };
            if is_over(&waiting) {
                self.passes_over(tier, waiting, now);
            } else {
                self.tier(tier, site).begins(now);
                let Waiting { site, frame, .. } = waiting;
                let done = now + worlds[site].jobs[frame].service(tier);
                self.events.at(done, site, Event::Finished { tier, frame });
            }
        }
    }

    /// A worker does not begin with a frame: the other tier has it by now, or its deadline has gone
    /// by.
    fn passes_over(&mut self, tier: Destination, waiting: Waiting, now: Micros) {
        let Waiting { site, frame, answer_by } = waiting;
        let is_elsewhere = answer_by.is_some_and(|answer_by| answer_by < now);
        match tier {
            Edge if is_elsewhere => self.sites[site].edge.lag -= 1,
            Cloud if is_elsewhere => self.sees_later(site, Event::PassedOver, now),
            Edge => self.seen(site, Edge, frame, false, now),
            Cloud => self.sees_later(site, Event::Seen { tier, frame, worked: false }, now),
        }
    }

    fn waits(&mut self, tier: Destination, waiting: Waiting) {
        let site = &mut self.sites[waiting.site];
        let camera = site.cameras[site.world.jobs[waiting.frame].camera as usize].clone();
        let serving = site.dispatcher.serving(&camera);
        self.tier(tier, waiting.site).queue.push(waiting, &camera, serving);
    }

    /// A frame that waited ends without a detection: the edge hears of it at once, whatever the
    /// tier, since nothing is decided by it.
    fn overtaken(&mut self, tier: Destination, waiting: Waiting, now: Micros) {
        let site = &mut self.sites[waiting.site];
        match tier {
            Edge => site.edge.lag -= 1,
            Cloud => {
                site.cloud_lag -= 1;
                site.in_cloud -= 1;
            }
        }
        site.overtaken(waiting.frame, now);
    }

    /// A result comes to the preprocessor and to whoever waits for it.
    fn seen(&mut self, site: usize, tier: Destination, frame: usize, worked: bool, now: Micros) {
        let at = &mut self.sites[site];
        match tier {
            Edge => at.edge.lag -= 1,
            Cloud => at.cloud_lag -= 1,
        }
        let job = &at.world.jobs[frame];
        let judged = if worked && tier == Edge { at.judged(frame) } else { None };
        let hard = judged.filter(|judged| judged.hard);
        let (end, service_ms) = if worked {
            (End::Done, Some(job.service(tier) as f64 / 1000.0))
        } else {
            (End::Expired, None)
        };
        let against = at.provisional.get(&frame).filter(|_| worked && tier == Cloud);
        let result = TierResult {
            tier,
            end,
            service_ms,
            provisional: hard.is_some(),
            measured: judged.map(|judged| judged.measured),
            loss: against.map(|(loss, _)| *loss),
            wrong: against.map(|(_, wrong)| *wrong),
        };
        let answer_by = at.dispatcher.result(frame, &result, now);
        at.watch_breakers(now);
        if let Some(EdgeAnswer { loss, wrong, .. }) = hard {
            at.provisional.insert(frame, (loss, wrong));
            self.escalate(site, frame, answer_by, now);
        } else if worked {
            at.answer(frame, Answer::Done(tier), now);
        } else if at.provisional.contains_key(&frame) {
            at.promote(frame, now);
        } else {
            at.answer(frame, Answer::Expired, now);
        }
    }

    /// The cloud runs the detection as well, by `answer_by` or not at all.
    fn escalate(&mut self, site: usize, frame: usize, answer_by: Option<Micros>, now: Micros) {
        self.sites[site].history.frames[frame].escalated = true;
        self.send_up(site, frame, answer_by, now);
        if let Some(answer_by) = answer_by {
            self.events.at(answer_by, site, Event::AnswerBy { frame });
        }
        if let Some(deadline) = self.worlds[site].jobs[frame].deadline {
            self.events.at(deadline.max(now), site, Event::Promote { frame });
        }
    }

    fn overdue(&mut self, site: usize, frame: usize, now: Micros) {
        let at = &mut self.sites[site];
        if at.history.frames[frame].answer.is_some() {
            return;
        }
        if let Some(answer_by) = at.goes_again(frame, now) {
            self.send_up(site, frame, Some(answer_by), now);
            self.events.at(answer_by, site, Event::AnswerBy { frame });
            return;
        }
        let taken_to = at.dispatcher.late(frame, now);
        at.watch_breakers(now);
        match taken_to {
            Some(TakenTo::Edge) => {
                at.history.frames[frame].redispatched = true;
                self.send_to_edge(site, frame, None, now);
            }
            Some(TakenTo::Provisional) => at.promote(frame, now),
            None => {}
        }
    }
}
