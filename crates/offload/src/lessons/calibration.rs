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
//! known of every frame, and weighs the bins' means. The bound is that of the central limit theorem,
//! with one made-up lesson in each bin that says that it is bad, since most losses are 0 and a
//! few are large.
//!
//! Scenes change. What was learned fades, frames' shares sooner than losses. If audits tell of
//! more loss than is believed, by the cumulative sum of Page (Biometrika 41, 1954), everything is
//! forgotten, and all frames go to the cloud until enough is known again.

use super::normal;

/// Thresholds lie on the ends of this many bins.
pub(crate) const BINS: usize = 32;
/// The bins' ends are the quantiles of so many scores.
const FIRST: usize = 128;
/// After so many frames a loss counts for 1/e.
const LOSS_FRAMES: f64 = 20_000.0;
/// After so many frames a frame's share counts for 1/e.
const SHARE_FRAMES: f64 = 2_000.0;
/// What is believed of harder frames counts as so many lessons.
const NEIGHBOUR: f64 = 1.0;
/// The probability, roughly, that a reset follows from chance alone, at each audit.
const FALSE_ALARM: f64 = 1e-2;

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
    /// The cumulative sum of losses that nobody expected.
    pub(super) excess: f64,
    /// How often everything was forgotten.
    resets: u32,
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
        let own =
            if self.squares > 0.0 { self.lessons * self.lessons / self.squares } else { 0.0 };
        own + NEIGHBOUR
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            first: Vec::new(),
            ends: Vec::new(),
            bins: [Bin::default(); BINS],
            excess: 0.0,
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
        if stays && self.is_surprised(bin, loss, promise) {
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
            if loss + z * variance.sqrt() > promise.loss * frames {
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
        let mut ends: Vec<f32> = (1..BINS)
            .filter_map(|bin| scores.get(bin * scores.len() / BINS).copied())
            // below the least score there is nothing to keep
            .filter(|end| scores.first().is_some_and(|least| least < end))
            .collect();
        ends.dedup();
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

    /// Whether easy frames have lost more than chance explains.
    fn is_surprised(&mut self, bin: usize, loss: f64, promise: Promise) -> bool {
        let Belief { mean, variance } = self.beliefs()[bin];
        // half of the smallest rise that matters, as is usual
        let slack = promise.loss / 2.0;
        self.excess = (self.excess + loss - mean.max(slack) - slack).max(0.0);
        // a random walk with this drift rises so high by chance with that probability
        let variance = variance.max(promise.loss / 3.0);
        self.excess > -FALSE_ALARM.ln() * variance / (2.0 * slack)
    }
}
