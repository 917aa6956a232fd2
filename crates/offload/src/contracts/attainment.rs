//! Whether a contract is kept: what became of its frames within a rolling window.

use super::standing::error_budget_left;

/// The window moves on by this part of its length.
const SLOTS: usize = 60;
/// Fewer frames say nothing.
const MIN_FRAMES: u64 = 20;
/// A violation is over when this share of the error budget is left again.
const OVER_ABOVE: f64 = 0.1;

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It was answered in time.
    Met,
    /// It was answered too late, or not at all.
    Missed,
    /// The contract itself gave it up.
    SetAside,
}

/// Frames by what became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) met: u64,
    pub(super) missed: u64,
    pub(super) set_aside: u64,
}

impl Tally {
    fn field(&mut self, fate: Fate) -> &mut u64 {
        match fate {
            Fate::Met => &mut self.met,
            Fate::Missed => &mut self.missed,
            Fate::SetAside => &mut self.set_aside,
        }
    }

    fn less(&mut self, other: &Self) {
        self.met -= other.met;
        self.missed -= other.missed;
        self.set_aside -= other.set_aside;
    }
}

/// Counts within a rolling window, and since the beginning.
pub(super) struct Attainment {
    share: Option<f64>,
    slot_ms: f64,
    slots: [Tally; SLOTS],
    /// The number of the slot that is filled now, counted from the clock's zero.
    now: u64,
    window: Tally,
    ever: Tally,
    violated: bool,
}

impl Attainment {
    /// `share` is what is promised, `window_ms` the window's length.
    pub(super) fn new(window_ms: f64, share: Option<f64>, at: f64) -> Self {
        let slot_ms = window_ms / SLOTS as f64;
        Self {
            share,
            slot_ms,
            slots: [Tally::default(); SLOTS],
            now: (at / slot_ms) as u64,
            window: Tally::default(),
            ever: Tally::default(),
            violated: false,
        }
    }

    /// Time has gone by.
    pub(super) fn advance(&mut self, at: f64) {
        let slot = (at / self.slot_ms) as u64;
        if slot <= self.now {
            return;
        }
        for gone in 1..=(slot - self.now).min(SLOTS as u64) {
            let slot = &mut self.slots[((self.now + gone) % SLOTS as u64) as usize];
            self.window.less(slot);
            *slot = Tally::default();
        }
        self.now = slot;
        self.judge();
    }

    /// A frame has ended.
    pub(super) fn count(&mut self, fate: Fate, at: f64) {
        self.advance(at);
        let slot = &mut self.slots[(self.now % SLOTS as u64) as usize];
        for tally in [slot, &mut self.window, &mut self.ever] {
            *tally.field(fate) += 1;
        }
        self.judge();
    }

    fn judge(&mut self) {
        let above = if self.violated { OVER_ABOVE } else { 0.0 };
        self.violated = self.is_below(above);
    }

    /// Whether less than this part of the error budget is left.
    pub(super) fn is_below(&self, part: f64) -> bool {
        let Tally { met, missed, .. } = self.window;
        let Some(share) = self.share.filter(|_| met + missed >= MIN_FRAMES) else { return false };
        error_budget_left(share, met, missed) < part
    }

    pub(super) fn is_violated(&self) -> bool {
        self.violated
    }

    pub(super) fn window(&self) -> Tally {
        self.window
    }

    pub(super) fn ever(&self) -> Tally {
        self.ever
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_violation_begins_when_the_error_budget_is_spent_and_ends_when_some_is_left() {
        let mut kept = Attainment::new(60_000.0, Some(0.9), 0.0);
        (0..17).for_each(|_| kept.count(Fate::Met, 0.0));
        kept.count(Fate::Missed, 0.0);
        kept.count(Fate::Missed, 0.0);
        assert!(!kept.is_violated(), "19 frames say nothing");
        kept.count(Fate::SetAside, 0.0);
        assert!(!kept.is_violated(), "what is set aside is no frame of the contract");
        kept.count(Fate::Missed, 0.0);
        assert!(kept.is_violated(), "3 of 20, and 2 are allowed");
        (0..10).for_each(|_| kept.count(Fate::Met, 500.0));
        assert!(kept.is_violated(), "3 of 30 leave nothing");
        (0..4).for_each(|_| kept.count(Fate::Met, 500.0));
        assert!(!kept.is_violated(), "3 of 34 leave a little");
        kept.advance(120_000.0);
        assert_eq!(kept.window(), Tally::default());
        assert_eq!(kept.ever(), Tally { met: 31, missed: 3, set_aside: 1 });
    }

    proptest! {
        #[test]
        fn the_window_has_what_ended_within_it(
            steps in prop::collection::vec((0u32..4000, 0usize..3), 1..200),
        ) {
            const WINDOW_MS: f64 = 60_000.0;
            let mut kept = Attainment::new(WINDOW_MS, Some(0.9), 0.0);
            let (mut at, mut ended) = (0.0, Vec::new());
            for (after, fate) in steps {
                at += f64::from(after);
                let fate = [Fate::Met, Fate::Missed, Fate::SetAside][fate];
                kept.count(fate, at);
                ended.push((at, fate));
                let slot_ms = WINDOW_MS / SLOTS as f64;
                let first = (at / slot_ms) as i64 - SLOTS as i64;
                let mut expected = Tally::default();
                for (_, fate) in ended.iter().filter(|(at, _)| (at / slot_ms) as i64 > first) {
                    *expected.field(*fate) += 1;
                }
                prop_assert_eq!(kept.window(), expected);
            }
        }
    }
}
