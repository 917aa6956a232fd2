//! The loops are laid out for the compiler's vectoriser: sums of nine bytes by weights that add up
//! to 13 cannot overflow 16 bits, and wrapping additions spare the checks that would keep it from
//! vectorising.

use super::{CHANNELS, RECIPROCAL, for_each_row};
use crate::Size;

pub(super) fn sharpen(from: &[u8], size: Size, factor: f32, to: &mut [u8]) {
    let mut sums = vec![0u16; size.width * CHANNELS];
    for_each_row(from, size, to, |[above, here, below], out| {
        for (((sum, a), h), b) in sums.iter_mut().zip(above).zip(here).zip(below) {
            *sum = u16::from(*a).wrapping_add(u16::from(*h)).wrapping_add(u16::from(*b));
        }
        // the nine neighbours are three column sums: one pixel to the left, here, one to the right
        let (left, middle, right) = (&sums[..], &sums[CHANNELS..], &sums[2 * CHANNELS..]);
        for ((((out, pixel), l), m), r) in
            out.iter_mut().zip(&here[CHANNELS..]).zip(left).zip(middle).zip(right)
        {
            let pixel = u16::from(*pixel);
            let sum = l.wrapping_add(*m).wrapping_add(*r).wrapping_add(pixel.wrapping_mul(4));
            *out = blend(over_13(sum), pixel, factor);
        }
    });
}

/// `sum / 13`, rounded to nearest; exact for every sum of nine weights that add up to 13 (tested).
fn over_13(sum: u16) -> u16 {
    (u32::from(sum.wrapping_add(6)).wrapping_mul(RECIPROCAL.into()) >> 16) as u16
}

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
