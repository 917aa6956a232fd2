//! How long a frame that is taken now would wait for its turn: the frames that wait, by the rate at
//! which results come.
//!
//! The rate is that of the time in which there was something to do; it forgets within seconds, so
//! that a stall counts at once and a burst finds out what the tiers can do. Nothing here has a
//! clock: every call says what time it is.

use std::time::{Duration, Instant};

/// What is older counts less: within this much busy time to 37 %.
const FORGETTING: Duration = Duration::from_secs(3);
/// So many frames are always taken: all stages need something to do, and one at a time they would
/// never show how fast they are.
const LEAST_FRAMES: u64 = 16;
/// So many, before enough results were seen to tell a rate.
const UNKNOWN_FRAMES: u64 = 50;
/// Results that tell a rate.
const ENOUGH_RESULTS: u64 = 5;
/// Frames wait and no result comes for so long: not slow, but cut off. What the bounds allow is
/// kept for better times.
const CUT_OFF_AFTER: Duration = Duration::from_secs(10);
/// A finished frame still counts as waiting at the broker for about this time: offsets are
/// committed twice a second, stage by stage.
const COMMITTED_AFTER_S: f64 = 1.0;

/// Counts frames that wait and results that come.
#[derive(Debug)]
pub(crate) struct Pace {
    max_wait: Duration,
    /// Frames that came in here and have no result.
    own: u64,
    /// Those of other replicas, and those from before this one was started, as far as the broker
    /// tells.
    others: u64,
    /// Results, and the busy seconds in which they came; both forget.
    results: f64,
    busy_s: f64,
    /// How many results were ever seen.
    seen: u64,
    counted: Instant,
    /// When there was a sign of progress: a result, or the first frame of a busy time.
    progress: Instant,
}

/// A frame would wait for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    /// How many wait.
    pub(crate) waiting: u64,
    /// After how many seconds there should be room.
    pub(crate) retry_after_s: u32,
}

impl Pace {
    pub(crate) fn new(max_wait: Duration, now: Instant) -> Self {
        Self {
            max_wait,
            own: 0,
            others: 0,
            results: 0.0,
            busy_s: 0.0,
            seen: 0,
            counted: now,
            progress: now,
        }
    }

    /// Whether one more frame would be answered soon enough.
    pub(crate) fn admits(&mut self, now: Instant) -> Result<(), TooLong> {
        self.count(now);
        let waiting = self.waiting();
        let is_cut_off =
            waiting > 0 && now.saturating_duration_since(self.progress) > CUT_OFF_AFTER;
        let limit = match self.rate() {
            Some(rate) => ((rate * self.max_wait.as_secs_f64()) as u64).max(LEAST_FRAMES),
            None => UNKNOWN_FRAMES,
        };
        if waiting < limit || is_cut_off {
            return Ok(());
        }
        let excess = (waiting - limit + 1) as f64;
        let retry_after_s =
            self.rate().map_or(1.0, |rate| (excess / rate.max(0.1)).ceil().clamp(1.0, 60.0)) as u32;
        Err(TooLong { waiting, retry_after_s })
    }

    /// A frame was taken.
    pub(crate) fn taken(&mut self, now: Instant) {
        self.count(now);
        self.own += 1;
    }

    /// A frame that was taken waits no more, whatever became of it.
    pub(crate) fn left(&mut self, now: Instant) {
        self.count(now);
        self.own = self.own.saturating_sub(1);
    }

    /// The first result of any frame was seen; `ours` when the frame came in here.
    pub(crate) fn answered(&mut self, ours: bool, now: Instant) {
        self.count(now);
        self.results += 1.0;
        self.seen += 1;
        self.progress = now;
        if !ours {
            self.others = self.others.saturating_sub(1);
        }
    }

    /// What the broker says of all frames that are not finished; `None` when it does not say.
    pub(crate) fn behind(&mut self, frames: Option<u64>, now: Instant) {
        self.count(now);
        let Some(frames) = frames else { return self.others = 0 };
        let finished = (self.rate().unwrap_or(0.0) * COMMITTED_AFTER_S) as u64;
        self.others = frames.saturating_sub(self.own).saturating_sub(finished);
    }

    /// How many results were ever seen.
    pub(crate) fn results(&self) -> u64 {
        self.seen
    }

    /// In how many seconds a frame that is taken now is expected to have its turn; `None` when not
    /// known.
    pub(crate) fn expected_wait_s(&mut self, now: Instant) -> Option<f64> {
        self.count(now);
        self.rate().filter(|rate| *rate > 0.0).map(|rate| self.waiting() as f64 / rate)
    }

    fn waiting(&self) -> u64 {
        self.own + self.others
    }

    /// Results a second.
    fn rate(&self) -> Option<f64> {
        (self.seen >= ENOUGH_RESULTS && self.busy_s > 0.0).then(|| self.results / self.busy_s)
    }

    /// Time goes by; it counts while something waits.
    fn count(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.counted);
        self.counted = self.counted.max(now);
        if self.waiting() == 0 {
            self.progress = self.counted;
            return;
        }
        let kept = (-since.as_secs_f64() / FORGETTING.as_secs_f64()).exp();
        self.busy_s = self.busy_s * kept + since.as_secs_f64();
        self.results *= kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_WAIT: Duration = Duration::from_secs(2);

    /// Frames come at `offered` a second, of which `capacity` a second are finished, each not
    /// sooner than after `latency`.
    struct World {
        pace: Pace,
        start: Instant,
        ms: u64,
        queue: std::collections::VecDeque<u64>,
        credit: f64,
        accepted: u64,
        refused: u64,
        longest_ms: u64,
    }

    impl World {
        fn new() -> Self {
            let start = Instant::now();
            let pace = Pace::new(MAX_WAIT, start);
            Self {
                pace,
                start,
                ms: 0,
                queue: Default::default(),
                credit: 0.0,
                accepted: 0,
                refused: 0,
                longest_ms: 0,
            }
        }

        fn run(
            &mut self,
            seconds: u64,
            offered: f64,
            capacity: f64,
            latency_ms: u64,
        ) -> (u64, u64) {
            let (before, mut due) = ((self.accepted, self.refused), 0.0);
            for _ in 0..seconds * 1000 {
                self.ms += 1;
                let now = self.start + Duration::from_millis(self.ms);
                due += offered / 1000.0;
                while due >= 1.0 {
                    due -= 1.0;
                    match self.pace.admits(now) {
                        Ok(()) => {
                            self.pace.taken(now);
                            self.queue.push_back(self.ms);
                            self.accepted += 1;
                        }
                        Err(_) => self.refused += 1,
                    }
                }
                // what nobody worked on is not saved up
                self.credit = (self.credit + capacity / 1000.0).min(1.0);
                if self.credit >= 1.0
                    && self.queue.front().is_some_and(|came| self.ms - came >= latency_ms)
                {
                    self.credit -= 1.0;
                    let came = self.queue.pop_front().unwrap_or_default();
                    self.longest_ms = self.longest_ms.max(self.ms - came);
                    self.pace.left(now);
                    self.pace.answered(true, now);
                }
            }
            (self.accepted - before.0, self.refused - before.1)
        }
    }

    #[test]
    fn an_overload_leaves_no_more_behind_than_is_done_in_that_time() {
        for capacity in [4.0, 10.0, 40.0, 200.0] {
            let mut world = World::new();
            let (accepted, refused) = world.run(60, 100.0 * capacity, capacity, 50);
            assert!(refused > 10 * accepted, "{capacity}: {accepted} accepted, {refused} refused");
            assert!(
                accepted as f64 > 0.9 * 60.0 * capacity,
                "{capacity}: the tiers were kept busy, {accepted}"
            );
            let left_s = world.queue.len() as f64 / capacity;
            assert!(
                left_s <= 4.5 && (capacity < 8.0 || left_s <= 2.6),
                "{capacity}: {left_s} s of work are left"
            );
            world.run(5, 0.0, capacity, 50);
            assert!(world.queue.is_empty());
        }
    }

    #[test]
    fn usual_bursts_are_taken() {
        // the tiers can do 60 frames a second: 5, and 50 for 30 s
        let mut world = World::new();
        for _ in 0..3 {
            assert_eq!(world.run(60, 5.0, 60.0, 150).1, 0);
            assert_eq!(world.run(30, 50.0, 60.0, 150).1, 0);
        }
        // 36: what is beyond that, and no more
        let mut world = World::new();
        world.run(60, 5.0, 36.0, 150);
        let (accepted, refused) = world.run(30, 50.0, 36.0, 150);
        assert!(
            (900..1300).contains(&accepted) && refused < 550,
            "{accepted} accepted, {refused} refused"
        );
        assert!(world.longest_ms < 3000, "{} ms", world.longest_ms);
    }

    #[test]
    fn without_results_the_other_bounds_hold() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut pace = Pace::new(MAX_WAIT, start);
        for n in 0..UNKNOWN_FRAMES {
            assert_eq!(pace.admits(at(n)), Ok(()));
            pace.taken(at(n));
        }
        assert_eq!(
            pace.admits(at(100)),
            Err(TooLong { waiting: UNKNOWN_FRAMES, retry_after_s: 1 })
        );
        assert_eq!(pace.admits(at(10_200)), Ok(()), "nobody answers: it is kept");
        pace.answered(true, at(10_300));
        pace.left(at(10_300));
        pace.taken(at(10_300));
        assert!(pace.admits(at(10_300)).is_err(), "somebody does");
    }

    #[test]
    fn what_waits_at_the_broker_counts_after_a_restart() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut pace = Pace::new(MAX_WAIT, start);
        pace.behind(Some(400), at(0));
        assert!(pace.admits(at(0)).is_err());
        // ten a second: half a minute later there are few enough
        for n in 0..390 {
            pace.answered(false, at(100 * n));
        }
        assert_eq!(pace.admits(at(39_000)), Ok(()));
        assert!(pace.expected_wait_s(at(39_000)).unwrap() < 2.0);
        pace.behind(None, at(39_000));
        assert_eq!(pace.admits(at(39_000)), Ok(()));
    }
}
