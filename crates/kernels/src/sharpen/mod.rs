//! Sharpening, bit for bit as Pillow's `ImageEnhance.Sharpness` does it.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use crate::isa::Level;
use crate::{Isa, Size};

/// Red, green, blue.
const CHANNELS: usize = 3;

/// Sharpens an image of interleaved red, green and blue bytes by `factor`, into `to`: 1.0 changes
/// nothing, above sharpens, below blurs, 0.0 is the smoothed image.
///
/// The algorithm is that of Pillow's `ImageEnhance.Sharpness(image).enhance(factor)`: the image is
/// smoothed by the 3×3 kernel `(1,1,1, 1,5,1, 1,1,1) / 13`, rounded to nearest, with the outermost
/// pixels left as they are; then `smooth + factor · (image − smooth)` is computed in single
/// precision, clipped to 0–255 and cut off to an integer. Sources: Pillow's `ImageFilter.SMOOTH`,
/// `Filter.c` and `Blend.c`. All versions give the same bytes.
///
/// # Panics
/// When either slice has another length than an image of `size` has.
pub fn sharpen(isa: Isa, from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
    assert_eq!(from.len(), size.area() * CHANNELS, "input of three bytes a pixel");
    assert_eq!(to.len(), from.len(), "output of the input's size");
    // a kernel of three by three has no place in less
    if size.width < 3 || size.height < 3 || factor == 1.0 {
        to.copy_from_slice(from);
        return;
    }
    match isa.level() {
        Level::Portable => portable::sharpen(from, size, factor, to),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => x86_64::avx2(isa, from, size, factor, to),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => x86_64::avx512(isa, from, size, factor, to),
    }
}
