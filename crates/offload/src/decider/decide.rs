//! Deciding on a frame.

use super::in_flight::Pending;
use super::{Decided, Decider};
use crate::guards::{Permit, Verdict};
use crate::time::{duration, ms};
use crate::{FrameFacts, Snapshot};
use frame::Destination::{self, Cloud};
use frame::{Predicted, Timestamp};
use std::hash::Hash;

impl<K: Copy + Eq + Hash> Decider<K> {
    /// Decides on a frame, and notes that it is sent where the choice says.
    pub fn decide(&mut self, key: K, frame: &FrameFacts, now: Timestamp) -> Decided<K> {
        let at = ms(now);
        let mut load = self.snapshot(frame.bytes, now);
        for tier in Destination::ALL {
            load[tier].shut = self.guards.breakers[tier].permits(at) == Permit::Refused;
        }
        let policy = self.policy.name().to_owned();
        let Verdict { choice, reserved, same_as } =
            self.guards.decide(frame, &load, self.policy.as_ref(), at);
        let mut answer_by = None;
        if let Some(first) = choice.destination() {
            self.guards.motion.detects(&frame.camera, key, at);
            if first == Cloud {
                answer_by = self.answer_by(frame, &load, now);
            }
            let flight = self.in_flight.next_flight();
            let pending = Pending::new((frame, load, &choice), first, reserved, flight, at);
            self.dispatch(key, pending, flight, at);
        }
        let predicted_ms = Predicted::from_fn(|tier| load[tier].predicted_ms);
        Decided { choice, policy, predicted_ms, answer_by, same_as }
    }

    /// When a frame in the cloud is to be taken back.
    pub(super) fn answer_by(
        &self,
        frame: &FrameFacts,
        load: &Snapshot,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let within = self.config.redispatch;
        let within_ms = within.answer_within_ms(frame, load, self.cloud_answers(load))?;
        Some(now + duration(within_ms))
    }

    /// The frame is sent to its first tier.
    fn dispatch(&mut self, key: K, pending: Pending, flight: u64, at: f64) {
        let first = pending.first;
        let expected = pending.load[first];
        self.tiers[first].sent(flight, at, pending.frame.bytes, expected.predicted_ms);
        self.guards.breakers[first].sent(at, expected.predicted_high_ms);
        for forgotten in self.in_flight.insert(key, pending) {
            self.withdraw(&forgotten, at);
            self.refund(&forgotten, at);
        }
    }
}
