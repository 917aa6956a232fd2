//! Numbers in the unit of their bytes become these.

use super::convolution::PANEL;

/// Activation, limits, and the zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Finish {
    /// What is negative is multiplied by it, 0 to 1.
    pub(super) slope: f32,
    /// No number is above.
    pub(super) cap: f32,
    /// The byte that means zero.
    pub(super) zero: u8,
}

impl Finish {
    /// The least and the largest number that become a byte.
    pub(super) fn limits(self) -> (f32, f32) {
        (-f32::from(self.zero), f32::from(u8::MAX - self.zero).min(self.cap))
    }

    /// To the nearest byte, to the even one of two.
    #[inline(always)]
    pub(super) fn bytes(self, values: [f32; PANEL]) -> [u8; PANEL] {
        // adding it leaves no room for the fraction, and the integer in the lowest bits
        const SHIFT: f32 = 12_582_912.0;
        let (low, high) = self.limits();
        let larger = |a: f32, b: f32| if a > b { a } else { b };
        values.map(|value| {
            let value = larger(larger(value, value * self.slope), low);
            let value = if value < high { value } else { high };
            let bits = (value + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits());
            bits.wrapping_add(u32::from(self.zero)) as u8
        })
    }
}
