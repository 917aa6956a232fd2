//! Numbers become bytes.

use engine::Range;

/// What bytes mean: `(byte - zero) · scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantization {
    /// Of one step.
    pub(super) scale: f32,
    /// The byte that means 0.
    pub(super) zero: u8,
}

impl Quantization {
    /// Of an image's numbers from 0 to 1, which were bytes before.
    pub(super) const IMAGE: Self = Self { scale: 1.0 / 255.0, zero: 0 };

    /// The finest that holds a range, and zero, which has a byte of its own.
    pub(super) fn of(range: Range) -> Self {
        let Range { low, high } = range.with(Range::ZERO);
        let scale = (high - low) / f32::from(u8::MAX);
        if scale.is_normal() {
            Self { scale, zero: (-low / scale).round() as u8 }
        } else {
            Self { scale: 1.0, zero: 0 }
        }
    }
}

/// The weights of one filter as signed bytes, with what one step of these is.
pub(super) fn quantized(weights: &[f32]) -> (Vec<i8>, f32) {
    let largest = weights.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
    let scale = largest / f32::from(i8::MAX);
    if !scale.is_normal() {
        return (vec![0; weights.len()], 1.0);
    }
    (weights.iter().map(|weight| (weight / scale).round() as i8).collect(), scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_gets_the_finest_steps_that_hold_it_and_zero() {
        let of = |low, high| Quantization::of(Range { low, high });
        assert_eq!(of(0.0, 255.0), Quantization { scale: 1.0, zero: 0 });
        assert_eq!(of(10.0, 510.0), Quantization { scale: 2.0, zero: 0 });
        assert_eq!(of(-51.0, 204.0), Quantization { scale: 1.0, zero: 51 });
        assert_eq!(of(-255.0, -3.0), Quantization { scale: 1.0, zero: 255 });
        assert_eq!(Quantization::of(Range::ZERO), Quantization { scale: 1.0, zero: 0 });
    }

    #[test]
    fn the_largest_weight_of_a_filter_sets_its_steps() {
        assert_eq!(quantized(&[0.5, -1.27, 0.004]), (vec![50, -127, 0], 0.01));
        assert_eq!(quantized(&[0.0, -0.0]), (vec![0, 0], 1.0));
    }
}
