//! Who decides on the frames of a simulation.

use crate::Micros;
use frame::{CameraId, ContractStanding, Destination, Order, Timestamp};
use offload::{
    Action, BreakerState, Capacity, Decider, FrameFacts, Policy, PolicyConfig, PolicyError,
    TakenTo, TierResult,
};
use std::time::Duration;

/// Where the preprocessor's clock stands when a simulation begins, so that ages of what was before
/// it do not underflow: an hour.
const EPOCH: Micros = 3_600_000_000;

/// What was decided on a frame.
#[derive(Clone, PartialEq, Debug)]
pub struct Routed {
    /// What becomes of it.
    pub action: Action,
    /// Why.
    pub reason: &'static str,
    /// After this moment without an answer [`Dispatcher::late`] is asked.
    pub answer_by: Option<Micros>,
    /// In how many milliseconds the tier that it goes to was expected to answer.
    pub predicted_ms: Option<f64>,
}

/// Decides on frames and hears what the preprocessor hears. Frames are numbered in the order in
/// which they came in.
pub trait Dispatcher {
    /// Decides on a frame, and takes it as sent.
    fn decide(&mut self, frame: usize, facts: &FrameFacts, now: Micros) -> Routed;

    /// A result is seen. After a provisional one: until when the cloud's is waited for; `None`:
    /// until the frame's deadline.
    fn result(&mut self, frame: usize, result: &TierResult, now: Micros) -> Option<Micros>;

    /// A frame's time for an answer is up, `waited` after it was sent to the cloud: whether it goes
    /// there again, and until when.
    fn again(
        &mut self,
        _frame: usize,
        _bytes: usize,
        _waited: Micros,
        _now: Micros,
    ) -> Option<Micros> {
        None
    }

    /// A frame's time for an answer is up, and it does not go to the cloud again: what becomes of
    /// it. `None`: it is waited for as before.
    fn late(&mut self, frame: usize, now: Micros) -> Option<TakenTo>;

    /// So many frames were sent to a tier and are not finished.
    fn lag(&mut self, tier: Destination, frames: u64);

    /// What a tier can do.
    fn capacity(&mut self, tier: Destination, capacity: Capacity);

    /// How a tier's circuit breaker stands.
    fn breaker(&mut self, tier: Destination, now: Micros) -> BreakerState;

    /// In which order the camera's waiting frames are served, and its weight beside others; `None`:
    /// all frames in the order in which they were sent.
    fn serving(&mut self, _camera: &CameraId) -> Option<(Order, u32)> {
        None
    }

    /// A newer frame of its camera was served in this one's place.
    fn overtaken(&mut self, _frame: usize, _now: Micros) {}

    /// How the contracts stand, since the beginning.
    fn contracts(&mut self, _now: Micros) -> Vec<ContractStanding> {
        Vec::new()
    }
}

/// Decides as the preprocessor does.
#[derive(Debug)]
pub struct Deciding(Decider<usize>);

impl Deciding {
    /// By a policy and its guards; `seed` is for the breakers' jitter.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: &PolicyConfig, seed: u64) -> Result<Self, PolicyError> {
        Decider::new(config, seed).map(Self)
    }

    /// By a policy of the caller's own, within the guards of a configuration.
    #[must_use]
    pub fn by(policy: Box<dyn Policy>, config: &PolicyConfig, seed: u64) -> Self {
        Self(Decider::with_policy(policy, config, seed))
    }
}

fn timestamp(moment: Micros) -> Timestamp {
    Timestamp::from_micros(EPOCH + moment)
}

const fn moment(timestamp: Timestamp) -> Micros {
    timestamp.as_micros().saturating_sub(EPOCH)
}

impl Dispatcher for Deciding {
    fn decide(&mut self, frame: usize, facts: &FrameFacts, now: Micros) -> Routed {
        let decided = self.0.decide(frame, facts, timestamp(now));
        Routed {
            predicted_ms: decided.choice.destination().and_then(|tier| decided.predicted_ms[tier]),
            answer_by: decided.answer_by.map(moment),
            reason: decided.choice.reason,
            action: decided.choice.action,
        }
    }

    fn result(&mut self, frame: usize, result: &TierResult, now: Micros) -> Option<Micros> {
        self.0.result(frame, result, timestamp(now)).map(moment)
    }

    fn again(&mut self, frame: usize, bytes: usize, waited: Micros, now: Micros) -> Option<Micros> {
        self.0.again(frame, bytes, Duration::from_micros(waited), timestamp(now)).map(moment)
    }

    fn late(&mut self, frame: usize, now: Micros) -> Option<TakenTo> {
        self.0.late(frame, timestamp(now))
    }

    fn lag(&mut self, tier: Destination, frames: u64) {
        self.0.lag(tier, Some(frames));
    }

    fn capacity(&mut self, tier: Destination, capacity: Capacity) {
        self.0.capacity(tier, capacity);
    }

    fn breaker(&mut self, tier: Destination, now: Micros) -> BreakerState {
        self.0.breaker(tier, timestamp(now))
    }

    fn serving(&mut self, camera: &CameraId) -> Option<(Order, u32)> {
        let weight = self.0.weight(camera)?;
        Some((self.0.order(camera), weight))
    }

    fn overtaken(&mut self, frame: usize, now: Micros) {
        self.0.overtaken(frame, timestamp(now));
    }

    fn contracts(&mut self, now: Micros) -> Vec<ContractStanding> {
        self.0.contracts(true, timestamp(now))
    }
}
