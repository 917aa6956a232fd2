//! What becomes of a frame: results, and whatever else ends it.

use super::Decider;
use super::in_flight::Pending;
use crate::learn::TierResult;
use crate::time::ms;
use crate::{End, FrameFacts, Snapshot, Terms, TierSnapshot};
use frame::Destination::{self, Cloud, Edge};
use frame::{CameraId, Timestamp};
use std::hash::Hash;

impl<K: Copy + Eq + Hash> Decider<K> {
    /// A result was seen. When the frame goes on to the cloud after a provisional one, gives the
    /// moment at which it is to be taken back.
    pub fn result(&mut self, key: K, result: &TierResult, now: Timestamp) -> Option<Timestamp> {
        let at = ms(now);
        let is_provisional = |pending: &Pending| pending.provisional && result.tier == Edge;
        if self.in_flight.get(key).is_some_and(is_provisional) {
            // the edge's answer again, made final by whoever did not want to wait for the cloud:
            // nothing new of the edge
            if !result.provisional {
                self.late(key, now);
            }
            return None;
        }
        let flight = self.in_flight.get(key).and_then(|pending| pending.flights[result.tier]);
        self.observe(flight, result, at);
        if result.provisional {
            if let Some(pending) = self.in_flight.get(key) {
                let took_ms = pending.frame.age_ms + at - pending.decided;
                let terms = pending.frame.terms;
                self.guards.contracts.answered(&terms, result.end, took_ms, at);
            }
            let answer_by = self.escalate(key, now);
            if let (Some(pending), Some(measured)) = (self.in_flight.get_mut(key), result.measured)
            {
                pending.measured = Some(measured);
                self.policy.measured(&pending.frame, &pending.choice, &measured);
            }
            return answer_by;
        }
        let mut pending = self.in_flight.remove(key)?;
        pending.measured = pending.measured.or(result.measured);
        (pending.loss, pending.wrong) = (result.loss, result.wrong);
        if !pending.provisional {
            let took_ms = pending.frame.age_ms + at - pending.decided;
            self.guards.contracts.answered(&pending.frame.terms, result.end, took_ms, at);
        }
        let elsewhere = result.tier != pending.first && !pending.provisional;
        if let (true, Some(flight)) = (elsewhere, pending.flights.cloud) {
            // another process has taken the frame back
            self.tiers.cloud.late(flight, at);
        }
        self.withdraw(&pending, at);
        if result.tier == Edge {
            self.refund(&pending, at);
        }
        if result.end != End::Done {
            self.guards.motion.did_not_detect(&pending.frame.camera, key);
        }
        if let Some(measured) = &result.measured {
            self.policy.measured(&pending.frame, &pending.choice, measured);
        }
        self.learn(&pending, if elsewhere { End::Late } else { result.end }, at);
        None
    }

    /// The frame was answered without a tier, e.g. because somebody saw it expire.
    pub fn ended_elsewhere(&mut self, key: K, now: Timestamp) {
        if let Some(pending) = self.in_flight.remove(key) {
            if !pending.provisional {
                self.guards.contracts.unanswered(&pending.frame.terms, ms(now));
            }
            self.ended_untold(&pending, key, now);
        }
    }

    /// A newer frame of its camera was served in its place, where it waited.
    pub fn overtaken(&mut self, key: K, now: Timestamp) {
        if let Some(pending) = self.in_flight.remove(key) {
            if !pending.provisional {
                self.guards.contracts.set_aside(&pending.frame.terms, ms(now));
            }
            self.ended_untold(&pending, key, now);
        }
    }

    /// A frame of this camera has ended before it was decided on: a newer one overtook it, or else
    /// its deadline had gone by.
    pub fn undecided(&mut self, camera: &CameraId, overtaken: bool, now: Timestamp) {
        self.guards.contracts.undecided(camera, overtaken, ms(now));
    }

    /// The end of a frame that says nothing of the tier.
    fn ended_untold(&mut self, pending: &Pending, key: K, now: Timestamp) {
        self.withdraw(pending, ms(now));
        self.refund(pending, ms(now));
        self.guards.motion.did_not_detect(&pending.frame.camera, key);
    }

    /// What a result tells of its tier. Of a frame that is not known here (another process sent
    /// it), how long it took is still worth knowing.
    fn observe(&mut self, flight: Option<u64>, result: &TierResult, at: f64) {
        let tier = &mut self.tiers[result.tier];
        tier.answered(flight.unwrap_or(u64::MAX), at, result.end, result.service_ms);
        match result.end {
            End::Done | End::Failed => {
                let still_waiting = tier.is_waited_for().then(|| (at, tier.next_answer_ms(at)));
                self.guards.breakers[result.tier].answered(still_waiting);
            }
            // it came too late for this frame, but it came over the link
            End::Expired if result.tier == Cloud => {
                let still_waiting = tier.is_waited_for().then(|| (at, tier.next_answer_ms(at)));
                self.guards.breakers.cloud.answered(still_waiting);
            }
            End::Expired | End::Late => {}
        }
    }

    /// The edge found the frame hard: it is on its way to the cloud now.
    fn escalate(&mut self, key: K, now: Timestamp) -> Option<Timestamp> {
        let at = ms(now);
        let flight = self.in_flight.get(key).is_some().then(|| self.in_flight.next_flight())?;
        let pending = self.in_flight.get_mut(key)?;
        pending.provisional = true;
        pending.flights.edge = None;
        pending.flights.cloud = Some(flight);
        let terms = Terms { left_ms: None, ..pending.frame.terms };
        let without_deadline =
            FrameFacts { deadline_left_ms: None, terms, ..pending.frame.clone() };
        let bytes = without_deadline.bytes;
        let load = self.snapshot(bytes, now);
        self.tiers.cloud.sent(flight, at, bytes, load.cloud.predicted_ms);
        self.guards.breakers.cloud.sent(at, load.cloud.predicted_high_ms);
        self.answer_by(&without_deadline, &without_edge(load), now)
    }

    /// What was reserved for the cloud and not spent there.
    pub(super) fn refund(&mut self, pending: &Pending, at: f64) {
        if let (Some(cost), None) = (pending.reserved, pending.flights.cloud)
            && let Some(budget) = self.guards.budget_of(&pending.frame)
        {
            budget.give_back(&pending.frame.camera, cost, at);
        }
    }

    /// The frame is answered: its flights are not waited for any more.
    pub(super) fn withdraw(&mut self, pending: &Pending, at: f64) {
        for tier in Destination::ALL {
            if let Some(flight) = pending.flights[tier] {
                self.tiers[tier].give_up(flight, at);
            }
        }
    }

    /// Tells the policy, if it has not been told before; the last thing that is done.
    pub(super) fn learn(&mut self, pending: &Pending, end: End, at: f64) {
        if !pending.learned {
            self.policy.learn(&pending.outcome(end, at));
        }
    }
}

/// What is known, but of the edge's queue.
pub(super) fn without_edge(load: Snapshot) -> Snapshot {
    let edge = TierSnapshot { predicted_ms: None, predicted_high_ms: None, ..load.edge };
    Snapshot { edge, ..load }
}
