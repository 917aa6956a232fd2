//! The way from the edge to the cloud and back.

mod loss;

pub use loss::{InvalidOutages, Loss, Outages};

use crate::{Micros, Scenario, Trace};
use loss::Losses;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// What comes by chance is drawn for so much longer than frames come in.
const AFTERWARDS_S: f64 = 60.0;
/// Losses begin anew after so long, since the trace with them is kept as a whole (six hours of a
/// packet a millisecond take 170 MB), in microseconds.
const LONGEST_LOSSES: Micros = 6 * 3_600_000_000;

/// A span in which nothing gets through, in either direction. Written `300s+60s`: from second 300
/// on for 60 seconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cut {
    /// When it begins, in seconds from the start.
    pub from_s: f64,
    /// How long it lasts, in seconds.
    pub for_s: f64,
}

/// A text that is no cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a cut: write its beginning and its length in seconds, such as 300s+60s")]
pub struct InvalidCut(String);

impl Cut {
    pub(crate) fn from(&self) -> Micros {
        (self.from_s * 1e6) as Micros
    }

    pub(crate) fn until(&self) -> Micros {
        ((self.from_s + self.for_s) * 1e6) as Micros
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s+{}s", self.from_s, self.for_s)
    }
}

impl FromStr for Cut {
    type Err = InvalidCut;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = |part: &str| {
            let part = part.trim();
            // a year at most: microseconds must not overflow
            part.strip_suffix('s')
                .unwrap_or(part)
                .parse()
                .ok()
                .filter(|seconds| (0.0..=31_536_000.0).contains(seconds))
        };
        let parts = text
            .split_once('+')
            .and_then(|(from, length)| Some((seconds(from)?, seconds(length)?)));
        match parts {
            Some((from_s, for_s)) if for_s > 0.0 => Ok(Self { from_s, for_s }),
            _ => Err(InvalidCut(text.into())),
        }
    }
}

impl TryFrom<String> for Cut {
    type Error = InvalidCut;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Cut> for String {
    fn from(cut: Cut) -> Self {
        cut.to_string()
    }
}

/// A trace, less its cuts and losses, and the time that light needs.
#[derive(Clone, Debug)]
pub(crate) struct Uplink<'a> {
    trace: Cow<'a, Trace>,
    /// Where in the trace time begins.
    phase: Micros,
    /// Sorted and apart from each other.
    cuts: Vec<(Micros, Micros)>,
    one_way: Micros,
    losses: Option<Losses>,
}

impl<'a> Uplink<'a> {
    /// The uplink of a scenario over this trace, with everything that the scenario's seed decides.
    pub(crate) fn of(trace: &'a Trace, scenario: &Scenario) -> Self {
        let setup = &scenario.uplink;
        let end = ((scenario.minutes * 60.0 + AFTERWARDS_S) * 1e6) as Micros;
        let mut spans: Vec<_> = setup.cuts.iter().map(|cut| (cut.from(), cut.until())).collect();
        spans.extend(loss::outages(scenario, end));
        let phase = (setup.phase_s * 1e6) as Micros;
        let mut uplink = Self { phase, ..Self::over(trace, spans, setup.rtt_ms) };
        let end = end.min(LONGEST_LOSSES);
        if let Some(losses) = Losses::of(scenario, end) {
            // TCP always gets something through: the trace carries something as before
            if let Some(slower) = trace.at_most(phase, &losses.speeds(), losses.rtt(), end) {
                (uplink.trace, uplink.phase) = (Cow::Owned(slower), 0);
            }
            uplink.losses = Some(losses);
        }
        uplink
    }

    /// One that loses nothing.
    #[cfg(test)]
    pub(crate) fn new(trace: &'a Trace, cuts: &[Cut], rtt_ms: f64) -> Self {
        Self::over(trace, cuts.iter().map(|cut| (cut.from(), cut.until())).collect(), rtt_ms)
    }

    fn over(trace: &'a Trace, mut spans: Vec<(Micros, Micros)>, rtt_ms: f64) -> Self {
        spans.sort_unstable();
        let mut cuts: Vec<(Micros, Micros)> = Vec::new();
        for (from, until) in spans {
            match cuts.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => cuts.push((from, until)),
            }
        }
        let one_way = (rtt_ms * 500.0).round() as Micros;
        Self { trace: Cow::Borrowed(trace), phase: 0, cuts, one_way, losses: None }
    }

    /// Half a round trip.
    pub(crate) const fn one_way(&self) -> Micros {
        self.one_way
    }

    /// `moment`, or the end of the cut in which it lies.
    fn uncut(&self, moment: Micros) -> Micros {
        let after = self.cuts.partition_point(|(_, until)| *until <= moment);
        let cut = self.cuts.get(after).filter(|(from, _)| *from <= moment);
        cut.map_or(moment, |(_, until)| *until)
    }

    /// When so many units have left, if there were no cuts.
    fn finish(&self, start: Micros, units: f64) -> Micros {
        self.trace.finish(start + self.phase, units) - self.phase
    }

    /// How many units can leave from one moment to another, if there were no cuts.
    fn between(&self, from: Micros, to: Micros) -> f64 {
        self.trace.between(from + self.phase, to + self.phase)
    }

    /// When the last byte has left, if the first one waits from `start` on. Never earlier for a
    /// later `start`.
    pub(crate) fn sent(&self, start: Micros, bytes: u64) -> Micros {
        let mut start = self.uncut(start);
        let mut rest = self.trace.units(bytes);
        let next = self.cuts.partition_point(|(from, _)| *from < start);
        for (from, until) in &self.cuts[next..] {
            if self.finish(start, rest) <= *from {
                break;
            }
            rest -= self.between(start, *from);
            start = *until;
        }
        self.finish(start, rest)
    }

    /// How much so many bytes take of the trace, in its own unit.
    pub(crate) fn units(&self, bytes: u64) -> f64 {
        self.trace.units(bytes)
    }

    /// How many of these units go through from one moment to another, less the cuts.
    pub(crate) fn units_between(&self, from: Micros, to: Micros) -> f64 {
        let first = self.cuts.partition_point(|(_, until)| *until <= from);
        let within = self.cuts[first..].iter().take_while(|(begin, _)| *begin < to);
        let cut = within.map(|(begin, end)| {
            let (begin, end) = ((*begin).max(from), (*end).min(to));
            if begin < end { self.between(begin, end) } else { 0.0 }
        });
        self.between(from, to) - cut.sum::<f64>()
    }

    /// How many frames of this size can begin to be sent from one moment to another at most.
    pub(crate) fn frames_between(&self, from: Micros, to: Micros, bytes: u64) -> u64 {
        1 + (self.between(from, to) / self.trace.units(bytes)) as u64
    }

    /// When what has left the edge at `sent` arrives in the cloud, if nothing of it is lost.
    pub(crate) const fn arrives(&self, sent: Micros) -> Micros {
        sent + self.one_way
    }

    /// When all of a frame has arrived in the cloud, whose last byte has left at `sent`; what is
    /// lost is sent again. `luck` tells one frame from another.
    pub(crate) fn delivered(&self, luck: u64, bytes: u64, sent: Micros) -> Micros {
        let delay = self.losses.as_ref().map_or(0, |losses| losses.delay(luck, bytes, sent));
        self.arrives(sent) + delay
    }

    /// Whether packets are lost.
    pub(crate) const fn is_lossy(&self) -> bool {
        self.losses.is_some()
    }

    /// When a result that leaves the cloud at `done` is seen at the edge. Results are small: only
    /// cuts and distance hold them up.
    pub(crate) fn seen(&self, done: Micros) -> Micros {
        self.uncut(done) + self.one_way
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceFormat;
    use proptest::prelude::*;

    const SECOND: Micros = 1_000_000;

    fn steps(text: &str) -> Trace {
        Trace::parse("steps", text, &TraceFormat::MbitPerSecond).unwrap()
    }

    fn packets(text: &str) -> Trace {
        Trace::parse("packets", text, &TraceFormat::Mahimahi).unwrap()
    }

    #[test]
    fn a_phase_is_where_in_the_trace_time_begins() {
        let trace = steps("8\n0\n16\n");
        let mut scenario = Scenario::default();
        scenario.uplink.phase_s = 1.5;
        let uplink = Uplink::of(&trace, &scenario);
        // half a second of nothing, then 2,000,000 bytes a second
        assert_eq!(uplink.sent(0, 1_000_000), SECOND);
        assert_eq!(uplink.units_between(0, SECOND), 1_000_000.0);
    }

    #[test]
    fn loss_slows_a_fast_link_down_and_leaves_a_slow_one() {
        let mut scenario = Scenario { minutes: 1.0, ..Scenario::default() };
        scenario.uplink.loss.share = 0.01;
        let packets_a_ms = |count: u64| {
            let times: Vec<String> = (0..1000 * count).map(|i| (i / count).to_string()).collect();
            packets(&times.join("\n"))
        };
        // 3.1 Mbit/s at 40 ms, whatever the form of the trace
        for (trace, mbit_s) in [
            (steps("20\n50\n"), 3.116),
            (packets_a_ms(4), 3.116),
            (steps("1\n"), 1.0),
            (steps("0\n2\n"), 1.0),
        ] {
            let uplink = Uplink::of(&trace, &scenario);
            let mean = 8.0 * 1_000_000.0 / uplink.sent(0, 1_000_000) as f64;
            assert!((mean / mbit_s - 1.0).abs() < 0.25, "{} and {mbit_s}", mean);
            assert!(uplink.delivered(1, 20_000, 0) >= uplink.arrives(0));
        }
        scenario.uplink.loss = Loss { bad_share: 0.5, bad_s: 1.0, every_s: 5.0, share: 0.0 };
        let trace = steps("8\n");
        let uplink = Uplink::of(&trace, &scenario);
        let carried = uplink.units_between(0, 60 * SECOND) / 60e6;
        assert!((0.5..0.95).contains(&carried), "about a fifth less: {carried}");
    }

    #[test]
    fn bytes_take_the_time_that_the_speed_gives_them() {
        // 1,000,000 bytes a second, then nothing for a second
        let trace = steps("8\n0\n");
        let uplink = Uplink::new(&trace, &[], 40.0);
        assert_eq!(uplink.sent(0, 500_000), SECOND / 2);
        assert_eq!(uplink.sent(0, 1_000_000), SECOND);
        assert_eq!(uplink.sent(0, 1_000_001), 2 * SECOND + 1);
        assert_eq!(uplink.sent(SECOND, 1), 2 * SECOND + 1);
        assert_eq!(uplink.sent(0, 3_500_000), 6 * SECOND + SECOND / 2);
        assert_eq!(uplink.arrives(10), 20_010);
        assert_eq!(uplink.seen(10), 20_010);
    }

    #[test]
    fn a_frame_takes_an_opportunity_for_each_packet() {
        let trace = packets("1\n3\n3\n9\n");
        let uplink = Uplink::new(&trace, &[], 0.0);
        // two of one millisecond are half a millisecond apart; each is over a microsecond later
        assert_eq!(uplink.sent(0, 1), 1001);
        assert_eq!(uplink.sent(0, 1501), 3001);
        assert_eq!(uplink.sent(1001, 1500), 3001);
        assert_eq!(uplink.sent(3001, 1500), 3501);
        assert_eq!(uplink.sent(3501, 3000), 11_001, "at its end it begins anew");
        assert_eq!(uplink.sent(0, 1500 * 9), 21_001);
    }

    #[test]
    fn nothing_gets_through_a_cut() {
        let trace = steps("8\n");
        let cut = |text: &str| text.parse::<Cut>().unwrap();
        let uplink = Uplink::new(&trace, &[cut("3s+1s"), cut("1s+1s"), cut("1.5s+0.5s")], 0.0);
        assert_eq!(uplink.sent(0, 1_000_000), SECOND);
        assert_eq!(uplink.sent(SECOND / 2, 600_000), 2 * SECOND + SECOND / 10);
        assert_eq!(uplink.sent(SECOND, 1), 2 * SECOND + 1);
        assert_eq!(uplink.sent(0, 2_500_000), 4 * SECOND + SECOND / 2);
        assert_eq!(
            (uplink.seen(SECOND - 1), uplink.seen(SECOND), uplink.seen(2 * SECOND)),
            (SECOND - 1, 2 * SECOND, 2 * SECOND)
        );
    }

    fn any_trace() -> impl Strategy<Value = Trace> {
        let speeds = prop::collection::vec(prop_oneof![Just(0.0), 0.1..50.0f64], 1..8);
        let steps = speeds.prop_filter_map("silent", |speeds| {
            let text: Vec<String> = speeds.iter().map(f64::to_string).collect();
            Trace::parse("steps", &text.join("\n"), &TraceFormat::MbitPerSecond).ok()
        });
        let times = prop::collection::vec(0..3000u64, 1..300).prop_map(|mut times| {
            times.sort_unstable();
            packets(&times.iter().map(u64::to_string).collect::<Vec<_>>().join("\n"))
        });
        prop_oneof![steps, times]
    }

    fn any_cuts() -> impl Strategy<Value = Vec<Cut>> {
        prop::collection::vec(
            (0.0..20.0f64, 0.1..5.0f64).prop_map(|(from_s, for_s)| Cut { from_s, for_s }),
            0..3,
        )
    }

    proptest! {
        #[test]
        fn a_later_start_or_a_larger_frame_is_never_sent_earlier(
            trace in any_trace(), cuts in any_cuts(), start in 0..20 * SECOND,
            later in 0..5 * SECOND,
            bytes in 1..500_000u64, more in 0..100_000u64,
        ) {
            let uplink = Uplink::new(&trace, &cuts, 40.0);
            let sent = uplink.sent(start, bytes);
            prop_assert!(sent > start);
            // speeds are floating point: a microsecond more or less
            prop_assert!(uplink.sent(start + later, bytes) + 1 >= sent);
            prop_assert!(uplink.sent(start, bytes + more) + 1 >= sent);
            prop_assert!(uplink.seen(start + later) >= uplink.seen(start));
        }

        #[test]
        fn one_frame_after_the_other_takes_as_long_as_both_together(
            trace in any_trace(), cuts in any_cuts(), start in 0..20 * SECOND,
            first in 1..200u64, second in 1..200u64,
        ) {
            let uplink = Uplink::new(&trace, &cuts, 0.0);
            let (first, second) = (first * 1500, second * 1500);
            let apart = uplink.sent(uplink.sent(start, first), second);
            let together = uplink.sent(start, first + second);
            let (from, until) = (apart.min(together), apart.max(together));
            // the microsecond to which the first is rounded may be a fast one, which takes several
            // slow ones to make up for
            let between = trace.mbit_s(from, until) * (until - from) as f64 / 8.0;
            prop_assert!(until - from <= 3 || between < 16.0, "{} {}", apart, together);
        }

        #[test]
        fn what_was_sent_is_what_the_trace_carries(
            trace in any_trace(), start in 0..20 * SECOND, packets in 1..200u64,
        ) {
            let uplink = Uplink::new(&trace, &[], 0.0);
            let sent = uplink.sent(start, packets * 1500);
            let carried = trace.mbit_s(start, sent) * (sent - start) as f64 / 8.0;
            // a microsecond at the highest speed
            prop_assert!((carried - packets as f64 * 1500.0).abs() < 8.0, "{}", carried);
        }
    }
}
