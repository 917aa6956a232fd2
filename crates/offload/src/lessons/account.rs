//! How far edge and cloud agree, by what was seen of it.

use super::normal::{self, Interval};

/// After so many lessons of a kind one counts for 1/e.
const LESSONS: f64 = 2_000.0;
/// After so many frames one counts for 1/e.
const FRAMES: f64 = 20_000.0;

/// Frames and lessons of one camera, or of all; all of it fades.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Account {
    /// Frames that stayed on the edge or did so but for an audit.
    pub(super) easy: Tally,
    /// Frames that went to the cloud because they were hard.
    pub(super) hard: Tally,
}

/// Frames of one kind.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Tally {
    pub(super) frames: f64,
    pub(super) lessons: f64,
    pub(super) loss: f64,
}

/// How far the edge's answers agree with the cloud's: 1 less the loss.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Agreement {
    /// Of the frames that stay on the edge, by the audits.
    pub easy: Option<Interval>,
    /// Of all frames, were they all left to the edge.
    pub all: Option<Interval>,
    /// The share of frames that are hard.
    pub hard_share: f64,
    /// Audits of easy frames that this rests on, the older ones counting less.
    pub audits: f64,
}

impl Account {
    /// The edge measured a frame, which was hard or not.
    pub fn frame(&mut self, hard: bool) {
        for tally in [&mut self.easy, &mut self.hard] {
            tally.frames *= 1.0 - 1.0 / FRAMES;
        }
        self.of(hard).frames += 1.0;
    }

    /// The cloud answered, too, and the edge's answer had this loss, from 0 to 1.
    pub fn lesson(&mut self, hard: bool, loss: f64) {
        if !loss.is_finite() {
            return;
        }
        let tally = self.of(hard);
        tally.lessons = tally.lessons * (1.0 - 1.0 / LESSONS) + 1.0;
        tally.loss = tally.loss * (1.0 - 1.0 / LESSONS) + loss.clamp(0.0, 1.0);
    }

    /// How far the tiers agree, with intervals of this confidence.
    #[must_use]
    pub fn agreement(&self, confidence: f64) -> Agreement {
        let of = |tally: &Tally| {
            let agreement = 1.0 - tally.loss / tally.lessons.max(f64::MIN_POSITIVE);
            normal::interval(agreement, tally.lessons, confidence)
        };
        let (easy, hard) = (of(&self.easy), of(&self.hard));
        let frames = self.easy.frames + self.hard.frames;
        let hard_share = if frames > 0.0 { self.hard.frames / frames } else { 0.0 };
        let all = match (easy, hard) {
            // the ends of a weighted sum are not further out than those of its parts
            (Some(easy), Some(hard)) => {
                let mixed = |easy: f64, hard: f64| easy + hard_share * (hard - easy);
                Some(Interval {
                    mean: mixed(easy.mean, hard.mean),
                    low: mixed(easy.low, hard.low),
                    high: mixed(easy.high, hard.high),
                })
            }
            (easy, None) if hard_share == 0.0 => easy,
            (None, hard) if hard_share == 1.0 => hard,
            (_, None) | (None, _) => None,
        };
        Agreement { easy, all, hard_share, audits: self.easy.lessons }
    }

    const fn of(&mut self, hard: bool) -> &mut Tally {
        if hard { &mut self.hard } else { &mut self.easy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audits_speak_for_easy_frames_and_both_kinds_for_all() {
        let mut account = Account::default();
        assert_eq!(account.agreement(0.9).all, None);
        for frame in 0..1000 {
            let hard = frame % 5 == 0;
            account.frame(hard);
            if hard {
                account.lesson(true, 0.5);
            } else if frame % 20 == 1 {
                account.lesson(false, if frame % 100 == 1 { 0.5 } else { 0.0 });
            }
        }
        let Agreement { easy, all, hard_share, audits } = account.agreement(0.9);
        let (easy, all) = (easy.unwrap(), all.unwrap());
        assert!((easy.mean - 0.9).abs() < 0.01 && easy.low < 0.9 && easy.high > 0.9, "{easy:?}");
        assert!((all.mean - 0.82).abs() < 0.01, "{all:?}");
        assert!((hard_share - 0.2).abs() < 0.01 && audits > 49.0 && audits <= 50.0);
    }

    #[test]
    fn a_change_is_seen_after_a_while_and_odd_numbers_are_passed_over() {
        let mut account = Account::default();
        for loss in [0.0, 1.0] {
            for _ in 0..10_000 {
                account.frame(false);
                account.lesson(false, loss);
                account.lesson(false, f64::NAN);
            }
            let easy = account.agreement(0.9).easy.unwrap();
            assert!((easy.mean - (1.0 - loss)).abs() < 0.01, "{easy:?}");
        }
    }
}
