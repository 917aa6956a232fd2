//! Packets that get lost on the way up, and what TCP makes of it.
//!
//! **Which packets.** A link is in a good or in a bad state, each with its own share of lost packets
//! and of exponentially distributed length (Gilbert 1960, Elliott 1963, both in the Bell System
//! Technical Journal). Without bad states losses are independent of each other.
//!
//! **How fast TCP is.** It takes losses for congestion, and what the trace could carry beyond what
//! TCP dares to send is wasted: with segments of s = 1460 bytes, a round trip R, a share p of lost
//! packets and a retransmission timer T it sends no more than
//! s / (R √(2p/3) + 3 T √(3p/8) p (1 + 32 p²)), the equation of RFC 5348, 3.1 (Padhye and others
//! 1998; where p is small this is Mathis and others 1997), of which 1 − p arrives. That is Reno,
//! which CUBIC (RFC 9438) is no slower than.
//!
//! **How late a frame is.** Data is delivered in order, so a frame waits for the last of its packets.
//! A packet that is lost once is there 1.25 round trips later (RFC 8985); each further time costs a
//! timer, which doubles (RFC 6298). The timer is R + 200 ms, as in Linux.
//!
//! **After an outage** TCP goes on when its timer fires the next time, as if something had been on
//! its way.

use crate::{Cut, InvalidCut, Micros, Scenario};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use virtual_time::Random;

/// A TCP segment on Ethernet, in bytes.
const SEGMENT: f64 = 1460.0;
/// The shortest part of the timer beyond the round trip in Linux (`TCP_RTO_MIN`), in seconds.
const LEAST_TIMER_S: f64 = 0.2;
/// The longest timer (RFC 6298, 2.5), in seconds.
const LONGEST_TIMER_S: f64 = 60.0;
/// Nothing is lost so often in a row.
const MOST_ROUNDS: i32 = 10;

/// Which share of the packets is lost.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Loss {
    /// In the good state, from 0 to 0.5.
    pub share: f64,
    /// In the bad state, from 0 to 0.9.
    pub bad_share: f64,
    /// How long a bad state lasts on average, in seconds.
    pub bad_s: f64,
    /// From one bad state's beginning to the next one's on average, in seconds; 0: there is none.
    pub every_s: f64,
}

impl Default for Loss {
    fn default() -> Self {
        Self { share: 0.0, bad_share: 0.3, bad_s: 0.5, every_s: 0.0 }
    }
}

impl Loss {
    /// Whether nothing is ever lost.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.share <= 0.0 && self.every_s <= 0.0
    }

    /// The fields that are out of their range, with what they may be.
    pub(crate) fn wrong(&self) -> Option<(&'static str, f64, &'static str)> {
        let Self { share, bad_share, bad_s, every_s } = *self;
        if !(0.0..=0.5).contains(&share) {
            return Some(("uplink.loss.share", share, "0 to 0.5"));
        }
        if !(0.0..=0.9).contains(&bad_share) {
            let allowed = "0 to 0.9; for more, write outages";
            return Some(("uplink.loss.bad_share", bad_share, allowed));
        }
        if !(0.0..=1e6).contains(&every_s) {
            return Some(("uplink.loss.every_s", every_s, "0 or more"));
        }
        let bad_ok = bad_s >= 0.001 && (every_s <= 0.0 || bad_s < every_s);
        (!bad_ok).then_some(("uplink.loss.bad_s", bad_s, "0.001 or more, and less than every_s"))
    }
}

/// Outages that come by chance. Written `600s+5s`: one of 5 seconds every 600 seconds, both on
/// average and exponentially distributed.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Outages {
    /// From one's beginning to the next one's, in seconds.
    pub every_s: f64,
    /// How long one lasts, in seconds.
    pub for_s: f64,
}

/// A text that does not tell outages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' tells no outages: write from one's beginning to the next one's and how long one lasts, \
     the first being longer and at least a second, such as 600s+5s"
)]
pub struct InvalidOutages(String);

impl FromStr for Outages {
    type Err = InvalidOutages;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let cut: Cut = text.parse().map_err(|_: InvalidCut| InvalidOutages(text.into()))?;
        // many more would be one outage
        if cut.from_s <= cut.for_s || cut.from_s < 1.0 {
            return Err(InvalidOutages(text.into()));
        }
        Ok(Self { every_s: cut.from_s, for_s: cut.for_s })
    }
}

impl fmt::Display for Outages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s+{}s", self.every_s, self.for_s)
    }
}

impl TryFrom<String> for Outages {
    type Error = InvalidOutages;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Outages> for String {
    fn from(outages: Outages) -> Self {
        outages.to_string()
    }
}

/// Spans that come by chance, as their beginnings and ends, the first ones before `end`.
fn spans(random: &mut Random, every_s: f64, for_s: f64, end: Micros) -> Vec<(Micros, Micros)> {
    let mut spans = Vec::new();
    let mut now = 0.0;
    loop {
        let from = now + random.exponential() * (every_s - for_s);
        // nothing is shorter than a microsecond
        let until = from + (random.exponential() * for_s).max(1e-6);
        if from * 1e6 >= end as f64 {
            return spans;
        }
        spans.push((
            (from * 1e6) as Micros,
            ((until * 1e6) as Micros).max((from * 1e6) as Micros + 1),
        ));
        now = until;
    }
}

/// How long TCP waits before it sends again what nobody acknowledged, in seconds.
fn timer_s(rtt_s: f64) -> f64 {
    rtt_s + LEAST_TIMER_S
}

/// The outages of a scenario until `end`, each until TCP goes on.
pub(super) fn outages(scenario: &Scenario, end: Micros) -> Vec<(Micros, Micros)> {
    let Some(Outages { every_s, for_s }) = scenario.uplink.outages else { return Vec::new() };
    let mut random = Random::new(scenario.seed, "outages");
    let first = timer_s(scenario.uplink.rtt_ms / 1000.0);
    let resumes = |(from, until): (Micros, Micros)| {
        let mut timer = first;
        let mut fires = from;
        while fires < until {
            fires += (timer * 1e6) as Micros;
            timer = (2.0 * timer).min(LONGEST_TIMER_S);
        }
        (from, fires)
    };
    spans(&mut random, every_s, for_s, end).into_iter().map(resumes).collect()
}

/// The losses of one link over time.
#[derive(Clone, Debug)]
pub(super) struct Losses {
    /// From when on which share is lost; the first at 0.
    states: Vec<(Micros, f64)>,
    /// Where they begin anew.
    end: Micros,
    rtt_s: f64,
    seed: u64,
}

impl Losses {
    /// Those of a scenario until `end`; `None` when nothing is ever lost.
    pub(super) fn of(scenario: &Scenario, end: Micros) -> Option<Self> {
        let loss = scenario.uplink.loss;
        if loss.is_none() {
            return None;
        }
        let mut states = vec![(0, loss.share)];
        if loss.every_s > 0.0 {
            let mut random = Random::new(scenario.seed, "loss");
            for (from, until) in spans(&mut random, loss.every_s, loss.bad_s, end) {
                states.extend([(from, loss.bad_share), (until, loss.share)]);
            }
        }
        // a frame of no bytes at all is nobody's: a round trip is a millisecond at least
        let rtt_s = (scenario.uplink.rtt_ms / 1000.0).max(0.001);
        Some(Self { states, end, rtt_s, seed: scenario.seed })
    }

    /// How fast TCP is from when on, in Mbit/s.
    pub(super) fn speeds(&self) -> Vec<(Micros, f64)> {
        self.states.iter().map(|(from, share)| (*from, goodput(*share, self.rtt_s))).collect()
    }

    /// A round trip, in microseconds.
    pub(super) fn rtt(&self) -> Micros {
        (self.rtt_s * 1e6) as Micros
    }

    fn share(&self, moment: Micros) -> f64 {
        let moment = moment % self.end;
        self.states[self.states.partition_point(|(from, _)| *from <= moment) - 1].1
    }

    /// How much later the last byte of so many is there than it would be if nothing was lost, when
    /// it has left at `sent`; `frame` decides on its luck.
    pub(super) fn delay(&self, frame: u64, bytes: u64, sent: Micros) -> Micros {
        let share = self.share(sent);
        let packets = (bytes as f64 / SEGMENT).ceil().max(1.0);
        let mut random =
            Random::new(self.seed ^ frame.wrapping_mul(0x9e37_79b9_7f4a_7c15), "retransmissions");
        let luck = random.unit();
        // each packet is there after k rounds with probability 1 − pᵏ⁺¹
        let is_there = |rounds: i32| (1.0 - share.powi(rounds + 1)).powf(packets) >= luck;
        let rounds = (0..MOST_ROUNDS).find(|rounds| is_there(*rounds)).unwrap_or(MOST_ROUNDS);
        if rounds == 0 {
            return 0;
        }
        let again: f64 = (1..rounds)
            .map(|round| (timer_s(self.rtt_s) * 2.0_f64.powi(round - 1)).min(LONGEST_TIMER_S))
            .sum();
        ((1.25 * self.rtt_s + again) * 1e6) as Micros
    }
}

/// What TCP gets through where so many packets are lost, in Mbit/s.
fn goodput(share: f64, rtt_s: f64) -> f64 {
    if share <= 0.0 {
        return f64::INFINITY;
    }
    let round_trips = rtt_s * (2.0 * share / 3.0).sqrt();
    let timers = timer_s(rtt_s)
        * 3.0
        * (3.0 * share / 8.0).sqrt()
        * share
        * 32.0_f64.mul_add(share * share, 1.0);
    (1.0 - share) * SEGMENT * 8.0 / (round_trips + timers) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UplinkSetup;

    const HOUR: Micros = 3_600_000_000;

    fn scenario(loss: Loss, outages: Option<&str>) -> Scenario {
        let outages = outages.map(|text| text.parse().unwrap());
        Scenario {
            uplink: UplinkSetup { loss, outages, ..UplinkSetup::default() },
            ..Scenario::default()
        }
    }

    #[test]
    fn the_throughput_is_that_of_the_papers() {
        // Mathis and others 1997: s/R · √(3/2) / √p, where timers hardly count
        let mathis = 1460.0 * 8.0 / 0.1 * 1.5_f64.sqrt() / 1e-5_f64.sqrt() / 1e6;
        assert!((goodput(1e-5, 0.1) / mathis - 1.0).abs() < 0.001, "{}", goodput(1e-5, 0.1));
        // by hand: 11,680 bit / (40 ms · 0.08165 + 240 ms · 3 · 0.06124 · 0.01 · 1.0032) · 0.99
        assert!((goodput(0.01, 0.04) - 3.116).abs() < 0.01, "{}", goodput(0.01, 0.04));
        assert!(goodput(0.3, 0.04) < 0.05, "hardly anything");
        assert_eq!(goodput(0.0, 0.04), f64::INFINITY);
    }

    #[test]
    fn as_much_is_lost_as_was_asked_for_and_in_bursts() {
        let loss = Loss { share: 0.001, bad_share: 0.4, bad_s: 0.5, every_s: 10.0 };
        let losses = Losses::of(&scenario(loss, None), 100 * HOUR).unwrap();
        let bad = losses.states.chunks_exact(2).count() as f64;
        // 36,000 expected, four standard deviations
        assert!((bad - 36_000.0).abs() < 760.0, "{bad}");
        let step = 1000;
        let seen = (0..1_000_000u64).filter(|i| losses.share(i * 360_000 + i % step) > 0.1);
        let share = seen.count() as f64 / 1e6;
        assert!((share - 0.05).abs() < 0.002, "{share}");
        assert!(Losses::of(&scenario(Loss::default(), None), HOUR).is_none());
    }

    #[test]
    fn a_frame_waits_for_the_packet_that_was_lost_most_often() {
        let loss = Loss { share: 0.1, ..Loss::default() };
        let losses = Losses::of(&scenario(loss, None), HOUR).unwrap();
        let delays: Vec<Micros> =
            (0..100_000).map(|frame| losses.delay(frame, 14 * 1460, 0)).collect();
        let part = |delay: Micros| {
            delays.iter().filter(|other| **other == delay).count() as f64 / 100_000.0
        };
        // 0.9¹⁴ and 0.99¹⁴ − 0.9¹⁴; four standard deviations are below 0.007
        assert!((part(0) - 0.2288).abs() < 0.007, "{}", part(0));
        assert!((part(50_000) - 0.6400).abs() < 0.007, "{}", part(50_000));
        // a second loss costs the timer of 240 ms
        assert!(part(290_000) > 0.1);
        assert_eq!(losses.delay(7, 20_000, 5), losses.delay(7, 20_000, 5));
    }

    #[test]
    fn outages_last_until_the_timer_fires() {
        let scenario = scenario(Loss::default(), Some("100s+2s"));
        let found = outages(&scenario, 1000 * HOUR);
        assert!((found.len() as f64 - 36_000.0).abs() < 800.0, "{}", found.len());
        for (from, until) in &found {
            // 240 ms · (2ᵏ − 1), as long as the timer is below a minute
            let timers = (until - from) as f64 / 240_000.0 + 1.0;
            assert!((timers.log2() - timers.log2().round()).abs() < 1e-9, "{timers}");
        }
        let mean = found.iter().map(|(from, until)| until - from).sum::<u64>() as f64
            / found.len() as f64
            / 1e6;
        assert!((2.0..4.0).contains(&mean), "up to twice as long, {mean} s");
        assert!(spans(&mut Random::new(1, "a"), 10.0, 1.0, 0).is_empty());
    }

    #[test]
    fn outages_are_read_and_written() {
        let outages: Outages = "600s+5s".parse().unwrap();
        assert_eq!(
            (outages.every_s, outages.for_s, outages.to_string()),
            (600.0, 5.0, "600s+5s".into())
        );
        for wrong in ["", "5s+600s", "5", "0s+0s", "-1s+2s", "0.5s+0.1s"] {
            assert!(
                wrong.parse::<Outages>().unwrap_err().to_string().contains("600s+5s"),
                "{wrong}"
            );
        }
    }
}
