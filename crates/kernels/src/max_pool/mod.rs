//! Max pooling of 2 × 2 cells by steps of 2.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::isa::Level;
use crate::{Isa, Size};

/// Every 2 × 2 cells of the planes in `from`, each of `size`, become the largest of them in `to`;
/// where a side is odd, the last one has what is left.
///
/// All versions give the same bits, also where numbers are NaN: of two cells the second counts
/// unless the first is larger.
///
/// # Panics
/// When `from` does not consist of whole planes, or `to` has not the room for as many halved ones.
pub fn halve(isa: Isa, from: &[f32], size: Size, to: &mut [f32]) {
    if from.is_empty() {
        assert!(to.is_empty(), "there is nothing to pool");
        return;
    }
    let halved = Size { width: size.width.div_ceil(2), height: size.height.div_ceil(2) };
    let planes = from.len().checked_div(size.area()).unwrap_or(0);
    assert_eq!(planes * size.area(), from.len(), "input of whole planes");
    assert_eq!(planes * halved.area(), to.len(), "output of as many halved planes");
    match isa.level() {
        Level::Portable => portable::halve(from, size, to),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::halve(isa, from, size, to),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::halve(isa, from, size, to),
    }
}

/// Calls `fold` with two rows of a plane and the row that they become, for all planes; where a
/// height is odd, the last row is its own second.
#[inline(always)]
fn for_each_pair(
    from: &[f32],
    size: Size,
    to: &mut [f32],
    fold: impl Fn(&[f32], &[f32], &mut [f32]),
) {
    let halved_width = size.width.div_ceil(2);
    let halved = halved_width * size.height.div_ceil(2);
    for (from, to) in from.chunks_exact(size.area()).zip(to.chunks_exact_mut(halved)) {
        for (rows, to) in from.chunks(2 * size.width).zip(to.chunks_exact_mut(halved_width)) {
            let (upper, lower) = rows.split_at(size.width);
            fold(upper, if lower.is_empty() { upper } else { lower }, to);
        }
    }
}
