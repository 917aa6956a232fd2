//! Max pooling of 2 × 2 cells by steps of 2.

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
        // memory is what it waits for: versions for wider registers were between 1.4 times as fast
        // and 0.6 times, and no faster over a whole network
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(_) | Level::Avx512(_) => portable::halve(from, size, to),
        // the compiler's vectors are NEON's
        #[cfg(target_arch = "aarch64")]
        Level::Neon(_) => portable::halve(from, size, to),
    }
}
