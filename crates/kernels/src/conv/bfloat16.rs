//! Numbers of 16 bits with the exponent of single precision: its upper half, rounded.
//!
//! Two of them share the bits of one number of 32 bits, so that what holds and moves numbers holds
//! and moves pairs, too.

/// The upper half of a number's bits.
const UPPER: u32 = 0xFFFF_0000;

/// The nearest bfloat16, the even one of two, in the upper half of the bits.
#[inline(always)]
fn rounded(value: f32) -> u32 {
    let bits = value.to_bits();
    // what is no number stays none, whatever its lower half was
    let quiet = bits | 0x0040_0000;
    let up = bits.wrapping_add(0x7FFF + (bits >> 16 & 1));
    UPPER & if value.is_nan() { quiet } else { up }
}

/// Two numbers, rounded, in the bits of one.
#[inline(always)]
pub(super) fn pair(low: f32, high: f32) -> f32 {
    f32::from_bits(rounded(low) >> 16 | rounded(high))
}

/// The number in the lower half of a pair.
#[inline(always)]
pub(super) fn low(pair: f32) -> f32 {
    f32::from_bits(pair.to_bits() << 16)
}

/// The number in the upper half of a pair.
#[inline(always)]
pub(super) fn high(pair: f32) -> f32 {
    f32::from_bits(pair.to_bits() & UPPER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_nearest_and_to_the_even_one_of_two() {
        let step = 1.0 / 128.0;
        for (value, nearest) in [
            (1.0, 1.0),
            (-3.5, -3.5),
            (1.0 + 0.5 * step, 1.0),
            (1.0 + 0.51 * step, 1.0 + step),
            (1.0 + 1.5 * step, 1.0 + 2.0 * step),
            (-1.0 - 1.49 * step, -1.0 - step),
            (0.0, 0.0),
            (f32::MAX, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
        ] {
            let both = pair(value, -value);
            assert_eq!((low(both), high(both)), (nearest, -nearest), "{value}");
        }
        for bits in [0x7FFF_FFFF, 0x7F80_0001, 0xFFFF_FFFF] {
            let both = pair(f32::from_bits(bits), f32::from_bits(bits));
            assert!(low(both).is_nan() && high(both).is_nan(), "{bits:x}");
        }
    }
}
