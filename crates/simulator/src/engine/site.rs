//! A site: its frames, its edge and its way to the cloud.

use super::{EdgeAnswer, World};
use crate::Micros;
use crate::dispatcher::Dispatcher;
use crate::record::{Answer, History, Transition};
use crate::tier::Tier;
use crate::uplink::Uplink;
use frame::{CameraId, Destination, PerTier};
use offload::{BreakerState, Hardness};
use std::collections::HashMap;

/// How many times a frame that the cloud has not answered goes there again at most, as in the
/// preprocessor.
const MAX_TIMES: u8 = 2;

pub(super) struct Site<'a> {
    pub(super) world: World<'a>,
    pub(super) dispatcher: &'a mut dyn Dispatcher,
    pub(super) uplink: Uplink<'a>,
    pub(super) cameras: Vec<CameraId>,
    pub(super) edge: Tier,
    /// Frames sent to the cloud of which the site does not know yet that they are finished.
    pub(super) cloud_lag: u64,
    /// Frames of this site that wait or are worked on in the cloud.
    pub(super) in_cloud: u64,
    pub(super) decided: usize,
    /// By which measure a frame goes on to the cloud, until the edge has answered.
    pub(super) cascades: HashMap<usize, Hardness>,
    /// Frames with a provisional answer and no other, and how it stands against the cloud's: its
    /// loss, and the boxes without a match.
    pub(super) provisional: HashMap<usize, (f64, f64)>,
    pub(super) history: History,
    /// When the last byte that waits for the uplink will have left.
    uplink_free: Micros,
    /// When the last frame that was sent arrives: frames arrive in order.
    last_arrives: Micros,
    /// Frames that went to the cloud again: how often, and when last.
    again: HashMap<usize, (u8, Micros)>,
    breakers: PerTier<BreakerState>,
}

impl<'a> Site<'a> {
    /// Of each world, with its dispatcher.
    pub(super) fn all(worlds: &[World<'a>], dispatchers: Vec<&'a mut dyn Dispatcher>) -> Vec<Self> {
        let alone = worlds.len() == 1;
        let with = worlds.iter().zip(dispatchers).enumerate();
        with.map(|(number, (world, dispatcher))| {
            let prefix = if alone { String::new() } else { format!("site-{number}-") };
            Self::new(*world, dispatcher, &prefix)
        })
        .collect()
    }

    fn new(world: World<'a>, dispatcher: &'a mut dyn Dispatcher, prefix: &str) -> Self {
        let scenario = world.scenario;
        let camera = |number| {
            CameraId::try_from(format!("{prefix}camera-{number}"))
                .expect("letters, dashes and digits name a camera")
        };
        Self {
            world,
            dispatcher,
            uplink: Uplink::of(world.trace, scenario),
            cameras: (0..scenario.load.cameras).map(camera).collect(),
            edge: Tier::new(&scenario.edge),
            cloud_lag: 0,
            in_cloud: 0,
            decided: 0,
            cascades: HashMap::new(),
            provisional: HashMap::new(),
            history: History { frames: Vec::with_capacity(world.jobs.len()), ..History::default() },
            uplink_free: 0,
            last_arrives: 0,
            again: HashMap::new(),
            breakers: PerTier::from_fn(|_| BreakerState::Closed),
        }
    }

    /// What happened here, when nothing more does.
    pub(super) fn finish(mut self) -> History {
        let answers = self.history.frames.iter().filter_map(|frame| frame.answer);
        let end = answers.map(|(_, at)| at).max();
        self.history.contracts = self.dispatcher.contracts(end.unwrap_or(0));
        self.history
    }

    /// Whether frames are still to come or to be finished.
    pub(super) fn is_running(&self) -> bool {
        self.decided < self.world.jobs.len() || self.edge.lag + self.cloud_lag > 0
    }

    /// Sends a frame to the cloud, and says when it is there.
    pub(super) fn send_up(&mut self, frame: usize, now: Micros) -> Micros {
        let bytes = self.world.jobs[frame].bytes;
        self.history.frames[frame].bytes_up += bytes;
        self.cloud_lag += 1;
        self.uplink_free = self.uplink.sent(now.max(self.uplink_free), bytes);
        // another time, another luck
        let times = self.again.get(&frame).map_or(0, |(times, _)| u64::from(*times));
        let luck = frame as u64 | times << 56;
        let arrives = self.uplink.delivered(luck, bytes, self.uplink_free);
        self.last_arrives = self.last_arrives.max(arrives);
        self.last_arrives
    }

    /// Until when a frame that the cloud has not answered in time is waited for when it goes there
    /// once more, if the preprocessor lets it.
    pub(super) fn goes_again(&mut self, frame: usize, now: Micros) -> Option<Micros> {
        let (times, sent) =
            self.again.get(&frame).copied().unwrap_or((0, self.world.jobs[frame].decided));
        let (job, record) = (&self.world.jobs[frame], &self.history.frames[frame]);
        let is_over = record.escalated
            || record.redispatched
            || job.deadline.is_some_and(|deadline| deadline < now);
        if is_over || times >= MAX_TIMES {
            return None;
        }
        let answer_by = self.dispatcher.again(frame, job.bytes as usize, now - sent, now)?;
        self.again.insert(frame, (times + 1, now));
        Some(answer_by)
    }

    /// What the edge, which has just answered, says of a frame that it may send on.
    pub(super) fn judged(&mut self, frame: usize) -> Option<EdgeAnswer> {
        let hardness = self.cascades.remove(&frame)?;
        let judged = (self.world.judge)(self.world.jobs[frame].image, &hardness);
        self.history.unjudged += u64::from(judged.is_none());
        judged
    }

    /// The first answer counts.
    pub(super) fn answer(&mut self, frame: usize, answer: Answer, now: Micros) {
        self.provisional.remove(&frame);
        self.history.frames[frame].answer.get_or_insert((answer, now));
    }

    /// A provisional answer becomes the answer, if there is none by now.
    pub(super) fn promote(&mut self, frame: usize, now: Micros) {
        if self.provisional.contains_key(&frame) {
            self.answer(frame, Answer::Done(Destination::Edge), now);
        }
    }

    /// A newer frame of its camera is served in this one's place.
    pub(super) fn overtaken(&mut self, frame: usize, now: Micros) {
        self.dispatcher.overtaken(frame, now);
        if self.provisional.contains_key(&frame) {
            self.promote(frame, now);
        } else {
            self.answer(frame, Answer::Overtaken, now);
        }
    }

    pub(super) fn watch_breakers(&mut self, now: Micros) {
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
