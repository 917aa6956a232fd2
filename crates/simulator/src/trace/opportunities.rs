//! A trace of moments at which one packet each may leave, as mahimahi records them.
//!
//! <https://www.usenix.org/system/files/conference/atc15/atc15-paper-netravali.pdf>

use super::PACKET_BYTES;
use crate::Micros;

/// Sorted moments and the length after which they come again.
#[derive(Clone, Debug)]
pub(super) struct Opportunities {
    at: Vec<Micros>,
    period: Micros,
}

impl Opportunities {
    /// From sorted milliseconds. Those within one millisecond are spread evenly over it, so that no
    /// two are at the same moment; the trace ends with the millisecond of the last one. `None`
    /// when there is none.
    pub(super) fn new(milliseconds: &[u64]) -> Option<Self> {
        let last = *milliseconds.last()?;
        let at = milliseconds
            .chunk_by(|a, b| a == b)
            .flat_map(|same| {
                (0..same.len() as u64).map(|i| same[0] * 1000 + i * 1000 / same.len() as u64)
            })
            .collect();
        Some(Self { at, period: (last + 1) * 1000 })
    }

    pub(super) const fn period(&self) -> Micros {
        self.period
    }

    /// How many there are before `moment`.
    fn before(&self, moment: Micros) -> u64 {
        let (cycle, within) = (moment / self.period, moment % self.period);
        cycle * self.at.len() as u64 + self.at.partition_point(|at| *at < within) as u64
    }

    pub(super) fn between(&self, from: Micros, to: Micros) -> u64 {
        self.before(to).saturating_sub(self.before(from))
    }

    /// The moment after the last of `packets` opportunities from `start` on.
    pub(super) fn finish(&self, start: Micros, packets: u64) -> Micros {
        if packets == 0 {
            return start;
        }
        let (index, n) = (self.before(start) + packets - 1, self.at.len() as u64);
        // the next packet may not take the same opportunity: it begins a microsecond later
        index / n * self.period + self.at[(index % n) as usize] + 1
    }

    /// Those from `phase` on for `end` that a bucket has a token for: it fills at the speed that
    /// holds (Mbit/s, from each of these moments on) and holds what comes in a `window`, one packet
    /// at least.
    pub(super) fn at_most(
        &self,
        phase: Micros,
        speeds: &[(Micros, f64)],
        window: Micros,
        end: Micros,
    ) -> Option<Self> {
        let mut state = 0;
        // in packets, and packets per microsecond
        let (mut tokens, mut last) = (1.0_f64, 0);
        let speed = |state: usize| speeds[state].1 * 0.125 / PACKET_BYTES as f64;
        let n = self.at.len() as u64;
        let moments = (self.before(phase)..)
            .map(|index| index / n * self.period + self.at[(index % n) as usize] - phase)
            .take_while(|moment| *moment < end);
        let is_taken = |moment: &Micros| {
            while speeds.get(state + 1).is_some_and(|(from, _)| from <= moment) {
                state += 1;
            }
            let speed = speed(state);
            if speed.is_infinite() {
                (tokens, last) = (1.0, *moment);
                return true;
            }
            let most = (speed * window as f64).max(1.0);
            tokens = (tokens + speed * (moment - last) as f64).min(most);
            last = *moment;
            let taken = tokens >= 1.0;
            tokens -= if taken { 1.0 } else { 0.0 };
            taken
        };
        let at: Vec<Micros> = moments.filter(is_taken).collect();
        (!at.is_empty()).then_some(Self { at, period: end })
    }
}
