//! Rows are folded as slices, which the compiler turns into vector instructions.

use crate::Size;

pub(super) fn halve(from: &[f32], size: Size, to: &mut [f32]) {
    let halved_width = size.width.div_ceil(2);
    let halved = halved_width * size.height.div_ceil(2);
    for (from, to) in from.chunks_exact(size.area()).zip(to.chunks_exact_mut(halved)) {
        for (rows, to) in from.chunks(2 * size.width).zip(to.chunks_exact_mut(halved_width)) {
            let (upper, lower) = rows.split_at(size.width);
            // where a height is odd, the last row is its own second
            fold(upper, if lower.is_empty() { upper } else { lower }, to);
        }
    }
}

/// Two rows into one; where the width is odd, the last column is alone.
fn fold(upper: &[f32], lower: &[f32], to: &mut [f32]) {
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
