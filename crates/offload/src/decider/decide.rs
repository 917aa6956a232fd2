//! Deciding on a frame.

use super::in_flight::Pending;
use super::{Decided, Decider};
use crate::contracts::LOWER_RATE;
use crate::guards::{Permit, Verdict};
use crate::time::{duration, ms};
use crate::{Action, Choice, End, FrameFacts, Snapshot};
use frame::Destination::{self, Cloud};
use frame::{Order, Predicted, Timestamp};
use std::hash::Hash;

impl<K: Copy + Eq + Hash> Decider<K> {
    /// Decides on a frame, and notes that it is sent where the choice says.
    pub fn decide(&mut self, key: K, frame: &FrameFacts, now: Timestamp) -> Decided<K> {
        let at = ms(now);
        let with_terms = self.guards.contracts.with_terms(frame, at);
        let frame = with_terms.as_ref().unwrap_or(frame);
        let mut load = self.snapshot(frame.bytes, now);
        for tier in Destination::ALL {
            load[tier].shut = self.guards.breakers[tier].permits(at) == Permit::Refused;
        }
        let policy = self.policy.name().to_owned();
        let Verdict { choice, reserved, same_as } =
            self.guards.decide(frame, &load, self.policy.as_ref(), at);
        let mut answer_by = None;
        self.count_undispatched(frame, &choice, at);
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
        let (contract, order, weight) = match self.guards.contracts.served_by(frame) {
            Some((name, order, priority)) => (Some(name), order, priority),
            None => (None, Order::default(), 1),
        };
        Decided { choice, policy, predicted_ms, answer_by, same_as, contract, order, weight }
    }

    /// A frame that no tier gets has its end now.
    fn count_undispatched(&mut self, frame: &FrameFacts, choice: &Choice, at: f64) {
        let (contracts, terms) = (&mut self.guards.contracts, &frame.terms);
        match choice.action {
            Action::Skip => contracts.answered(terms, End::Done, frame.age_ms, at),
            Action::Expire if choice.reason == LOWER_RATE => contracts.set_aside(terms, at),
            Action::Expire => contracts.unanswered(terms, at),
            Action::Send(_) | Action::Cascade(_) => {}
        }
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
            self.guards.contracts.unanswered(&forgotten.frame.terms, at);
            self.withdraw(&forgotten, at);
            self.refund(&forgotten, at);
        }
    }
}
