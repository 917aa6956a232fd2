//! The loops are laid out for the compiler's vectoriser: sums of nine bytes by weights that add up
//! to 13 cannot overflow 16 bits, and wrapping additions spare the checks that would keep it from
//! vectorising.

use super::{CHANNELS, RECIPROCAL};

/// The sums of two rows.
pub(super) fn add_rows(pairs: &mut [u16], above: &[u8], here: &[u8]) {
    for ((pair, above), here) in pairs.iter_mut().zip(above).zip(here) {
        *pair = u16::from(*above) + u16::from(*here);
    }
}

pub(super) fn add_below(sums: &mut [u16], pairs: &mut [u16], here: &[u8], below: &[u8]) {
    for (((sum, pair), here), below) in sums.iter_mut().zip(pairs).zip(here).zip(below) {
        let below = u16::from(*below);
        *sum = pair.wrapping_add(below);
        *pair = u16::from(*here).wrapping_add(below);
    }
}

pub(super) fn blend(here: &mut [u8], sums: &[u16], factor: f32) {
    // the nine neighbours are three column sums: one pixel to the left, here, one to the right
    let (left, middle, right) = (sums, &sums[CHANNELS..], &sums[2 * CHANNELS..]);
    for (((here, left), middle), right) in here.iter_mut().zip(left).zip(middle).zip(right) {
        let pixel = u16::from(*here);
        let nine = left.wrapping_add(*middle).wrapping_add(*right);
        let smooth = over_13(nine.wrapping_add(pixel.wrapping_mul(4)));
        let (smooth, pixel) = (f32::from(smooth), f32::from(pixel));
        // the cast clips and cuts off; NaN becomes 0
        *here = (smooth + factor * (pixel - smooth)) as u8;
    }
}

/// `sum / 13`, rounded to nearest; exact for every sum of nine weights that add up to 13 (tested).
fn over_13(sum: u16) -> u16 {
    (u32::from(sum.wrapping_add(6)).wrapping_mul(RECIPROCAL.into()) >> 16) as u16
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
