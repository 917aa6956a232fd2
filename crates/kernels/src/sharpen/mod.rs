//! Sharpening, bit for bit as Pillow's `ImageEnhance.Sharpness` does it.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use crate::isa::Level;
use crate::{Isa, Size};

/// Red, green, blue.
const CHANNELS: usize = 3;
/// 65,536 / 13, rounded up: `(sum + 6) · 5042 / 65,536`, cut off, is `sum / 13`, rounded to nearest.
const RECIPROCAL: u16 = 5042;
/// Below it a sharpened value fits in 32 bits before it is clipped.
const MAX_FACTOR: f32 = 1_000_000.0;

/// Sharpens images; keeps its rows from one to the next.
#[derive(Clone, Debug)]
pub struct Sharpener {
    isa: Isa,
    /// Of each value of a row and the one above it.
    pairs: Vec<u16>,
    /// Of each value of a row, the one above and the one below it.
    sums: Vec<u16>,
}

impl Sharpener {
    /// With the instructions given; no memory is taken yet.
    #[must_use]
    pub fn new(isa: Isa) -> Self {
        Self { isa, pairs: Vec::new(), sums: Vec::new() }
    }

    /// Sharpens an image of interleaved red, green and blue bytes by `factor`, in place: 1.0 changes
    /// nothing, above sharpens, below blurs, 0.0 is the smoothed image.
    ///
    /// The algorithm is that of Pillow's `ImageEnhance.Sharpness(image).enhance(factor)`: the image
    /// is smoothed by the 3×3 kernel `(1,1,1, 1,5,1, 1,1,1) / 13`, rounded to nearest, with the
    /// outermost pixels left as they are; then `smooth + factor · (image − smooth)` is computed in
    /// single precision, clipped to 0–255 and cut off to an integer. Sources: Pillow's
    /// `ImageFilter.SMOOTH`, `Filter.c` and `Blend.c`. All versions give the same bytes.
    ///
    /// Single precision it stays: fixed point in 16 bits would take half as many instructions for
    /// the last step, but for some factors, 1.2 among them, Pillow's bytes depend on how single
    /// precision rounds.
    ///
    /// 640×480 pixels took 0.70 ms on one core of an EPYC with Zen 5 in the portable version, 0.16 ms
    /// with AVX2, and 0.11 ms with AVX-512.
    ///
    /// # Panics
    /// When the slice has another length than an image of `size` has.
    pub fn sharpen(&mut self, pixels: &mut [u8], size: Size, factor: f32) {
        assert_eq!(pixels.len(), size.area() * CHANNELS, "three bytes a pixel");
        // a kernel of three by three has no place in less
        if size.width < 3 || size.height < 3 || factor == 1.0 {
            return;
        }
        let row_bytes = size.width * CHANNELS;
        let inner = CHANNELS..row_bytes - CHANNELS;
        self.sums.resize(row_bytes, 0);
        self.pairs.resize(row_bytes, 0);
        let (first, rest) = pixels.split_at(row_bytes);
        portable::add_rows(&mut self.pairs, first, &rest[..row_bytes]);
        for start in (row_bytes..pixels.len() - row_bytes).step_by(row_bytes) {
            let (here, below) = pixels[start..][..2 * row_bytes].split_at_mut(row_bytes);
            add_below(self.isa, &mut self.sums, &mut self.pairs, here, below);
            blend(self.isa, &mut here[inner.clone()], &self.sums, factor);
        }
    }
}

/// `sums` of three rows from `pairs` of two and the row below; `pairs` of this row and the next.
fn add_below(isa: Isa, sums: &mut [u16], pairs: &mut [u16], here: &[u8], below: &[u8]) {
    match isa.level() {
        Level::Portable => portable::add_below(sums, pairs, here, below),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::add_below(isa, sums, pairs, here, below),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::add_below(isa, sums, pairs, here, below),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(isa) => neon::add_below(isa, sums, pairs, here, below),
    }
}

/// Sharpens the inner pixels of a row; `sums` are those of the whole row.
fn blend(isa: Isa, here: &mut [u8], sums: &[u16], factor: f32) {
    let isa = if factor.abs() < MAX_FACTOR { isa } else { Isa::PORTABLE };
    match isa.level() {
        Level::Portable => portable::blend(here, sums, factor),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(isa) => avx2::blend(isa, here, sums, factor),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(isa) => avx512::blend(isa, here, sums, factor),
        #[cfg(target_arch = "aarch64")]
        Level::Neon(isa) => neon::blend(isa, here, sums, factor),
    }
}
