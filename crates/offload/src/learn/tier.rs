//! One tier as it is seen from the decider.

use super::{Awaited, Link, Recent, Service, TierPrior, Waiting};
use crate::{End, Measured, TierSnapshot};
use frame::Destination;
use std::collections::BTreeMap;

/// How many predictions are compared with what came of them.
const PREDICTIONS: usize = 64;
/// A margin covers all but one in ten of the latest errors.
const MARGIN_QUANTILE: f64 = 0.9;
/// Of a normal distribution: how many standard deviations its 95th percentile is away.
const Z95: f64 = 1.645;
/// A frame that was given up and never answered is forgotten after this time, milliseconds.
const FORGOTTEN_AFTER_MS: f64 = 60_000.0;

/// A result of a tier, as it is seen on the results topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TierResult {
    /// Who answered.
    pub tier: Destination,
    /// How it ended there.
    pub end: End,
    /// How long a worker was at it, in milliseconds; `None` when none was.
    pub service_ms: Option<f64>,
    /// Whether the frame goes on to the cloud, because it was hard.
    pub provisional: bool,
    /// What the edge measured of a frame that it may send on; `None` in all other results.
    pub measured: Option<Measured>,
    /// Of the cloud's answer to a frame that the edge has answered before: how far the edge's
    /// answer was from it, from 0 (the same) to 1 (nothing in common).
    pub loss: Option<f64>,
    /// And how many boxes the edge got wrong or missed by it.
    pub wrong: Option<f64>,
}

impl TierResult {
    /// A final answer by `tier`; what else is known is set on its fields.
    #[must_use]
    pub const fn done(tier: Destination, service_ms: Option<f64>) -> Self {
        let (measured, loss, wrong) = (None, None, None);
        Self { tier, end: End::Done, service_ms, provisional: false, measured, loss, wrong }
    }
}

/// What an orchestrator says of a tier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capacity {
    /// How many frames are worked on at a time; `None` when not known.
    pub workers: Option<u32>,
    /// Whether there will not be more workers, however great the load is; `None` when not known.
    pub at_maximum: Option<bool>,
}

/// A frame on its way to a tier and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    /// When it was sent, milliseconds.
    pub(crate) sent: f64,
    pub(crate) bytes: f64,
    pub(crate) predicted_ms: Option<f64>,
    /// Nobody waits for it any more, but its bytes are still in the way.
    given_up: bool,
}

/// What is known of one tier.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    service: Service,
    link: Link,
    /// In the order of sending.
    flights: BTreeMap<u64, Flight>,
    /// Of all flights.
    bytes: f64,
    /// Of them, those that nobody waits for.
    given_up: usize,
    last_result: Option<f64>,
    last_sent: Option<f64>,
    /// A frame was late, and nothing was answered since: what was known of the tier's speed is
    /// worth nothing.
    stalled: bool,
    /// What the broker says is not finished, and how many more of ours were sent than answered
    /// since then.
    lag: Option<(u64, i64)>,
    capacity: Capacity,
    prior_workers: Option<u32>,
    /// How much longer than predicted frames really took, in milliseconds; negative where it was
    /// less.
    errors: Recent,
}

impl Tier {
    pub(crate) fn new(tier: Destination, prior: &TierPrior) -> Self {
        Self {
            service: Service::new(prior.service_ms),
            link: Link::new(tier == Destination::Cloud, prior.rtt_ms, prior.mbit_s),
            flights: BTreeMap::new(),
            bytes: 0.0,
            given_up: 0,
            last_result: None,
            last_sent: None,
            stalled: false,
            lag: None,
            capacity: Capacity::default(),
            prior_workers: prior.workers,
            errors: Recent::new(PREDICTIONS),
        }
    }

    pub(crate) fn sent(&mut self, serial: u64, now: f64, bytes: usize, predicted_ms: Option<f64>) {
        let bytes = bytes as f64;
        self.last_sent = Some(now);
        self.flights.insert(serial, Flight { sent: now, bytes, predicted_ms, given_up: false });
        self.bytes += bytes;
        self.moved(1);
    }

    /// A result came in; gives the flight it ends, if it was known.
    pub(crate) fn answered(
        &mut self,
        serial: u64,
        now: f64,
        end: End,
        service_ms: Option<f64>,
    ) -> Option<Flight> {
        self.last_result = Some(now);
        self.stalled = self.stalled && !matches!(end, End::Done | End::Expired);
        if let Some(service_ms) = service_ms {
            self.service.observe(service_ms);
        }
        let Some(flight) = self.remove(serial) else {
            // of a frame that nobody waited for any more: the way is open again
            self.forget_given_up(u64::MAX);
            return None;
        };
        self.forget_given_up(serial);
        if end == End::Done
            && let Some(service_ms) = service_ms
        {
            self.link.answered(flight.sent, now, flight.bytes, service_ms);
            if let Some(predicted) = flight.predicted_ms {
                self.errors.push(now - flight.sent - predicted);
            }
        }
        if end == End::Expired {
            // taken up after its deadline: its bytes were through by now
            self.link.passed(flight.sent, now, flight.bytes);
        }
        Some(flight)
    }

    /// No answer came in time, and nobody waits for this frame any more.
    pub(crate) fn late(&mut self, serial: u64, now: f64) {
        self.stalled = true;
        self.give_up(serial, now);
    }

    /// Nobody waits for this frame any more.
    pub(crate) fn give_up(&mut self, serial: u64, now: f64) {
        if let Some(flight) = self.flights.get_mut(&serial)
            && !flight.given_up
        {
            flight.given_up = true;
            self.given_up += 1;
        }
        let forgotten = now - FORGOTTEN_AFTER_MS;
        while let Some((&oldest, _)) = self
            .flights
            .first_key_value()
            .filter(|(_, flight)| flight.given_up && flight.sent < forgotten)
        {
            self.remove(oldest);
        }
    }

    /// What was sent before this one and given up will not come any more, or it has come over the
    /// link at least.
    fn forget_given_up(&mut self, before: u64) {
        let older: Vec<u64> = self
            .flights
            .range(..before)
            .filter(|(_, flight)| flight.given_up)
            .map(|(old, _)| *old)
            .collect();
        for old in older {
            self.remove(old);
        }
    }

    fn remove(&mut self, serial: u64) -> Option<Flight> {
        let flight = self.flights.remove(&serial)?;
        // without flights there are no bytes: rounding does not add up over the years
        self.bytes = if self.flights.is_empty() { 0.0 } else { self.bytes - flight.bytes };
        if flight.given_up {
            self.given_up -= 1;
        }
        self.moved(-1);
        Some(flight)
    }

    fn moved(&mut self, by: i64) {
        if let Some((_, since)) = &mut self.lag {
            *since += by;
        }
    }

    /// Whether there is a frame without an answer that somebody waits for.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.flights.len() > self.given_up
    }

    /// In how many milliseconds the next answer should come of those that are waited for; `None`
    /// when nothing is known.
    pub(crate) fn next_answer_ms(&self, now: f64) -> Option<f64> {
        let one_frame = self.service.high_ms()? + self.link.rtt_ms().unwrap_or(0.0);
        let oldest = self.flights.values().find(|flight| !flight.given_up);
        let left = oldest.and_then(|flight| Some(flight.predicted_ms? - (now - flight.sent)));
        Some(one_frame.max(left.unwrap_or(0.0)))
    }

    /// Another prior; of each thing it counts as long as nothing was seen of that.
    pub(crate) fn believe(&mut self, prior: &TierPrior) {
        let TierPrior { service_ms, workers, rtt_ms, mbit_s } = *prior;
        self.service.believe(service_ms);
        self.link.believe(rtt_ms, mbit_s);
        self.prior_workers = workers;
    }

    /// The broker was asked.
    pub(crate) fn lag(&mut self, frames: Option<u64>) {
        self.lag = frames.map(|frames| (frames, 0));
    }

    pub(crate) fn capacity(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    /// How many frames are not finished there: those of ours without an answer, or more where the
    /// broker knows of others'.
    fn backlog(&self) -> u64 {
        let own = (self.flights.len() - self.given_up) as u64;
        let seen = self.lag.map_or(0, |(frames, since)| {
            frames.saturating_add_signed(since).saturating_sub(self.given_up as u64)
        });
        own.max(seen)
    }

    /// The tier as it is now, for a frame of this size.
    pub(crate) fn snapshot(&self, bytes: usize, price: f64, now: f64) -> TierSnapshot {
        let backlog = self.backlog();
        let own = (self.flights.len() - self.given_up) as u64;
        let of_others = self.bytes / self.flights.len().max(1) as f64 * (backlog - own) as f64;
        let predicted = self.predict(bytes as f64, backlog, now);
        TierSnapshot {
            backlog_frames: Some(backlog),
            backlog_bytes: Some((self.bytes + of_others) as u64),
            service_ms: self.service.average_ms(),
            service_p95_ms: self.service.high_ms(),
            workers: self.capacity.workers.or(self.prior_workers),
            at_maximum: self.capacity.at_maximum,
            rtt_ms: self.link.rtt_ms(),
            throughput_bytes_per_s: self.link.throughput().map(|rate| rate * 1000.0),
            last_result_ms: self.last_result.map(|seen| now - seen),
            last_sent_ms: self.last_sent.map(|sent| now - sent),
            shut: false,
            price,
            predicted_ms: predicted.map(|(expected, _)| expected),
            predicted_high_ms: predicted.map(|(_, high)| high),
        }
    }

    fn waiting(&self) -> Waiting {
        let mut bytes_until = 0.0;
        let mut awaited = None;
        for flight in self.flights.values() {
            bytes_until += flight.bytes;
            if !flight.given_up {
                awaited = Some(Awaited { sent: flight.sent, bytes_until });
                break;
            }
        }
        Waiting {
            bytes: self.bytes,
            first_sent: self.flights.first_key_value().map(|(_, flight)| flight.sent),
            awaited,
        }
    }

    /// In how many milliseconds a frame that is sent now is answered: as expected, and with a
    /// margin.
    fn predict(&self, bytes: f64, backlog: u64, now: f64) -> Option<(f64, f64)> {
        if self.stalled {
            return None;
        }
        let service = self.service.average_ms()?;
        let deviation = (self.service.high_ms()? - service) / Z95;
        let workers = f64::from(self.capacity.workers.or(self.prior_workers).unwrap_or(1).max(1));
        let waiting = self.waiting();
        let first = waiting.awaited;
        let on_the_link = self.link.leaves_at(now, bytes, &waiting, service)? - now;
        // frames that must be finished before a worker is free for this one; the workers finish one
        // every service/workers
        let before = (backlog as f64 - workers + 1.0).max(0.0);
        let under_way =
            first.map_or(0.0, |first| now - first.sent.max(self.last_result.unwrap_or(f64::MIN)));
        let in_the_queue =
            (before * service / workers - under_way.clamp(0.0, service / workers)).max(0.0);
        // they come over the link while others are worked on: what takes longer counts
        let expected = on_the_link.max(in_the_queue) + self.link.rtt_ms().unwrap_or(0.0) + service;
        let spread = Z95 * deviation * (1.0 + before / (workers * workers)).sqrt();
        let margin = self.errors.quantile(MARGIN_QUANTILE).unwrap_or(0.0);
        Some((expected, expected + spread.max(margin)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(service_ms: f64, workers: u32) -> Tier {
        let mut tier = Tier::new(
            Destination::Edge,
            &TierPrior { service_ms: Some(service_ms), ..TierPrior::default() },
        );
        tier.capacity(Capacity { workers: Some(workers), at_maximum: None });
        tier
    }

    #[test]
    fn a_queue_is_shared_by_the_workers() {
        let mut tier = edge(80.0, 2);
        assert_eq!(tier.snapshot(1000, 0.0, 0.0).predicted_ms, Some(80.0));
        for serial in 0..6 {
            tier.sent(serial, 0.0, 1000, None);
        }
        // five of six must be finished, one every 40 ms
        assert_eq!(tier.snapshot(1000, 0.0, 0.0).predicted_ms, Some(280.0));
        assert_eq!(tier.snapshot(1000, 0.0, 30.0).predicted_ms, Some(250.0));
        let snapshot = tier.snapshot(1000, 0.0, 0.0);
        assert_eq!((snapshot.backlog_frames, snapshot.backlog_bytes), (Some(6), Some(6000)));
    }

    #[test]
    fn frames_of_others_count_by_the_brokers_lag() {
        let mut tier = edge(10.0, 1);
        tier.lag(Some(20));
        assert_eq!(tier.snapshot(1, 0.0, 0.0).backlog_frames, Some(20));
        tier.sent(1, 0.0, 1000, None);
        assert_eq!(tier.snapshot(1, 0.0, 0.0).backlog_frames, Some(21));
        tier.answered(1, 10.0, End::Done, Some(10.0));
        assert_eq!(tier.snapshot(1, 0.0, 0.0).backlog_frames, Some(20));
        tier.lag(None);
        assert_eq!(tier.snapshot(1, 0.0, 0.0).backlog_frames, Some(0));
    }

    #[test]
    fn bytes_given_up_stay_in_the_way_until_a_later_answer() {
        let mut tier = Tier::new(Destination::Cloud, &TierPrior::default());
        tier.sent(1, 0.0, 1000, None);
        tier.sent(2, 1.0, 500, None);
        tier.give_up(1, 100.0);
        tier.give_up(1, 100.0);
        let snapshot = tier.snapshot(1, 0.0, 100.0);
        assert_eq!((snapshot.backlog_frames, snapshot.backlog_bytes), (Some(1), Some(1500)));
        assert!(tier.answered(2, 120.0, End::Done, Some(10.0)).is_some());
        let snapshot = tier.snapshot(1, 0.0, 120.0);
        assert_eq!(
            (snapshot.backlog_frames, snapshot.backlog_bytes, snapshot.last_result_ms),
            (Some(0), Some(0), Some(0.0))
        );
        assert!(tier.answered(1, 130.0, End::Done, Some(10.0)).is_none());
    }

    #[test]
    fn after_a_late_frame_nothing_is_predicted_for_a_while() {
        let mut tier = Tier::new(
            Destination::Cloud,
            &TierPrior { mbit_s: Some(8.0), service_ms: Some(20.0), ..TierPrior::default() },
        );
        tier.sent(1, 0.0, 1000, None);
        assert!(tier.snapshot(1000, 0.0, 1.0).predicted_ms.is_some());
        tier.late(1, 500.0);
        let snapshot = tier.snapshot(1000, 0.0, 510.0);
        assert_eq!((snapshot.predicted_ms, snapshot.backlog_frames), (None, Some(0)));
        tier.sent(2, 520.0, 1000, None);
        tier.answered(2, 580.0, End::Done, Some(20.0));
        assert!(tier.snapshot(1000, 0.0, 590.0).predicted_ms.is_some());
    }

    #[test]
    fn what_nobody_answers_is_forgotten() {
        let mut tier = Tier::new(Destination::Cloud, &TierPrior::default());
        for serial in 0..10 {
            tier.sent(serial, 0.0, 1000, None);
            tier.give_up(serial, 10.0);
        }
        tier.sent(11, 90_000.0, 1000, None);
        tier.give_up(11, 90_010.0);
        assert_eq!(tier.snapshot(1, 0.0, 90_020.0).backlog_bytes, Some(1000));
    }

    #[test]
    fn nothing_is_predicted_of_a_tier_that_never_answered() {
        let tier = Tier::new(Destination::Cloud, &TierPrior::default());
        let snapshot = tier.snapshot(1000, 0.5, 0.0);
        assert_eq!(
            (snapshot.predicted_ms, snapshot.last_result_ms, snapshot.price),
            (None, None, 0.5)
        );
    }
}
