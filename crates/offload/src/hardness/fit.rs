//! Fitting a measure to frames whose gain is known.

use super::features::{TERMS, features};
use super::{EdgeDetections, Empty, Hard, Hardness, Measure, Regression, WEIGHTS};

/// How strongly weights are held back, per sample, on features of unit variance. A frame's gain is
/// mostly chance, so it must be much; over twenty random halvings of 128 photos of COCO 1 was best,
/// and 0.1 and 5 were worse by less than chance is.
const RIDGE: f64 = 1.0;
/// Gains beyond these quantiles count as these: one object of a rare class may move the precision
/// of a whole set.
const QUANTILES: [f64; 2] = [0.05, 0.95];

/// A frame whose gain is known.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample<'a> {
    /// What the edge saw.
    pub seen: EdgeDetections<'a>,
    /// How much better the cloud's answer was, in any unit.
    pub gain: f64,
}

impl Regression {
    /// Ridge regression of the gain on the features. `None` when there are fewer samples than
    /// weights or a gain is not finite.
    #[must_use]
    pub fn fit(samples: &[Sample<'_>]) -> Option<Self> {
        if samples.len() < WEIGHTS || !samples.iter().all(|sample| sample.gain.is_finite()) {
            return None;
        }
        let count = samples.len() as f64;
        let gains = clipped(samples.iter().map(|sample| sample.gain).collect());
        let rows: Vec<[f64; TERMS]> = samples.iter().map(|sample| features(&sample.seen)).collect();
        let mean_gain = gains.iter().sum::<f64>() / count;
        let mean: [f64; TERMS] =
            std::array::from_fn(|column| rows.iter().map(|row| row[column]).sum::<f64>() / count);
        let deviation: [f64; TERMS] = std::array::from_fn(|column| {
            (rows.iter().map(|row| (row[column] - mean[column]).powi(2)).sum::<f64>() / count)
                .sqrt()
        });
        // a feature that is the same everywhere tells nothing, and gets no weight
        let unit = |row: &[f64; TERMS], column: usize| {
            if deviation[column] > 0.0 {
                (row[column] - mean[column]) / deviation[column]
            } else {
                0.0
            }
        };
        let units: Vec<[f64; TERMS]> =
            rows.iter().map(|row| std::array::from_fn(|column| unit(row, column))).collect();
        let product = |a: usize, b: usize| units.iter().map(|row| row[a] * row[b]).sum::<f64>();
        let matrix = std::array::from_fn(|a| {
            std::array::from_fn(|b| product(a, b) + if a == b { RIDGE * count } else { 0.0 })
        });
        let right = std::array::from_fn(|a| {
            units.iter().zip(&gains).map(|(row, gain)| row[a] * (gain - mean_gain)).sum()
        });
        let solved = solve(matrix, right);
        let slopes: [f64; TERMS] = std::array::from_fn(|column| {
            if deviation[column] > 0.0 { solved[column] / deviation[column] } else { 0.0 }
        });
        let constant =
            mean_gain - slopes.iter().zip(mean).map(|(slope, mean)| slope * mean).sum::<f64>();
        let all = std::iter::once(constant).chain(slopes).map(short);
        all.collect::<Vec<f32>>().try_into().ok().map(|weights| Self { weights })
    }
}

impl Hardness {
    /// The threshold at which this share of frames like these is hard, as nearly as the measure's
    /// values and the empty frames allow.
    #[must_use]
    pub fn for_share(
        measure: Measure,
        empty: Empty,
        frames: &[EdgeDetections<'_>],
        share: f64,
    ) -> Self {
        let mut values: Vec<f64> = frames.iter().filter_map(|seen| measure.value(seen)).collect();
        match measure.hard() {
            Hard::Below => values.sort_by(f64::total_cmp),
            Hard::From => values.sort_by(|a, b| b.total_cmp(a)),
        }
        let wanted = (share.clamp(0.0, 1.0) * frames.len() as f64).round() as usize;
        let already = if empty == Empty::Hard { frames.len() - values.len() } else { 0 };
        let count = wanted.saturating_sub(already).min(values.len());
        // half way between the last hard frame and the first easy one
        let threshold = match (count.checked_sub(1).map(|last| values[last]), values.get(count)) {
            (Some(last), Some(first)) => between(last, *first),
            (Some(last), None) if measure.hard() == Hard::From => last,
            (None, Some(first)) if measure.hard() == Hard::Below => *first,
            (None, Some(first)) if matches!(measure, Measure::Regression(_) | Measure::Sum(_)) => {
                first.next_up()
            }
            // the end of a scale from 0 to 1
            _ => 1.0,
        };
        Self { measure, threshold, empty }
    }
}

/// The middle of two numbers, in as few digits as keep it between them, so that it can be read.
fn between(a: f64, b: f64) -> f64 {
    let middle = f64::midpoint(a, b);
    let rounded = (1..17).filter_map(|digits| format!("{middle:.digits$e}").parse::<f64>().ok());
    rounded.into_iter().find(|rounded| a.min(b) < *rounded && *rounded < a.max(b)).unwrap_or(middle)
}

/// Nothing of a weight beyond five digits matters, and its text has to be short.
fn short(weight: f64) -> f32 {
    format!("{weight:.4e}").parse().unwrap_or_default()
}

fn clipped(gains: Vec<f64>) -> Vec<f64> {
    let mut sorted = gains.clone();
    sorted.sort_by(f64::total_cmp);
    let [low, high] =
        QUANTILES.map(|quantile| sorted[(quantile * (sorted.len() - 1) as f64).round() as usize]);
    gains.into_iter().map(|gain| gain.clamp(low, high)).collect()
}

/// Solves `matrix · x = right` by Cholesky's decomposition; the matrix is symmetric, and positive
/// definite thanks to the ridge.
fn solve(mut matrix: [[f64; TERMS]; TERMS], mut right: [f64; TERMS]) -> [f64; TERMS] {
    for row in 0..TERMS {
        for column in 0..=row {
            let done: f64 = (0..column).map(|k| matrix[row][k] * matrix[column][k]).sum();
            let left = matrix[row][column] - done;
            matrix[row][column] =
                if row == column { left.sqrt() } else { left / matrix[column][column] };
        }
        let done: f64 = (0..row).map(|k| matrix[row][k] * right[k]).sum();
        right[row] = (right[row] - done) / matrix[row][row];
    }
    for row in (0..TERMS).rev() {
        let done: f64 = (row + 1..TERMS).map(|k| matrix[k][row] * right[k]).sum();
        right[row] = (right[row] - done) / matrix[row][row];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardness::tests::{detection, seen};
    use frame::Detection;
    use proptest::prelude::*;

    #[test]
    fn the_equations_are_solved() {
        let mut matrix = [[0.5; TERMS]; TERMS];
        for (index, row) in matrix.iter_mut().enumerate() {
            row[index] = 2.0 + index as f64;
        }
        let wanted: [f64; TERMS] = std::array::from_fn(|index| index as f64 - 1.5);
        let right = std::array::from_fn(|row| (0..TERMS).map(|k| matrix[row][k] * wanted[k]).sum());
        for (found, wanted) in solve(matrix, right).iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
    }

    #[test]
    fn frames_with_more_doubt_are_ranked_first() {
        // classes that are as likely as not gain, sure ones do not
        let frames: Vec<Vec<Detection>> = (0..40u32)
            .map(|index| {
                (0..index % 5)
                    .map(|class| detection(class, if index % 2 == 0 { 0.3 } else { 0.95 }))
                    .collect()
            })
            .collect();
        let gain =
            |index: usize| if index.is_multiple_of(2) { f64::from(index as u32 % 5) } else { 0.0 };
        let samples: Vec<Sample<'_>> = frames
            .iter()
            .enumerate()
            .map(|(index, found)| Sample { seen: seen(found, &[]), gain: gain(index) })
            .collect();
        let fitted = Regression::fit(&samples).unwrap();
        let predicted = |index: usize| fitted.predict(&samples[index].seen);
        assert!(predicted(4) > predicted(2) && predicted(2) > predicted(7), "{fitted:?}");
        // a gain that is the same for all is predicted for all
        let flat: Vec<Sample<'_>> =
            samples.iter().map(|sample| Sample { gain: 3.0, ..*sample }).collect();
        let fitted = Regression::fit(&flat).unwrap();
        assert!(
            samples.iter().all(|sample| (fitted.predict(&sample.seen) - 3.0).abs() < 1e-3),
            "{fitted:?}"
        );
    }

    #[test]
    fn too_little_or_no_number_cannot_be_fitted() {
        let found = [detection(1, 0.5)];
        let sample = Sample { seen: seen(&found, &[]), gain: 1.0 };
        assert_eq!(Regression::fit(&[sample; WEIGHTS - 1]), None);
        assert!(Regression::fit(&[sample; WEIGHTS]).is_some());
        assert_eq!(Regression::fit(&[Sample { gain: f64::NAN, ..sample }; WEIGHTS]), None);
    }

    proptest! {
        /// Where all values differ, the share is met to the frame.
        #[test]
        fn a_share_of_the_frames_is_hard(
            confidences in prop::collection::btree_set(1u16..1000, 1..40),
            share in 0.0f64..=1.0, weight in -2.0f32..2.0,
        ) {
            let of = |c: &u16| [detection(1, f32::from(*c) / 1000.0)];
            let frames: Vec<[Detection; 1]> = confidences.iter().map(of).collect();
            let frames: Vec<EdgeDetections<'_>> = frames.iter().map(|found| seen(found, &[])).collect();
            let wanted = (share * frames.len() as f64).round() as usize;
            let mut weights = [0.0; WEIGHTS];
            weights[WEIGHTS - 1] = if weight.abs() < 0.1 { 1.0 } else { weight };
            let regression = Measure::Regression(Regression { weights });
            for measure in [Measure::MaxConfidence, Measure::MeanConfidence, regression] {
                let hardness = Hardness::for_share(measure, Empty::Easy, &frames, share);
                let hard = frames.iter().filter(|seen| hardness.is_hard(seen)).count();
                prop_assert_eq!(hard, wanted, "{}", hardness);
            }
        }

        #[test]
        fn empty_frames_have_their_part_of_the_share(empty in 0usize..20, share in 0.0f64..=1.0) {
            let found = [0.1, 0.3, 0.5, 0.7].map(|confidence| [detection(1, confidence)]);
            let mut frames = vec![seen(&[], &[]); empty];
            frames.extend(found.iter().map(|found| seen(found, &[])));
            let wanted = (share * frames.len() as f64).round() as usize;
            let count = |meaning| {
                let hardness = Hardness::for_share(Measure::MaxConfidence, meaning, &frames, share);
                frames.iter().filter(|seen| hardness.is_hard(seen)).count()
            };
            prop_assert_eq!(count(Empty::Hard), wanted.max(empty));
            prop_assert_eq!(count(Empty::Easy), wanted.min(4));
        }
    }
}
