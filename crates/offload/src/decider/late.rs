//! Frames that the cloud does not answer in time: how long they are waited for, and what becomes of
//! them.

use super::result::without_edge;
use super::{Decider, TakenTo};
use crate::guards::BreakerState;
use crate::time::{duration, ms};
use crate::{End, Snapshot};
use frame::Timestamp;
use std::hash::Hash;
use std::time::Duration;

impl<K: Copy + Eq + Hash> Decider<K> {
    /// How long the cloud is waited for; `None` when frames are not taken back.
    #[must_use]
    pub fn cloud_patience(&self, bytes: usize, now: Timestamp) -> Option<Duration> {
        self.patience_ms(&self.snapshot(bytes, now)).map(duration)
    }

    /// The same for a frame that the edge has answered provisionally: it need not wait there again.
    #[must_use]
    pub fn provisional_patience(&self, bytes: usize, now: Timestamp) -> Option<Duration> {
        self.patience_ms(&without_edge(self.snapshot(bytes, now))).map(duration)
    }

    fn patience_ms(&self, load: &Snapshot) -> Option<f64> {
        self.config.redispatch.patience_ms(load, self.cloud_answers(load))
    }

    /// Whether somebody's frame was answered by the cloud lately.
    pub(super) fn cloud_answers(&self, load: &Snapshot) -> bool {
        load.cloud.last_result_ms.is_some_and(|ms| ms <= self.config.breaker.silence_ms)
    }

    /// A frame of `bytes` got no answer of the cloud for `waited`. When the cloud answers others,
    /// and this one sooner than the edge would, it goes there again: gives the moment at which
    /// it is to be taken back then. `None`: it is to be taken back now.
    ///
    /// A tier that is cut off answers nobody; one that has too much to do must not get rid of it at
    /// one that has more.
    pub fn again(
        &mut self,
        key: K,
        bytes: usize,
        waited: Duration,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let at = ms(now);
        let load = self.snapshot(bytes, now);
        let has_waited = self.config.redispatch.is_over(waited);
        let answers = self.cloud_answers(&load);
        let is_closed = self.guards.breakers.cloud.state(at) == BreakerState::Closed;
        let sooner = load.cloud.predicted_ms? < load.edge.predicted_ms?;
        if !(has_waited && answers && is_closed && sooner) {
            return None;
        }
        if let Some(pending) = self.in_flight.get(key) {
            if pending.provisional || pending.flights.edge.is_some() {
                return None;
            }
            let flight = self.in_flight.next_flight();
            let before = self.in_flight.get_mut(key)?.flights.cloud.replace(flight);
            if let Some(before) = before {
                self.tiers.cloud.give_up(before, at);
            }
            self.tiers.cloud.sent(flight, at, bytes, load.cloud.predicted_ms);
            self.guards.breakers.cloud.sent(at, load.cloud.predicted_high_ms);
        }
        Some(now + duration(self.patience_ms(&load)?))
    }

    /// The cloud did not answer in time: the frame goes to the edge, or its provisional answer
    /// counts. It is `None` when the frame is known to have been answered.
    ///
    /// When the policy panics over this lesson, a second call goes without it.
    pub fn late(&mut self, key: K, now: Timestamp) -> Option<TakenTo> {
        let at = ms(now);
        let pending = self.in_flight.get_mut(key)?;
        self.tiers.cloud.late(pending.flights.cloud?, at);
        if !pending.provisional && pending.flights.edge.is_some() {
            return None;
        }
        if !std::mem::replace(&mut pending.learned, true) {
            let outcome = pending.outcome(End::Late, at);
            self.policy.learn(&outcome);
        }
        if pending.provisional {
            self.in_flight.remove(key);
            return Some(TakenTo::Provisional);
        }
        let bytes = pending.frame.bytes;
        let flight = self.in_flight.next_flight();
        self.in_flight.get_mut(key)?.flights.edge = Some(flight);
        self.tiers.edge.sent(flight, at, bytes, None);
        self.guards.breakers.edge.sent(at, None);
        Some(TakenTo::Edge)
    }

    /// The cloud did not answer in time, and then the frame's deadline had gone by.
    pub fn late_and_expired(&mut self, key: K, now: Timestamp) {
        let at = ms(now);
        let Some(pending) = self.in_flight.remove(key) else { return };
        if let Some(flight) = pending.flights.cloud {
            self.tiers.cloud.late(flight, at);
        }
        if !pending.provisional {
            self.guards.contracts.unanswered(&pending.frame.terms, at);
        }
        self.withdraw(&pending, at);
        self.guards.motion.did_not_detect(&pending.frame.camera, key);
        self.learn(&pending, End::Late, at);
    }
}
