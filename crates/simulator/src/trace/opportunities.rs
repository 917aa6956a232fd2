//! A trace of moments at which one packet each may leave, as mahimahi records them.
//!
//! <https://www.usenix.org/system/files/conference/atc15/atc15-paper-netravali.pdf>

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
}
