//! The simulation itself: what happens to each frame, event by event.

use crate::autoscaler;
use crate::dispatcher::Dispatcher;
use crate::events::{Event, Events};
use crate::queue::{LeftOut, Waiting};
use crate::record::{Answer, History, Record, Scaling, Transition};
use crate::tier::Tier;
use crate::uplink::Uplink;
use crate::{Job, Micros, Scenario, Trace};
use frame::Destination::{self, Cloud, Edge};
use frame::{CameraId, ImageSize, PerTier};
use offload::{
    Action, BreakerState, Capacity, End, FrameFacts, Hardness, Measured, TakenTo, Terms, TierResult,
};
use std::collections::HashMap;

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
    let mut engine = Engine::new(world, dispatcher);
    engine.open();
    for (frame, job) in world.jobs.iter().enumerate() {
        engine.run_until(job.decided);
        engine.decide(frame);
        progress();
    }
    engine.run_until(Micros::MAX);
    let end = engine.history.frames.iter().filter_map(|frame| frame.answer).map(|(_, at)| at).max();
    engine.history.contracts = engine.dispatcher.contracts(end.unwrap_or(0));
    engine.history
}

struct Engine<'a> {
    world: World<'a>,
    dispatcher: &'a mut dyn Dispatcher,
    uplink: Uplink<'a>,
    cameras: Vec<CameraId>,
    events: Events,
    tiers: PerTier<Tier>,
    /// When the last byte that waits for the uplink will have left.
    uplink_free: Micros,
    decided: usize,
    /// By which measure a frame goes on to the cloud, until the edge has answered.
    cascades: HashMap<usize, Hardness>,
    /// Frames that went to the cloud again: how often, and when last.
    again: HashMap<usize, (u8, Micros)>,
    /// Frames with a provisional answer and no other, and how it stands against the cloud's: its
    /// loss, and the boxes without a match.
    provisional: HashMap<usize, (f64, f64)>,
    breakers: PerTier<BreakerState>,
    history: History,
}

impl<'a> Engine<'a> {
    fn new(world: World<'a>, dispatcher: &'a mut dyn Dispatcher) -> Self {
        let scenario = world.scenario;
        let camera = |number| {
            CameraId::try_from(format!("camera-{number}"))
                .expect("letters, a dash and digits name a camera")
        };
        Self {
            world,
            dispatcher,
            uplink: Uplink::new(world.trace, &scenario.uplink.cuts, scenario.uplink.rtt_ms),
            cameras: (0..scenario.load.cameras).map(camera).collect(),
            events: Events::default(),
            tiers: PerTier { edge: Tier::new(&scenario.edge), cloud: Tier::new(&scenario.cloud) },
            uplink_free: 0,
            decided: 0,
            cascades: HashMap::new(),
            again: HashMap::new(),
            provisional: HashMap::new(),
            breakers: PerTier::from_fn(|_| BreakerState::Closed),
            history: History { frames: Vec::with_capacity(world.jobs.len()), ..History::default() },
        }
    }

    /// Says what capacity there is, and begins to read lag and load.
    fn open(&mut self) {
        for tier in Destination::ALL {
            self.tell_capacity(tier);
            let (workers, scaled) =
                (self.tiers[tier].ready(), self.tiers[tier].at_maximum().is_some());
            if scaled {
                self.history.scalings.push(Scaling { at: 0, tier, workers });
            }
        }
        self.events.at(self.lag_every(), Event::Lag);
        if Destination::ALL.into_iter().any(|tier| self.tiers[tier].at_maximum().is_some()) {
            self.events.at(autoscaler::EVERY, Event::Scale);
        }
    }

    fn lag_every(&self) -> Micros {
        ((self.world.scenario.lag_every_ms * 1000.0) as Micros).max(1)
    }

    fn run_until(&mut self, end: Micros) {
        while let Some((now, event)) = self.events.next_by(end) {
            self.happens(event, now);
        }
    }

    fn happens(&mut self, event: Event, now: Micros) {
        match event {
            Event::Arrives { frame, answer_by } => {
                self.waits(Cloud, Waiting { frame, answer_by });
                self.take_up(Cloud, now);
            }
            Event::Finished { tier, frame } => {
                self.tiers[tier].ends(now);
                self.history.frames[frame].inferences[tier] += 1;
                match tier {
                    Edge => self.seen(Edge, frame, true, now),
                    Cloud => self
                        .events
                        .at(self.uplink.seen(now), Event::Seen { tier, frame, worked: true }),
                }
                self.take_up(tier, now);
            }
            Event::Seen { tier, frame, worked } => self.seen(tier, frame, worked, now),
            Event::PassedOver => self.tiers.cloud.lag -= 1,
            Event::AnswerBy { frame } => self.overdue(frame, now),
            Event::Promote { frame } => self.promote(frame, now),
            Event::Lag => self.read_lag(now),
            Event::Scale => self.read_load(now),
            Event::Started { tier, workers } => {
                self.tiers[tier].scale(workers);
                self.scaled(tier, now);
            }
        }
    }

    fn decide(&mut self, frame: usize) {
        let job = &self.world.jobs[frame];
        let now = job.decided;
        let facts = FrameFacts {
            camera: self.cameras[job.camera as usize].clone(),
            sequence: job.sequence,
            ordinal: frame as u64,
            bytes: job.bytes as usize,
            image: IMAGE,
            age_ms: (now - job.arrival) as f64 / 1000.0,
            deadline_left_ms: job.deadline.map(|deadline| (deadline as f64 - now as f64) / 1000.0),
            change: None,
            terms: Terms::default(),
        };
        let routed = self.dispatcher.decide(frame, &facts, now);
        self.decided += 1;
        let destination = match routed.action {
            Action::Send(tier) => Some(tier),
            Action::Cascade(_) => Some(Edge),
            Action::Expire | Action::Skip => None,
        };
        self.history.frames.push(Record {
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
            self.events.at(answer_by, Event::AnswerBy { frame });
        }
        match routed.action {
            Action::Send(Cloud) => self.send_up(frame, routed.answer_by, now),
            Action::Send(Edge) => self.send_to_edge(frame, routed.answer_by, now),
            Action::Cascade(hardness) => {
                self.cascades.insert(frame, hardness);
                self.send_to_edge(frame, routed.answer_by, now);
            }
            Action::Expire => self.answer(frame, Answer::Expired, now),
            Action::Skip => self.answer(frame, Answer::Skipped, now),
        }
        self.watch_breakers(now);
    }

    fn send_to_edge(&mut self, frame: usize, answer_by: Option<Micros>, now: Micros) {
        self.tiers.edge.lag += 1;
        self.waits(Edge, Waiting { frame, answer_by });
        self.take_up(Edge, now);
    }

    fn send_up(&mut self, frame: usize, answer_by: Option<Micros>, now: Micros) {
        let bytes = self.world.jobs[frame].bytes;
        self.history.frames[frame].bytes_up += bytes;
        self.tiers.cloud.lag += 1;
        self.uplink_free = self.uplink.sent(now.max(self.uplink_free), bytes);
        self.events.at(self.uplink.arrives(self.uplink_free), Event::Arrives { frame, answer_by });
    }

    /// Free workers take up what waits.
    fn take_up(&mut self, tier: Destination, now: Micros) {
        while self.tiers[tier].has_free_worker() {
            let (jobs, mut left_out) = (self.world.jobs, Vec::new());
            let is_over = |waiting: &Waiting| {
                let by = [waiting.answer_by, jobs[waiting.frame].deadline];
                by.into_iter().flatten().any(|by| by < now)
            };
            let next = self.tiers[tier].queue.pop(is_over, &mut left_out);
            for left_out in left_out {
                match left_out {
                    LeftOut::Overtaken(frame) => self.overtaken(tier, frame, now),
                    LeftOut::Over(waiting) => self.passes_over(tier, waiting, now),
                }
            }
            let Some(waiting) = next else { return };
            if is_over(&waiting) {
                self.passes_over(tier, waiting, now);
            } else {
                self.tiers[tier].begins(now);
                let frame = waiting.frame;
                let done = now + jobs[frame].service(tier);
                self.events.at(done, Event::Finished { tier, frame });
            }
        }
    }

    /// A worker does not begin with a frame: the other tier has it by now, or its deadline has gone
    /// by.
    fn passes_over(&mut self, tier: Destination, waiting: Waiting, now: Micros) {
        let Waiting { frame, answer_by } = waiting;
        let is_elsewhere = answer_by.is_some_and(|answer_by| answer_by < now);
        match tier {
            Edge if is_elsewhere => self.tiers.edge.lag -= 1,
            Cloud if is_elsewhere => self.events.at(self.uplink.seen(now), Event::PassedOver),
            Edge => self.seen(Edge, frame, false, now),
            Cloud => {
                self.events.at(self.uplink.seen(now), Event::Seen { tier, frame, worked: false });
            }
        }
    }

    fn waits(&mut self, tier: Destination, waiting: Waiting) {
        let camera = &self.cameras[self.world.jobs[waiting.frame].camera as usize];
        let serving = self.dispatcher.serving(camera);
        self.tiers[tier].queue.push(waiting, camera, serving);
    }

    /// A frame that waited ends without a detection: the edge hears of it at once, whatever the
    /// tier, since nothing is decided by it.
    fn overtaken(&mut self, tier: Destination, frame: usize, now: Micros) {
        self.tiers[tier].lag -= 1;
        self.dispatcher.overtaken(frame, now);
        if self.provisional.contains_key(&frame) {
            self.promote(frame, now);
        } else {
            self.answer(frame, Answer::Overtaken, now);
        }
    }

    /// A result comes to the preprocessor and to whoever waits for it.
    fn seen(&mut self, tier: Destination, frame: usize, worked: bool, now: Micros) {
        self.tiers[tier].lag -= 1;
        let job = &self.world.jobs[frame];
        let judged = if worked && tier == Edge { self.judged(frame) } else { None };
        let hard = judged.filter(|judged| judged.hard);
        let (end, service_ms) = if worked {
            (End::Done, Some(job.service(tier) as f64 / 1000.0))
        } else {
            (End::Expired, None)
        };
        let against = self.provisional.get(&frame).filter(|_| worked && tier == Cloud);
        let result = TierResult {
            tier,
            end,
            service_ms,
            provisional: hard.is_some(),
            measured: judged.map(|judged| judged.measured),
            loss: against.map(|(loss, _)| *loss),
            wrong: against.map(|(_, wrong)| *wrong),
        };
        let answer_by = self.dispatcher.result(frame, &result, now);
        self.watch_breakers(now);
        if let Some(EdgeAnswer { loss, wrong, .. }) = hard {
            self.provisional.insert(frame, (loss, wrong));
            self.escalate(frame, answer_by, now);
        } else if worked {
            self.answer(frame, Answer::Done(tier), now);
        } else if self.provisional.contains_key(&frame) {
            self.promote(frame, now);
        } else {
            self.answer(frame, Answer::Expired, now);
        }
    }

    /// What the edge, which has just answered, says of a frame that it may send on.
    fn judged(&mut self, frame: usize) -> Option<EdgeAnswer> {
        let hardness = self.cascades.remove(&frame)?;
        let judged = (self.world.judge)(self.world.jobs[frame].image, &hardness);
        self.history.unjudged += u64::from(judged.is_none());
        judged
    }

    /// The cloud runs the detection as well, by `answer_by` or not at all.
    fn escalate(&mut self, frame: usize, answer_by: Option<Micros>, now: Micros) {
        self.history.frames[frame].escalated = true;
        self.send_up(frame, answer_by, now);
        if let Some(answer_by) = answer_by {
            self.events.at(answer_by, Event::AnswerBy { frame });
        }
        if let Some(deadline) = self.world.jobs[frame].deadline {
            self.events.at(deadline.max(now), Event::Promote { frame });
        }
    }

    /// The first answer counts.
    fn answer(&mut self, frame: usize, answer: Answer, now: Micros) {
        self.provisional.remove(&frame);
        self.history.frames[frame].answer.get_or_insert((answer, now));
    }

    /// A provisional answer becomes the answer, if there is none by now.
    fn promote(&mut self, frame: usize, now: Micros) {
        if self.provisional.contains_key(&frame) {
            self.answer(frame, Answer::Done(Edge), now);
        }
    }

    fn overdue(&mut self, frame: usize, now: Micros) {
        if self.history.frames[frame].answer.is_some() {
            return;
        }
        if self.goes_again(frame, now) {
            return;
        }
        let taken_to = self.dispatcher.late(frame, now);
        self.watch_breakers(now);
        match taken_to {
            Some(TakenTo::Edge) => {
                self.history.frames[frame].redispatched = true;
                self.send_to_edge(frame, None, now);
            }
            Some(TakenTo::Provisional) => self.promote(frame, now),
            None => {}
        }
    }

    /// Whether a frame that the cloud has not answered in time goes there once more, as the
    /// preprocessor lets it.
    fn goes_again(&mut self, frame: usize, now: Micros) -> bool {
        const MAX_TIMES: u8 = 2;
        let (times, sent) =
            self.again.get(&frame).copied().unwrap_or((0, self.world.jobs[frame].decided));
        let (job, record) = (&self.world.jobs[frame], &self.history.frames[frame]);
        let is_over = record.escalated
            || record.redispatched
            || job.deadline.is_some_and(|deadline| deadline < now);
        if is_over || times >= MAX_TIMES {
            return false;
        }
        let Some(answer_by) = self.dispatcher.again(frame, job.bytes as usize, now - sent, now)
        else {
            return false;
        };
        self.again.insert(frame, (times + 1, now));
        self.send_up(frame, Some(answer_by), now);
        self.events.at(answer_by, Event::AnswerBy { frame });
        true
    }

    /// Whether frames are still to come or to be finished.
    fn is_running(&self) -> bool {
        self.decided < self.world.jobs.len() || self.tiers.edge.lag + self.tiers.cloud.lag > 0
    }

    fn read_lag(&mut self, now: Micros) {
        for tier in Destination::ALL {
            let lag = self.tiers[tier].lag;
            self.dispatcher.lag(tier, lag);
        }
        self.watch_breakers(now);
        if self.is_running() {
            self.events.at(now + self.lag_every(), Event::Lag);
        }
    }

    fn read_load(&mut self, now: Micros) {
        for tier in Destination::ALL {
            let Some(scaled) = self.tiers[tier].evaluate(now) else { continue };
            if scaled.after > 0 {
                self.events
                    .at(now + scaled.after, Event::Started { tier, workers: scaled.desired });
            } else {
                self.tiers[tier].scale(scaled.desired);
            }
            self.scaled(tier, now);
        }
        if self.is_running() {
            self.events.at(now + autoscaler::EVERY, Event::Scale);
        }
    }

    fn scaled(&mut self, tier: Destination, now: Micros) {
        let workers = self.tiers[tier].ready();
        let last = self.history.scalings.iter().rev().find(|scaling| scaling.tier == tier);
        if last.is_none_or(|last| last.workers != workers) {
            self.history.scalings.push(Scaling { at: now, tier, workers });
        }
        self.tell_capacity(tier);
        self.take_up(tier, now);
    }

    fn tell_capacity(&mut self, tier: Destination) {
        let (workers, at_maximum) = (Some(self.tiers[tier].ready()), self.tiers[tier].at_maximum());
        self.dispatcher.capacity(tier, Capacity { workers, at_maximum });
    }

    fn watch_breakers(&mut self, now: Micros) {
        for tier in Destination::ALL {
            let to = self.dispatcher.breaker(tier, now);
            let known = &mut self.breakers[tier];
            if *known != to {
                *known = to;
                self.history.transitions.push(Transition { at: now, tier, to });
            }
        }
    }
}
