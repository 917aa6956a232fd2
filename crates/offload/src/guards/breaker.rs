//! A circuit breaker: a tier whose answers stop is given a rest, and tried again with single
//! frames.

use crate::PolicyError;
use crate::config::range;
use crate::learn::SplitMix;
use serde::{Deserialize, Serialize};

/// A frame that was expected to take long may take this many times as long before its tier is
/// called silent.
const PATIENCE: f64 = 2.0;
/// How much longer the time until the next try becomes after each failure.
const GROWTH: f64 = 1.5;
/// By how much the time until the next try varies, so that many units do not try at once.
const JITTER: f64 = 0.25;

/// `[breaker]`
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// Whether there is one.
    pub enabled: bool,
    /// It opens when frames wait for this time and no result comes, in milliseconds (or twice the
    /// time that the frame was expected to take, if that is longer).
    pub silence_ms: f64,
    /// The same before a tier has given its first result: models are loaded, groups are joined.
    pub first_silence_ms: f64,
    /// How long after opening a first frame tries again, in milliseconds; a quarter more or less
    /// by chance, and half as much again from try to try.
    pub probe_after_ms: f64,
    /// The longest such time.
    pub probe_at_most_ms: f64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            enabled: true,
            silence_ms: 1000.0,
            first_silence_ms: 10_000.0,
            probe_after_ms: 250.0,
            probe_at_most_ms: 2000.0,
        }
    }
}

impl Breaker {
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let Self { enabled: _, silence_ms, first_silence_ms, probe_after_ms, probe_at_most_ms } =
            *self;
        range::time("[breaker] silence_ms", silence_ms)?;
        range::time("[breaker] first_silence_ms", first_silence_ms)?;
        range::time("[breaker] probe_after_ms", probe_after_ms)?;
        range::time("[breaker] probe_at_most_ms", probe_at_most_ms)?;
        let ok = probe_at_most_ms >= probe_after_ms;
        range::require(
            "[breaker] probe_at_most_ms",
            probe_at_most_ms,
            ok,
            "at least probe_after_ms",
        )
    }
}

/// How a tier's breaker stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BreakerState {
    /// Frames go there.
    Closed,
    /// No frame goes there.
    Open,
    /// One frame has gone there to see whether it answers.
    HalfOpen,
}

impl BreakerState {
    /// `closed`, `open` or `half-open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// The breaker of one tier. All times are milliseconds on the decider's clock.
#[derive(Clone, Debug)]
pub(crate) struct CircuitBreaker {
    config: Breaker,
    state: BreakerState,
    ever_answered: bool,
    /// When the first frame was sent that nothing was answered after, and how long it was expected
    /// to take.
    waiting: Option<(f64, Option<f64>)>,
    try_at: f64,
    pause_ms: f64,
    random: SplitMix,
}

impl CircuitBreaker {
    pub(crate) fn new(config: Breaker, seed: u64) -> Self {
        Self {
            pause_ms: config.probe_after_ms,
            config,
            state: BreakerState::Closed,
            ever_answered: false,
            waiting: None,
            try_at: 0.0,
            random: SplitMix(seed),
        }
    }

    /// Other numbers, the same state.
    pub(crate) fn reconfigure(&mut self, config: Breaker) {
        self.pause_ms = config.probe_after_ms;
        self.config = config;
        if !config.enabled {
            self.state = BreakerState::Closed;
        }
    }

    /// How it stands now.
    pub(crate) fn state(&mut self, now: f64) -> BreakerState {
        if !self.config.enabled {
            return BreakerState::Closed;
        }
        match self.state {
            BreakerState::Closed if self.is_silent(now) => {
                self.waiting = None;
                self.rest(now);
            }
            // it may yet answer, but that need not be waited for
            BreakerState::HalfOpen if now >= self.try_at => self.state = BreakerState::Open,
            BreakerState::Closed | BreakerState::HalfOpen | BreakerState::Open => {}
        }
        self.state
    }

    /// Whether the tier has ever answered.
    pub(crate) const fn ever_answered(&self) -> bool {
        self.ever_answered
    }

    /// Whether a frame may go there now. An open breaker lets a single one through when it is time
    /// to try.
    pub(crate) fn permits(&mut self, now: f64) -> Permit {
        match self.state(now) {
            BreakerState::Closed => Permit::Free,
            BreakerState::Open if now >= self.try_at => Permit::Probe,
            BreakerState::Open | BreakerState::HalfOpen => Permit::Refused,
        }
    }

    /// Whether the time to try again came a while ago, and no frame was fit for it.
    pub(crate) fn is_overdue(&self, now: f64) -> bool {
        now >= self.try_at + self.config.probe_after_ms
    }

    /// A frame goes there.
    pub(crate) fn sent(&mut self, now: f64, expected_ms: Option<f64>) {
        if self.state == BreakerState::Open && now >= self.try_at {
            self.pause_ms = (self.pause_ms * GROWTH).min(self.config.probe_at_most_ms);
            self.rest(now);
            self.state = BreakerState::HalfOpen;
        }
        if self.state == BreakerState::Closed {
            self.waiting.get_or_insert((now, expected_ms));
        }
    }

    /// No frame until it is time for the next try.
    fn rest(&mut self, now: f64) {
        self.state = BreakerState::Open;
        self.try_at = now + self.pause_ms * (1.0 - JITTER + 2.0 * JITTER * self.random.unit());
    }

    /// An answer came from there that shows that it works.
    pub(crate) fn answered(&mut self, still_waiting: Option<(f64, Option<f64>)>) {
        self.ever_answered = true;
        self.waiting = still_waiting;
        self.state = BreakerState::Closed;
        self.pause_ms = self.config.probe_after_ms;
    }

    fn is_silent(&self, now: f64) -> bool {
        let Some((since, expected_ms)) = self.waiting else { return false };
        let least =
            if self.ever_answered { self.config.silence_ms } else { self.config.first_silence_ms };
        now - since > least.max(expected_ms.unwrap_or(0.0) * PATIENCE)
    }
}

/// What a breaker says to a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Permit {
    /// It may go.
    Free,
    /// It may go, and shows whether the tier answers again.
    Probe,
    /// It may not.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> CircuitBreaker {
        let mut breaker = CircuitBreaker::new(Breaker::default(), 7);
        breaker.sent(0.0, None);
        breaker.answered(None);
        breaker
    }

    #[test]
    fn it_opens_when_answers_stop_and_only_then() {
        let mut breaker = breaker();
        assert_eq!(
            breaker.state(1e9),
            BreakerState::Closed,
            "nothing was sent, so nothing is missing"
        );
        breaker.sent(1000.0, None);
        breaker.sent(1900.0, None);
        assert_eq!(breaker.state(1990.0), BreakerState::Closed);
        assert_eq!(breaker.state(2001.0), BreakerState::Open);
        assert_eq!(breaker.permits(2100.0), Permit::Refused);
    }

    #[test]
    fn slow_frames_and_the_first_one_are_waited_for() {
        let mut slow = breaker();
        slow.sent(0.0, Some(4000.0));
        assert_eq!(
            (slow.state(7900.0), slow.state(8001.0)),
            (BreakerState::Closed, BreakerState::Open)
        );
        let mut fresh = CircuitBreaker::new(Breaker::default(), 7);
        fresh.sent(0.0, None);
        assert_eq!(
            (fresh.state(9900.0), fresh.state(10_001.0)),
            (BreakerState::Closed, BreakerState::Open)
        );
    }

    #[test]
    fn it_is_probed_frame_by_frame_and_closes_at_an_answer() {
        let mut breaker = breaker();
        breaker.sent(0.0, None);
        let mut now = 1001.0;
        assert_eq!(breaker.state(now), BreakerState::Open);
        let mut probes = Vec::new();
        while now < 60_000.0 {
            if breaker.permits(now) == Permit::Probe {
                breaker.sent(now, None);
                assert_eq!(
                    (breaker.state(now), breaker.permits(now)),
                    (BreakerState::HalfOpen, Permit::Refused)
                );
                probes.push(now);
            }
            now += 10.0;
        }
        let gaps: Vec<f64> = probes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // two seconds at most, a quarter more or less by chance
        assert!(
            probes.len() > 25 && gaps.iter().all(|gap| (250.0..=2510.0).contains(gap)),
            "{gaps:?}"
        );
        assert!(gaps[5..].iter().all(|gap| *gap >= 1490.0), "{gaps:?}");
        assert!(
            gaps.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 50.0),
            "no jitter: {gaps:?}"
        );
        breaker.answered(None);
        assert_eq!(breaker.permits(now), Permit::Free);
    }

    #[test]
    fn it_can_be_switched_off() {
        let mut breaker = breaker();
        breaker.sent(0.0, None);
        assert_eq!(breaker.state(5000.0), BreakerState::Open);
        breaker.reconfigure(Breaker { enabled: false, ..Breaker::default() });
        assert_eq!(breaker.permits(5000.0), Permit::Free);
    }
}
