//! Boxes cut to the picture.

use frame::{BoundingBox, ImageSize};

/// The part of the box that lies in the picture. What does not stick out keeps its numbers exactly;
/// a box that lies outside gets an edge of the picture and no width or height; numbers that are not
/// finite count as the picture's edges.
#[must_use]
pub fn clip(bounding_box: &BoundingBox, picture: ImageSize) -> BoundingBox {
    let BoundingBox { x, y, width, height } = *bounding_box;
    let (x, width) = side(x, width, picture.width as f32);
    let (y, height) = side(y, height, picture.height as f32);
    BoundingBox { x, y, width, height }
}

/// The start and length of one side within `0..=end`.
fn side(start: f32, length: f32, end: f32) -> (f32, f32) {
    let stop = start + length;
    if start >= 0.0 && length >= 0.0 && stop <= end {
        return (start, length);
    }
    // `max` and `min` pass over what is no number
    let within = |value: f32| value.max(0.0).min(end);
    let start = within(start);
    (start, (within(stop) - start).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PICTURE: ImageSize = ImageSize { width: 100, height: 50 };

    fn clipped(x: f32, y: f32, width: f32, height: f32) -> [f32; 4] {
        let BoundingBox { x, y, width, height } =
            clip(&BoundingBox { x, y, width, height }, PICTURE);
        [x, y, width, height]
    }

    #[test]
    fn what_sticks_out_is_cut() {
        assert_eq!(clipped(10.25, 5.5, 20.125, 30.0), [10.25, 5.5, 20.125, 30.0]);
        assert_eq!(clipped(-10.0, -5.0, 30.0, 10.0), [0.0, 0.0, 20.0, 5.0]);
        assert_eq!(clipped(90.0, 45.0, 30.0, 10.0), [90.0, 45.0, 10.0, 5.0]);
        assert_eq!(clipped(-10.0, 0.0, 200.0, 200.0), [0.0, 0.0, 100.0, 50.0]);
        assert_eq!(clipped(200.0, -80.0, 10.0, 10.0), [100.0, 0.0, 0.0, 0.0]);
        assert_eq!(clipped(10.0, 10.0, -5.0, 5.0), [10.0, 10.0, 0.0, 5.0]);
    }

    proptest! {
        /// Any bits at all, NaN and infinities among them.
        #[test]
        fn the_outcome_lies_in_the_picture(bits: [u32; 4], width in 1u32..9000, height in 1u32..9000) {
            let [x, y, w, h] = bits.map(f32::from_bits);
            let outcome = clip(&BoundingBox { x, y, width: w, height: h }, ImageSize { width, height });
            for (start, length, end) in
                [(outcome.x, outcome.width, width as f32), (outcome.y, outcome.height, height as f32)]
            {
                prop_assert!(start >= 0.0 && length >= 0.0, "{outcome:?}");
                prop_assert!(start + length <= end * (1.0 + f32::EPSILON), "{outcome:?}");
            }
            prop_assert_eq!(clip(&outcome, ImageSize { width, height }), outcome, "once is enough");
        }
    }
}
