//! A trace of steps, each with its speed.

use crate::Micros;

/// Steps of constant speed, and the length after which they come again.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    /// Where each step begins; the first one at 0.
    starts: Vec<Micros>,
    /// Bytes per microsecond in each step.
    speeds: Vec<f64>,
    /// Bytes sent before each step, and in the whole period at the end.
    sent: Vec<f64>,
    period: Micros,
}

impl Rates {
    /// From steps (where each begins in microseconds, the first at 0, each later than the one
    /// before; Mbit/s) and where the last one ends. `None` when nothing is ever carried.
    pub(super) fn new(steps: Vec<(Micros, f64)>, period: Micros) -> Option<Self> {
        let starts: Vec<Micros> = steps.iter().map(|(start, _)| *start).collect();
        // 1 Mbit/s is 125,000 bytes a second
        let speeds: Vec<f64> = steps.iter().map(|(_, mbit_s)| mbit_s * 0.125).collect();
        let ends = starts.iter().skip(1).copied().chain([period]);
        let mut sent = vec![0.0];
        for ((start, end), speed) in starts.iter().zip(ends).zip(&speeds) {
            sent.push(sent[sent.len() - 1] + (end - start) as f64 * speed);
        }
        (sent[sent.len() - 1] > 0.0).then_some(Self { starts, speeds, sent, period })
    }

    pub(super) const fn period(&self) -> Micros {
        self.period
    }

    fn whole(&self) -> f64 {
        self.sent[self.starts.len()]
    }

    /// Bytes from the beginning of `moment`'s period to it.
    fn within(&self, moment: Micros) -> f64 {
        let within = moment % self.period;
        let step = self.starts.partition_point(|start| *start <= within) - 1;
        self.sent[step] + (within - self.starts[step]) as f64 * self.speeds[step]
    }

    pub(super) fn between(&self, from: Micros, to: Micros) -> f64 {
        let periods = to / self.period - from / self.period;
        (periods as f64 * self.whole() + self.within(to) - self.within(from)).max(0.0)
    }

    /// The first whole microsecond by which `bytes` have been sent.
    pub(super) fn finish(&self, start: Micros, bytes: f64) -> Micros {
        if bytes <= 0.0 {
            return start;
        }
        let target = self.within(start) + bytes;
        let mut periods = (target / self.whole()).floor();
        let mut rest = target - periods * self.whole();
        if rest <= 0.0 {
            // it is finished with the last byte of the period before, not with the first of this
            // one
            periods -= 1.0;
            rest = self.whole();
        }
        // the step in which the last byte leaves: the first one by whose end enough was sent
        let step = self.sent[1..].partition_point(|sent| *sent < rest).min(self.starts.len() - 1);
        let into = (rest - self.sent[step]) / self.speeds[step];
        let finish = (start / self.period + periods as u64) * self.period
            + self.starts[step]
            + into.ceil() as Micros;
        finish.max(start)
    }

    /// The same from `phase` on for `end`, and no faster than so many Mbit/s from each of these
    /// moments on; the first one is 0.
    pub(super) fn at_most(
        &self,
        phase: Micros,
        speeds: &[(Micros, f64)],
        end: Micros,
    ) -> Option<Self> {
        let mut steps: Vec<(Micros, f64)> = Vec::new();
        let (mut now, mut state) = (0, 0);
        while now < end {
            while speeds.get(state + 1).is_some_and(|(from, _)| *from <= now) {
                state += 1;
            }
            let moment = now + phase;
            let within = moment % self.period;
            let step = self.starts.partition_point(|start| *start <= within) - 1;
            // 1 Mbit/s is 0.125 bytes per microsecond
            let mbit_s = (self.speeds[step] / 0.125).min(speeds[state].1);
            if steps.last().is_none_or(|(_, last)| *last != mbit_s) {
                steps.push((now, mbit_s));
            }
            let step_ends = self.starts.get(step + 1).copied().unwrap_or(self.period);
            let state_ends = speeds.get(state + 1).map_or(end, |(from, _)| *from);
            now = (now + step_ends - within).min(state_ends).min(end);
        }
        Self::new(steps, end)
    }
}
