//! Rows are folded as slices, which the compiler turns into vector instructions.

use super::for_each_pair;
use crate::Size;

pub(super) fn halve(from: &[f32], size: Size, to: &mut [f32]) {
    for_each_pair(from, size, to, fold);
}

/// Two rows into one; where the width is odd, the last column is alone.
#[inline(always)]
pub(super) fn fold(upper: &[f32], lower: &[f32], to: &mut [f32]) {
    let ((upper, upper_rest), (lower, lower_rest)) =
        (upper.as_chunks::<2>(), lower.as_chunks::<2>());
    for ((to, upper), lower) in to.iter_mut().zip(upper).zip(lower) {
        *to = larger(larger(upper[0], upper[1]), larger(lower[0], lower[1]));
    }
    if let (Some(to), [upper], [lower]) = (to.last_mut(), upper_rest, lower_rest) {
        *to = larger(*upper, *lower);
    }
}

/// A single instruction, other than `f32::max`, which treats NaN in another way.
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
