//! How fast the way to a tier is: round trip and throughput, learned from the answers alone.
//!
//! Frames go over the link one after the other. An answer that is seen at `t` after a service time
//! `s` means that the frame had left the link at about `t - s - rtt`; between the moment at which
//! it could begin (when it was sent, or when the frame before it had left) and that moment its
//! bytes went through. All times are those of one clock, the decider's.

use super::Recent;

/// Throughput is that of about the last second and a half in which bytes were on their way: links
/// change within seconds.
const FAST_MS: f64 = 500.0;
/// What an older answer counts of what the next one does, for telling the round trip from the
/// transfer: about the latest hundred.
const FORGETTING: f64 = 0.99;
/// Sizes that differ by less than this share of their average do not tell what a byte costs.
const LEAST_SPREAD: f64 = 0.05;
/// Among this many answers there is one that nothing held up.
const LATEST: usize = 64;
/// An answer cannot have come faster than this through the link; keeps sums away from 0,
/// milliseconds.
const LEAST_MS: f64 = 0.01;

#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Of a tier behind a link; a tier in the same place has none.
    present: bool,
    round_trip: RoundTrip,
    prior_rtt_ms: Option<f64>,
    throughput: Throughput,
    /// Whether an answer has told the throughput, so that a prior counts no more.
    measured: bool,
    /// When the latest answered frame had left the link, in milliseconds on the decider's clock.
    left_at: f64,
    /// When the latest answer was seen.
    seen: f64,
}

/// Bytes and the milliseconds that they took, older ones counting less.
#[derive(Clone, Copy, Debug, Default)]
struct Throughput {
    bytes: f64,
    ms: f64,
}

impl Throughput {
    /// `since` is how much time went by since the last time. Were it only that of the transfer, a
    /// link that has become ten times as fast would take ten times as many frames to be seen.
    fn add(&mut self, bytes: f64, ms: f64, since: f64) {
        let kept = (-since.max(0.0) / FAST_MS).exp();
        self.bytes = self.bytes * kept + bytes;
        self.ms = (self.ms * kept + ms).max(LEAST_MS);
    }

    fn bytes_per_ms(&self) -> Option<f64> {
        (self.bytes > 0.0).then(|| self.bytes / self.ms)
    }
}

/// What of a transit does not depend on the frame's size: a least-squares line through sizes and
/// transits of frames that found the link idle, older ones counting less; its value at size 0.
#[derive(Clone, Debug)]
struct RoundTrip {
    weight: f64,
    bytes: f64,
    transit: f64,
    bytes_bytes: f64,
    bytes_transit: f64,
    latest: Recent,
}

impl RoundTrip {
    fn new() -> Self {
        let latest = Recent::new(LATEST);
        Self { weight: 0.0, bytes: 0.0, transit: 0.0, bytes_bytes: 0.0, bytes_transit: 0.0, latest }
    }

    fn add(&mut self, bytes: f64, transit: f64) {
        let sums = [
            &mut self.weight,
            &mut self.bytes,
            &mut self.transit,
            &mut self.bytes_bytes,
            &mut self.bytes_transit,
        ];
        for (sum, value) in
            sums.into_iter().zip([1.0, bytes, transit, bytes * bytes, bytes * transit])
        {
            *sum = *sum * FORGETTING + value;
        }
        self.latest.push(transit);
    }

    fn ms(&self) -> Option<f64> {
        let least = self.latest.quantile(0.05)?;
        let (bytes, transit) = (self.bytes / self.weight, self.transit / self.weight);
        let variance = self.bytes_bytes / self.weight - bytes * bytes;
        if variance < (LEAST_SPREAD * bytes).powi(2) {
            // nothing tells the two apart, and then it makes no difference either
            return Some(least / 2.0);
        }
        let per_byte = ((self.bytes_transit / self.weight - bytes * transit) / variance).max(0.0);
        Some((transit - per_byte * bytes).clamp(0.0, least))
    }
}

impl Link {
    pub(crate) fn new(present: bool, prior_rtt_ms: Option<f64>, prior_mbit_s: Option<f64>) -> Self {
        let mut link = Self {
            present,
            round_trip: RoundTrip::new(),
            prior_rtt_ms,
            throughput: Throughput::default(),
            measured: false,
            left_at: f64::MIN,
            seen: 0.0,
        };
        link.believe(prior_rtt_ms, prior_mbit_s);
        link
    }

    /// Another prior; it counts as long as no answer has told more.
    pub(crate) fn believe(&mut self, prior_rtt_ms: Option<f64>, prior_mbit_s: Option<f64>) {
        self.prior_rtt_ms = prior_rtt_ms;
        if self.measured {
            return;
        }
        self.throughput = Throughput::default();
        if let Some(mbit_s) = prior_mbit_s {
            // believed as if it had been seen for a tenth of a second: it gives way soon
            let (ms, bytes_per_ms) = (100.0, mbit_s * 125.0);
            self.throughput.add(bytes_per_ms * ms, ms, 0.0);
        }
    }

    /// The way there and back without the transfer, in milliseconds.
    pub(crate) fn rtt_ms(&self) -> Option<f64> {
        if !self.present {
            return Some(0.0);
        }
        self.round_trip.ms().or(self.prior_rtt_ms)
    }

    /// In bytes per millisecond.
    pub(crate) fn throughput(&self) -> Option<f64> {
        self.throughput.bytes_per_ms()
    }

    /// An answer was seen at `seen` for a frame of `bytes` that was sent at `sent`, both in
    /// milliseconds.
    pub(crate) fn answered(&mut self, sent: f64, seen: f64, bytes: f64, service_ms: f64) {
        if !self.present {
            return;
        }
        let found_it_idle = sent >= self.left_at;
        if found_it_idle {
            self.round_trip.add(bytes, (seen - sent - service_ms).max(0.0));
        }
        let rtt = self.rtt_ms().unwrap_or(0.0);
        let left_at = seen - service_ms - rtt;
        // answers of several workers come out of order; the differences add up to the whole time
        // all the same
        let began = sent.max(self.left_at);
        let took = if found_it_idle { (left_at - began).max(LEAST_MS) } else { left_at - began };
        self.throughput.add(bytes, took, seen - self.seen);
        self.measured = true;
        self.seen = self.seen.max(seen);
        self.left_at = self.left_at.max(left_at);
    }

    /// The bytes of a frame that was sent at `sent` had left the link by `seen` less the round trip.
    pub(crate) fn passed(&mut self, sent: f64, seen: f64, bytes: f64) {
        if !self.present || self.rtt_ms().is_none() {
            return;
        }
        let left_at = seen - self.rtt_ms().unwrap_or(0.0);
        let took = (left_at - sent.max(self.left_at)).max(LEAST_MS);
        self.throughput.add(bytes, took, seen - self.seen);
        self.measured = true;
        self.seen = self.seen.max(seen);
        self.left_at = self.left_at.max(left_at);
    }

    /// When the bytes of a frame sent now would have left the link, on the decider's clock in
    /// milliseconds; `None` when the throughput is not known. `service_ms` is what an answer
    /// takes at the tier.
    pub(crate) fn leaves_at(
        &self,
        now: f64,
        bytes: f64,
        waiting: &Waiting,
        service_ms: f64,
    ) -> Option<f64> {
        if !self.present {
            return Some(now);
        }
        let rate = self.throughput()?;
        let began = waiting.first_sent.map_or(now, |sent| sent.max(self.left_at));
        let free_at = now.max(began + waiting.bytes / rate);
        let Some(Awaited { sent, bytes_until }) = waiting.awaited else {
            return Some(free_at + bytes / rate);
        };
        // nothing came for longer than the oldest frame should take: it has become slower
        let on_the_way = now - sent.max(self.left_at) - service_ms - self.rtt_ms().unwrap_or(0.0);
        if on_the_way <= bytes_until / rate {
            return Some(free_at + bytes / rate);
        }
        let slower = bytes_until / on_the_way;
        Some(free_at.max(now + (waiting.bytes - bytes_until) / slower) + bytes / slower)
    }
}

/// What is on its way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waiting {
    /// Of all frames without an answer.
    pub(crate) bytes: f64,
    /// When the oldest of them was sent, in milliseconds; `None` when there is none.
    pub(crate) first_sent: Option<f64>,
    /// The oldest one that somebody still waits for.
    pub(crate) awaited: Option<Awaited>,
}

/// A frame that somebody waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaited {
    /// When it was sent, in milliseconds.
    pub(crate) sent: f64,
    /// Its bytes and those of everything that was sent before it and has no answer.
    pub(crate) bytes_until: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of this speed with answers of one worker that takes 20 ms; frames every `every` ms.
    fn run(rate: f64, rtt: f64, every: f64, frames: usize) -> Link {
        let mut link = Link::new(true, None, None);
        let (mut free, mut worker, mut answers) = (0.0f64, 0.0f64, Vec::new());
        for n in 0..frames {
            let sent = n as f64 * every;
            let bytes = if n % 2 == 0 { 20_000.0 } else { 60_000.0 };
            free = free.max(sent) + bytes / rate;
            worker = worker.max(free + rtt / 2.0) + 20.0;
            answers.push((sent, worker + rtt / 2.0, bytes));
        }
        for (sent, seen, bytes) in answers {
            link.answered(sent, seen, bytes, 20.0);
        }
        link
    }

    #[test]
    fn throughput_and_round_trip_are_learned_from_answers() {
        // 1000 bytes/ms is 8 Mbit/s: 40 ms a frame on average
        for every in [500.0, 42.0, 30.0] {
            let link = run(1000.0, 30.0, every, 200);
            let (rate, rtt) = (link.throughput().unwrap(), link.rtt_ms().unwrap());
            assert!(
                (rate / 1000.0 - 1.0).abs() < 0.25,
                "{rate} bytes/ms with a frame every {every} ms"
            );
            assert!((10.0..=45.0).contains(&rtt), "{rtt} ms with a frame every {every} ms");
        }
    }

    #[test]
    fn silence_makes_it_slower_than_it_was() {
        let link = run(1000.0, 30.0, 500.0, 20);
        let sent = 10_000.0;
        let awaited = Some(Awaited { sent, bytes_until: 40_000.0 });
        let waiting = Waiting { bytes: 40_000.0, first_sent: Some(sent), awaited };
        let leaves_after =
            |ms: f64| link.leaves_at(sent + ms, 40_000.0, &waiting, 20.0).unwrap() - sent - ms;
        let (soon, late) = (leaves_after(10.0), leaves_after(2000.0));
        assert!(soon < 150.0, "{soon}");
        assert!(late > 1500.0, "{late}");
    }

    #[test]
    fn a_tier_in_the_same_place_has_no_link() {
        let link = Link::new(false, None, None);
        assert_eq!(
            (link.rtt_ms(), link.leaves_at(5.0, 1e6, &Waiting::default(), 20.0)),
            (Some(0.0), Some(5.0))
        );
    }

    #[test]
    fn nothing_is_known_before_the_first_answer_but_the_prior() {
        assert_eq!(Link::new(true, None, None).leaves_at(0.0, 1.0, &Waiting::default(), 0.0), None);
        let mut link = Link::new(true, Some(10.0), Some(80.0));
        link.believe(Some(40.0), Some(8.0));
        assert_eq!(link.rtt_ms(), Some(40.0));
        assert!(
            (link.leaves_at(0.0, 1000.0, &Waiting::default(), 0.0).unwrap() - 1.0).abs() < 1e-9
        );
    }
}
