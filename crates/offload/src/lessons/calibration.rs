//! The threshold that keeps a promise: the mean loss of the frames that stay on the edge is below a
//! bound, with a certain confidence.
//!
//! It is *learn then test* (Angelopoulos, Bates, Candès, Jordan and Lei, arXiv:2110.01052) with
//! fixed-sequence testing: thresholds are tested one after the other, from the one that keeps the
//! easiest frames alone upwards, and the last one before the first failure is taken. So no
//! correction for many tests is due. The first one that is tested is the first that could pass if
//! there were no loss at all; that depends on how many lessons there are and not on what they say.
//!
//! The test is the upper confidence bound of a stratified mean. Scores are sorted into bins, and
//! thresholds lie on their ends. All hard frames are seen by the cloud, and easy ones with the same
//! probability, so inside a bin losses are sampled by chance. How many frames fall into each bin is
//! known of every frame, and weighs the bins' means. The bound is that of the central limit
//! theorem, with one made-up lesson in each bin that says that it is bad, since most losses are 0
//! and a few are large.
//!
//! Scenes change. What was learned fades, frames' shares sooner than losses. If the lessons tell of
//! other losses than are believed, by the cumulative sum of Page (Biometrika 41, 1954), everything
//! is forgotten, and all frames go to the cloud until enough is known again.

use super::normal;

/// Thresholds lie on the ends of this many bins.
pub(crate) const BINS: usize = 32;
/// The bins' ends are the quantiles of so many scores.
const FIRST: usize = 128;
/// After so many frames a loss counts for 1/e.
const LOSS_FRAMES: f64 = 50_000.0;
/// After so many frames a frame's share counts for 1/e.
const SHARE_FRAMES: f64 = 2_000.0;
/// What is believed of harder frames counts as so many lessons.
const NEIGHBOUR: f64 = 1.0;
/// The probability, roughly, that chance alone makes everything be forgotten, each time that losses
/// begin to rise: of easy frames and of hard ones, which are many more.
const FALSE_ALARM_EASY: f64 = 1e-3;
const FALSE_ALARM_HARD: f64 = 1e-6;
/// A change of the mean loss of hard frames by twice as much is noticed.
const HARD_SLACK: f64 = 0.05;

/// What is promised of the frames that stay on the edge.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Promise {
    /// Their mean loss is at most this, above 0 and below 1.
    pub loss: f64,
    /// With this probability.
    pub confidence: f64,
}

/// What is known of the losses at each score, of one camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Scores and losses before there are bins.
    pub(super) first: Vec<(f32, f32)>,
    /// Where each bin ends and the next one begins, ascending.
    pub(super) ends: Vec<f32>,
    pub(super) bins: [Bin; BINS],
    /// Cumulative sums of losses that nobody expected.
    excess: Excess,
    /// How often everything was forgotten.
    resets: u32,
}

/// Cumulative sums: of easy frames that lost more than was believed, of hard ones that lost more,
/// and of hard ones that lost less.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Excess {
    easy: f64,
    more: f64,
    less: f64,
}

/// What is known of the frames of a bin; all of it fades.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Bin {
    /// Frames.
    pub(super) frames: f64,
    /// Lessons.
    pub(super) lessons: f64,
    /// The sum of the squares of their weights.
    pub(super) squares: f64,
    /// The sum of their losses.
    pub(super) loss: f64,
    /// The sum of the squares of these.
    pub(super) loss_squares: f64,
}

/// What is believed of the losses of a bin.
#[derive(Clone, Copy)]
struct Belief {
    mean: f64,
    variance: f64,
}

impl Belief {
    /// Before there is any lesson: yes or no, as likely as not.
    const NOTHING: Self = Self { mean: 0.5, variance: 0.25 };
}

impl Bin {
    /// What its lessons say, together with what is believed of the bin of harder frames.
    fn belief(&self, harder: Belief) -> Belief {
        let lessons = self.lessons + NEIGHBOUR;
        let mean = (self.loss + NEIGHBOUR * harder.mean) / lessons;
        let around =
            (self.loss_squares - 2.0 * mean * self.loss + mean * mean * self.lessons).max(0.0);
        Belief { mean, variance: (around + NEIGHBOUR * harder.variance) / lessons }
    }

    /// As many lessons of equal weight would tell as much (Kish 1965), the neighbour's included.
    fn effective(&self) -> f64 {
        let own = if self.squares > 0.0 { self.lessons * self.lessons / self.squares } else { 0.0 };
        own + NEIGHBOUR
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            first: Vec::new(),
            ends: Vec::new(),
            bins: [Bin::default(); BINS],
            excess: Excess::default(),
            resets: 0,
        }
    }
}

impl Calibration {
    /// The edge measured a frame; the score may be infinite.
    pub fn frame(&mut self, score: f64) {
        if self.ends.is_empty() {
            return;
        }
        let (loss, share) = (1.0 - 1.0 / LOSS_FRAMES, 1.0 - 1.0 / SHARE_FRAMES);
        for bin in &mut self.bins {
            bin.frames *= share;
            bin.lessons *= loss;
            bin.squares *= loss * loss;
            bin.loss *= loss;
            bin.loss_squares *= loss;
        }
        let bin = self.bin_of(score);
        self.bins[bin].frames += 1.0;
    }

    /// The cloud has answered a frame of this score, too: the edge's answer had this loss, from 0
    /// to 1. `stays` tells that the frame was easy and was only sent for this.
    pub fn lesson(&mut self, score: f64, loss: f64, stays: bool, promise: Promise) {
        if score.is_nan() || !loss.is_finite() {
            return;
        }
        let loss = loss.clamp(0.0, 1.0);
        if self.ends.is_empty() {
            self.first.push((score as f32, loss as f32));
            if self.first.len() == FIRST {
                self.divide();
            }
            return;
        }
        let bin = self.bin_of(score);
        if self.is_surprised(bin, loss, stays, promise) {
            *self = Self { resets: self.resets.saturating_add(1), ..Self::default() };
            self.first.push((score as f32, loss as f32));
            return;
        }
        self.note(bin, loss);
    }

    /// The score from which on frames must go to the cloud, so that the promise is kept: below all
    /// scores while too little is known, above all scores when all frames may stay.
    #[must_use]
    pub fn threshold(&self, promise: Promise) -> f64 {
        let z = normal::quantile(promise.confidence);
        let beliefs = self.beliefs();
        let least = promise.loss * (1.0 - promise.loss);
        let (mut frames, mut loss, mut variance, mut lessons) = (0.0, 0.0, 0.0, 0.0);
        let mut kept = f64::NEG_INFINITY;
        for (index, bin) in self.bins.iter().enumerate().take(self.bin_count()) {
            frames += bin.frames;
            loss += bin.frames * beliefs[index].mean;
            variance += bin.frames * bin.frames * beliefs[index].variance / bin.effective();
            lessons += bin.frames * bin.frames / bin.effective();
            // too few lessons to tell, whatever they say
            if frames <= 0.0 || z * (least * lessons).sqrt() > promise.loss * frames {
                continue;
            }
            // losses are from 0 to 1, so their skewness is at most 1 over their deviation
            let skewed = (1.0 + 2.0 * z * z) / 6.0 * lessons / frames;
            if loss + z * variance.sqrt() + skewed > promise.loss * frames {
                break;
            }
            kept = self.ends.get(index).map_or(f64::INFINITY, |end| f64::from(*end));
        }
        kept
    }

    /// How often a change of scene was noticed.
    #[must_use]
    pub const fn resets(&self) -> u32 {
        self.resets
    }

    /// What is believed of each bin, the hardest first.
    fn beliefs(&self) -> [Belief; BINS] {
        let mut beliefs = [Belief::NOTHING; BINS];
        let mut harder = Belief::NOTHING;
        for index in (0..self.bin_count()).rev() {
            harder = self.bins[index].belief(harder);
            beliefs[index] = harder;
        }
        beliefs
    }

    fn bin_count(&self) -> usize {
        if self.ends.is_empty() { 0 } else { self.ends.len() + 1 }
    }

    fn bin_of(&self, score: f64) -> usize {
        self.ends.partition_point(|end| f64::from(*end) <= score)
    }

    fn note(&mut self, bin: usize, loss: f64) {
        let bin = &mut self.bins[bin];
        bin.lessons += 1.0;
        bin.squares += 1.0;
        bin.loss += loss;
        bin.loss_squares += loss * loss;
    }

    /// The quantiles of the first scores become the ends of the bins.
    fn divide(&mut self) {
        let first = std::mem::take(&mut self.first);
        let mut scores: Vec<f32> =
            first.iter().map(|(score, _)| *score).filter(|score| score.is_finite()).collect();
        scores.sort_by(f32::total_cmp);
        // frames in which there was nothing to measure have bins of their own
        let any = |score: f32| first.iter().any(|(other, _)| *other == score);
        let (easiest, hardest) = (any(f32::NEG_INFINITY), any(f32::INFINITY));
        let mut ends: Vec<f32> = (1..BINS)
            .filter_map(|bin| scores.get(bin * scores.len() / BINS).copied())
            // below the least score there is nothing to keep
            .filter(|end| easiest || scores.first().is_some_and(|least| least < end))
            .collect();
        if let (true, Some(least)) = (easiest, scores.first()) {
            ends.insert(0, *least);
        }
        if let (true, Some(most)) = (hardest, scores.last()) {
            ends.push(most.next_up());
        }
        ends.dedup();
        while ends.len() >= BINS {
            ends.remove(ends.len() / 2);
        }
        if ends.is_empty() {
            // all frames are alike: one end above them
            ends.push(scores.last().copied().unwrap_or_default().next_up());
        }
        self.ends = ends;
        for (score, loss) in first {
            let bin = self.bin_of(f64::from(score));
            self.bins[bin].frames += 1.0;
            self.note(bin, f64::from(loss));
        }
    }

    /// Whether frames lose more than chance explains, or hard ones less. Of hard frames there are
    /// many lessons, so a change of scene shows there first; of easy ones only more loss matters.
    fn is_surprised(&mut self, bin: usize, loss: f64, stays: bool, promise: Promise) -> bool {
        let Belief { mean, variance } = self.beliefs()[bin];
        // half of the smallest change that matters, as is usual
        let slack = if stays { promise.loss / 2.0 } else { HARD_SLACK };
        let variance = variance.max(if stays { promise.loss / 3.0 } else { HARD_SLACK });
        // a random walk with this drift rises so high by chance with that probability
        let limit = |alarm: f64| -alarm.ln() * variance / (2.0 * slack);
        let more = loss - mean.max(if stays { slack } else { 0.0 }) - slack;
        if stays {
            self.excess.easy = (self.excess.easy + more).max(0.0);
            return self.excess.easy > limit(FALSE_ALARM_EASY);
        }
        self.excess.more = (self.excess.more + more).max(0.0);
        self.excess.less = (self.excess.less + mean - loss - slack).max(0.0);
        self.excess.more.max(self.excess.less) > limit(FALSE_ALARM_HARD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lessons::random::Chance;
    use proptest::prelude::*;

    const PROMISE: Promise = Promise { loss: 0.1, confidence: 0.9 };

    /// Frames with scores from 0 to 1, all of them with a lesson; the loss is 1 for so many of
    /// those above a half, and 0 for all others.
    fn taught(frames: usize, share: f64) -> Calibration {
        let (mut calibration, mut chance) = (Calibration::default(), Chance::new(3));
        teach(&mut calibration, &mut chance, frames, share);
        calibration
    }

    fn teach(calibration: &mut Calibration, chance: &mut Chance, frames: usize, share: f64) {
        for _ in 0..frames {
            let score = chance.unit();
            let loss = if score > 0.5 && chance.unit() < share { 1.0 } else { 0.0 };
            calibration.frame(score);
            let stays = score < calibration.threshold(PROMISE);
            calibration.lesson(score, loss, stays, PROMISE);
        }
    }

    #[test]
    fn all_frames_are_sent_until_enough_is_known() {
        assert_eq!(taught(FIRST - 1, 0.0).threshold(PROMISE), f64::NEG_INFINITY);
        assert_eq!(taught(2000, 0.0).threshold(PROMISE), f64::INFINITY, "there is no loss");
        assert_eq!(taught(2000, 0.0).resets(), 0);
    }

    #[test]
    fn the_threshold_keeps_as_many_as_the_bound_allows() {
        // half of the frames lose nothing, the others 0.8: a ninth of the others may stay with them
        let threshold = taught(8000, 0.8).threshold(PROMISE);
        assert!(threshold > 0.45 && threshold < 0.5 + 1.0 / 14.0 + 0.05, "{threshold}");
    }

    #[test]
    fn a_change_of_scene_begins_anew() {
        let (mut calibration, mut chance) = (Calibration::default(), Chance::new(5));
        teach(&mut calibration, &mut chance, 3000, 0.0);
        assert_eq!(calibration.threshold(PROMISE), f64::INFINITY);
        teach(&mut calibration, &mut chance, 3000, 0.8);
        assert!(calibration.resets() > 0 && calibration.threshold(PROMISE) < 0.7);
    }

    #[test]
    fn frames_without_anything_to_measure_are_the_easiest_or_the_hardest() {
        for (score, wanted) in [(f64::NEG_INFINITY, true), (f64::INFINITY, false)] {
            let mut calibration = Calibration::default();
            for place in 0..2000 {
                let (score, loss) = match place % 4 {
                    0 => (score, if wanted { 0.0 } else { 1.0 }),
                    of => (f64::from(of), if wanted { 1.0 } else { 0.0 }),
                };
                calibration.frame(score);
                calibration.lesson(score, loss, false, PROMISE);
            }
            let threshold = calibration.threshold(PROMISE);
            assert_eq!(score < threshold, wanted, "{threshold}");
            assert_eq!(1.0 < threshold, !wanted, "{threshold}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_in_there_is_a_threshold(
            lessons in prop::collection::vec((any::<f64>(), any::<f64>(), any::<bool>()), 0..400),
            loss in 0.001f64..0.999, confidence in 0.5f64..0.999,
        ) {
            let promise = Promise { loss, confidence };
            let mut calibration = Calibration::default();
            for (score, loss, stays) in lessons {
                calibration.frame(score);
                calibration.lesson(score, loss, stays, promise);
                prop_assert!(!calibration.threshold(promise).is_nan());
            }
        }
    }
}
