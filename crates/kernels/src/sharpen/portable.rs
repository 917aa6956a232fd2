//! The loops are laid out for the compiler's vectoriser: sums of nine bytes by weights that add up
//! to 13 cannot overflow 16 bits, and wrapping additions spare the checks that would keep it from
//! vectorising.

use super::CHANNELS;
use crate::Size;

pub(super) fn sharpen(from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
    sharpen_rows(from, size, factor, to);
}

/// Inlined into a function for each instruction set, which the compiler then makes use of.
#[inline(always)]
pub(super) fn sharpen_rows(from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
    let (row_bytes, rows) = (size.width * CHANNELS, size.height);
    let mut sums = vec![0u16; row_bytes];
    let inner = CHANNELS..row_bytes - CHANNELS;
    // the outermost pixels stay as they are
    to[..row_bytes].copy_from_slice(&from[..row_bytes]);
    let last = (rows - 1) * row_bytes;
    to[last..].copy_from_slice(&from[last..]);
    for row in 1..rows - 1 {
        let window = &from[(row - 1) * row_bytes..(row + 2) * row_bytes];
        let (above, rest) = window.split_at(row_bytes);
        let (here, below) = rest.split_at(row_bytes);
        for (((sum, a), h), b) in sums.iter_mut().zip(above).zip(here).zip(below) {
            *sum = u16::from(*a).wrapping_add(u16::from(*h)).wrapping_add(u16::from(*b));
        }
        let out = &mut to[row * row_bytes..][..row_bytes];
        out[..CHANNELS].copy_from_slice(&here[..CHANNELS]);
        out[inner.end..].copy_from_slice(&here[inner.end..]);
        // the nine neighbours are three column sums: one pixel to the left, here, one to the right
        let (left, middle, right) =
            (&sums[..inner.end - CHANNELS], &sums[inner.clone()], &sums[2 * CHANNELS..]);
        for ((((out, pixel), l), m), r) in
            out[inner.clone()].iter_mut().zip(&here[inner.clone()]).zip(left).zip(middle).zip(right)
        {
            let pixel = u16::from(*pixel);
            let sum = l.wrapping_add(*m).wrapping_add(*r).wrapping_add(pixel.wrapping_mul(4));
            *out = blend(over_13(sum), pixel, factor);
        }
    }
}

/// `sum / 13`, rounded to nearest; exact for every sum of nine weights that add up to 13 (tested).
#[inline(always)]
fn over_13(sum: u16) -> u16 {
    const RECIPROCAL: u32 = 5042; // 65,536 / 13, rounded up
    (u32::from(sum.wrapping_add(6)).wrapping_mul(RECIPROCAL) >> 16) as u16
}

#[inline(always)]
fn blend(smooth: u16, pixel: u16, factor: f32) -> u8 {
    let (smooth, pixel) = (f32::from(smooth), f32::from(pixel));
    // the cast clips and cuts off
    (smooth + factor * (pixel - smooth)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_by_thirteen_is_exact() {
        for sum in 0..=13 * 255u16 {
            assert_eq!(f64::from(over_13(sum)), (f64::from(sum) / 13.0).round(), "{sum}");
        }
    }
}
