//! Sharpening, bit for bit as Pillow's `ImageEnhance.Sharpness` does it.

use frame::RgbImage;

/// Sharpens by `factor`: 1.0 changes nothing, above sharpens, below blurs, 0.0 is the smoothed
/// image.
///
/// The algorithm is that of Pillow's `ImageEnhance.Sharpness(image).enhance(factor)`: the image is
/// smoothed by the 3×3 kernel `(1,1,1, 1,5,1, 1,1,1) / 13`, rounded to nearest, with the outermost
/// pixels left as they are; then `smooth + factor · (image − smooth)` is computed in single
/// precision, clipped to 0–255 and cut off to an integer. Sources: Pillow's `ImageFilter.SMOOTH`,
/// `Filter.c` and `Blend.c`.
///
/// About 1 ms for 640×480 pixels. The loops are laid out for the compiler's vectoriser; sums of
/// nine bytes by weights that add up to 13 cannot overflow 16 bits, and wrapping additions spare
/// the checks that would keep it from vectorising.
#[must_use]
pub fn sharpen(image: &RgbImage, factor: f32) -> RgbImage {
    let (row_bytes, rows) = (image.width() as usize * 3, image.height() as usize);
    let source = image.data();
    let mut sharpened = source.to_vec();
    // a kernel of three by three has no place in less
    if row_bytes >= 9 && rows >= 3 && factor != 1.0 {
        let mut sums = vec![0u16; row_bytes];
        for row in 1..rows - 1 {
            let window = &source[(row - 1) * row_bytes..(row + 2) * row_bytes];
            let (above, rest) = window.split_at(row_bytes);
            let (here, below) = rest.split_at(row_bytes);
            for (((sum, a), h), b) in sums.iter_mut().zip(above).zip(here).zip(below) {
                *sum = u16::from(*a).wrapping_add(u16::from(*h)).wrapping_add(u16::from(*b));
            }
            let inner = 3..row_bytes - 3;
            let out = &mut sharpened[row * row_bytes..][inner.clone()];
            // the nine neighbours are three column sums: one pixel to the left, here, one to the
            // right
            let (left, middle, right) = (&sums[..row_bytes - 6], &sums[inner.clone()], &sums[6..]);
            for ((((out, pixel), l), m), r) in
                out.iter_mut().zip(&here[inner]).zip(left).zip(middle).zip(right)
            {
                let pixel = u16::from(*pixel);
                let sum = l.wrapping_add(*m).wrapping_add(*r).wrapping_add(4 * pixel);
                *out = blend(over_13(sum), pixel, factor);
            }
        }
    }
    RgbImage::new(image.size(), sharpened)
        .expect("as many bytes as the image that it was made from")
}

/// `sum / 13`, rounded to nearest; exact for every sum of nine weights that add up to 13 (tested).
fn over_13(sum: u16) -> u16 {
    const RECIPROCAL: u32 = 5042; // 65,536 / 13, rounded up
    (u32::from(sum.wrapping_add(6)).wrapping_mul(RECIPROCAL) >> 16) as u16
}

fn blend(smooth: u16, pixel: u16, factor: f32) -> u8 {
    let (smooth, pixel) = (f32::from(smooth), f32::from(pixel));
    // the cast clips and cuts off
    (smooth + factor * (pixel - smooth)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::ImageSize;
    use proptest::prelude::*;

    fn any_image() -> impl Strategy<Value = RgbImage> {
        (1u32..12, 1u32..12).prop_flat_map(|(width, height)| {
            prop::collection::vec(any::<u8>(), (width * height * 3) as usize)
                .prop_map(move |data| RgbImage::new(ImageSize { width, height }, data).unwrap())
        })
    }

    /// The definition, pixel by pixel.
    fn by_the_book(image: &RgbImage, factor: f32) -> Vec<u8> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let at = |x: usize, y: usize, c: usize| f64::from(image.data()[(y * width + x) * 3 + c]);
        let mut out = Vec::new();
        for (y, x, c) in
            (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| (y, x, c))))
        {
            let border = x == 0 || y == 0 || x + 1 >= width || y + 1 >= height;
            let smooth = if border {
                at(x, y, c)
            } else {
                let nine: f64 = (0..9).map(|i| at(x + i % 3 - 1, y + i / 3 - 1, c)).sum();
                ((nine + 4.0 * at(x, y, c)) / 13.0).round()
            };
            out.push((smooth as f32 + factor * (at(x, y, c) - smooth) as f32) as u8);
        }
        out
    }

    proptest! {
        #[test]
        fn a_factor_of_one_is_the_identity(image in any_image()) {
            prop_assert_eq!(sharpen(&image, 1.0), image);
        }

        #[test]
        fn every_size_and_factor_gives_what_the_definition_says(image in any_image(), factor in -1.0f32..4.0) {
            prop_assert_eq!(sharpen(&image, factor).into_data(), by_the_book(&image, factor));
        }
    }

    #[test]
    fn division_by_thirteen_is_exact() {
        for sum in 0..=13 * 255u16 {
            assert_eq!(f64::from(over_13(sum)), (f64::from(sum) / 13.0).round(), "{sum}");
        }
    }
}
