//! The latest scores of frames, and where a share of the hardest ones begins.

use super::SplitMix;
use crate::hardness::{Cut, is_same};

/// How many scores are kept: 1 kB.
const KEPT: usize = 128;
/// About so many of the latest scores the kept ones are a sample of.
const HORIZON: u64 = 1024;

/// A random sample of the scores, in which older ones are ever fewer.
///
/// A reservoir (Vitter, ACM TOMS 11 (1), 1985) as long as there were few scores, and from then on a
/// biased one, whose memory fades exponentially (Aggarwal, VLDB 2006): each new score is kept with
/// the same probability, in place of one that chance picks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scores {
    kept: Vec<f64>,
    seen: u64,
}

impl Scores {
    /// Takes in the score of a frame; what is no number is passed over.
    pub(crate) fn push(&mut self, score: f64, random: &mut SplitMix) {
        if score.is_nan() {
            return;
        }
        self.seen = (self.seen + 1).min(HORIZON);
        if self.kept.len() < KEPT {
            self.kept.push(score);
        } else if random.below(self.seen) < KEPT as u64 {
            let place = random.below(KEPT as u64) as usize;
            self.kept[place] = score;
        }
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Where the hardest `share` begins.
    ///
    /// A new frame is as likely to have any rank among itself and the kept ones, as long as the
    /// scene does not change: so it is hard if its rank is within the share of the ranks. Where
    /// that is no whole number, and among frames of the same score, chance decides by `dice` (two
    /// numbers from 0 to 1); on the mean the share is met, whatever the scores are.
    pub(crate) fn hardest(&self, share: f64, dice: [f64; 2]) -> Cut {
        let ranks = self.kept.len() + 1;
        let hard = (share * ranks as f64 + dice[0]) as usize;
        if hard == 0 {
            return Cut::Nothing;
        }
        if hard >= ranks {
            return Cut::All;
        }
        let mut kept = self.kept.clone();
        let (_, score, _) = kept.select_nth_unstable_by(hard - 1, |a, b| b.total_cmp(a));
        let score = *score;
        let equal = self.kept.iter().filter(|kept| is_same(**kept, score)).count();
        let above =
            self.kept.iter().filter(|kept| **kept > score && !is_same(**kept, score)).count();
        // of the places among its equals, those within the share
        let inclusive = dice[1] * ((equal + 1) as f64) < (hard - above) as f64;
        Cut::At { score, inclusive }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(scores: &[f64]) -> Scores {
        let mut kept = Scores::default();
        scores.iter().for_each(|score| kept.push(*score, &mut SplitMix(1)));
        kept
    }

    /// Whether a frame of this score is hard.
    fn is_hard(cut: Cut, score: f64) -> bool {
        match cut {
            Cut::All => true,
            Cut::Nothing => false,
            Cut::At { score: at, inclusive } if is_same(at, score) => inclusive,
            Cut::At { score: at, .. } => score > at,
        }
    }

    #[test]
    fn the_hardest_are_those_above_the_cut() {
        let scores: Vec<f64> = (0..99).map(f64::from).collect();
        let cut = of(&scores).hardest(0.2, [0.0, 0.9]);
        assert_eq!(cut, Cut::At { score: 79.0, inclusive: false });
        assert_eq!(of(&scores).hardest(0.0, [0.999, 0.0]), Cut::Nothing);
        assert_eq!(of(&scores).hardest(1.0, [0.0, 0.0]), Cut::All);
        assert_eq!(Scores::default().hardest(0.2, [0.79, 0.0]), Cut::Nothing);
        assert_eq!(Scores::default().hardest(0.2, [0.81, 0.0]), Cut::All);
    }

    #[test]
    fn memory_is_bounded_and_fades() {
        let (mut scores, mut random) = (Scores::default(), SplitMix(7));
        for n in 0..20_000u32 {
            scores.push(f64::from(n), &mut random);
        }
        scores.push(f64::NAN, &mut random);
        assert_eq!(scores.len(), KEPT);
        let recent = scores.kept.iter().filter(|score| **score >= 20_000.0 - 1024.0).count();
        // the mean is 1 - 1/e of 128, and the deviation 5.5
        assert!((55..=107).contains(&recent), "{recent}");
    }

    proptest! {
        /// Each score in turn is the new one, and all dice are thrown alike: the share is met to
        /// the last digit, however many scores are the same.
        #[test]
        fn the_share_is_met_whatever_the_scores_are(
            values in prop::collection::vec(0u8..6, 2..12), share in 0.0f64..=1.0,
        ) {
            const FACES: usize = 60;
            let mut hard = 0usize;
            for new in 0..values.len() {
                let mut others: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
                let score = others.remove(new);
                let kept = of(&others);
                for first in 0..FACES {
                    for second in 0..FACES {
                        let dice = [first, second].map(|face| (face as f64 + 0.5) / FACES as f64);
                        hard += usize::from(is_hard(kept.hardest(share, dice), score));
                    }
                }
            }
            let met = hard as f64 / (values.len() * FACES * FACES) as f64;
            // as finely as the dice have faces
            prop_assert!((met - share).abs() <= 2.0 / FACES as f64, "{met} of {share}");
        }
    }
}
