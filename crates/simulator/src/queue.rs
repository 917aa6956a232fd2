//! The frames that wait for a tier.

use crate::Micros;
use frame::{CameraId, Order};
use offload::FairQueue;
use std::collections::{HashMap, VecDeque};

/// More frames than a simulation has never wait.
const MAX_WAITING: usize = usize::MAX;

/// A frame that waits for a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Waiting {
    pub(crate) site: usize,
    pub(crate) frame: usize,
    /// Whoever takes it up after this moment passes it over.
    pub(crate) answer_by: Option<Micros>,
}

/// A frame that nobody works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LeftOut {
    /// A newer one of its camera is served in its place.
    Overtaken(Waiting),
    /// Its time is over.
    Over(Waiting),
}

/// First come, first served; or, with contracts, each camera by its weight.
#[derive(Debug)]
pub(crate) struct Queue {
    in_order: VecDeque<Waiting>,
    fair: FairQueue<(Waiting, CameraId)>,
    /// The newest frame of each camera that is served newest first.
    newest: HashMap<CameraId, usize>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        let (in_order, fair) = (VecDeque::new(), FairQueue::new(MAX_WAITING));
        Self { in_order, fair, newest: HashMap::new() }
    }

    /// A frame comes; `serving` says how its camera is served.
    pub(crate) fn push(
        &mut self,
        waiting: Waiting,
        camera: &CameraId,
        serving: Option<(Order, u32)>,
    ) {
        let Some((order, weight)) = serving else { return self.in_order.push_back(waiting) };
        if order == Order::Newest {
            let newest = self.newest.entry(camera.clone()).or_default();
            *newest = waiting.frame.max(*newest);
        }
        if let Err((waiting, _)) = self.fair.push(camera, weight, (waiting, camera.clone())) {
            self.in_order.push_back(waiting);
        }
    }

    /// The next frame. With contracts, those that were overtaken, and those of which `is_over`
    /// says that nobody works on them, cost their cameras nothing: they go into `left_out`.
    pub(crate) fn pop(
        &mut self,
        is_over: impl Fn(&Waiting) -> bool,
        left_out: &mut Vec<LeftOut>,
    ) -> Option<Waiting> {
        if let Some(waiting) = self.in_order.pop_front() {
            return Some(waiting);
        }
        let newest = &self.newest;
        let is_old = |waiting: &Waiting, camera: &CameraId| {
            newest.get(camera).is_some_and(|newest| *newest > waiting.frame)
        };
        let mut passed_over = Vec::new();
        let next = self
            .fair
            .pop(|(waiting, camera)| is_old(waiting, camera) || is_over(waiting), &mut passed_over);
        left_out.extend(passed_over.into_iter().map(|(waiting, camera)| {
            if is_old(&waiting, &camera) {
                LeftOut::Overtaken(waiting)
            } else {
                LeftOut::Over(waiting)
            }
        }));
        next.map(|(waiting, _)| waiting)
    }
}
