//! Resizing, as it is done to a network's input.

use frame::{ImageSize, RgbImage};
use kernels::{Isa, Letterboxer, Placement, Size};
use std::cell::RefCell;

/// Resizes to `to`, whose sides are at least 1, bilinearly as Darknet's `resize_image` does: the
/// values that a network of that size would get, rounded to 8 bits.
///
/// # Panics
/// When a side of `to` is 0.
#[must_use]
pub fn resize(image: &RgbImage, to: ImageSize) -> RgbImage {
    let size = |of: ImageSize| Size { width: of.width as usize, height: of.height as usize };
    let (from, to_size) = (size(image.size()), size(to));
    let placement = Placement { image: from, fitted: to_size, input: to_size };
    let mut pixels = vec![0; to_size.area() * 3];
    // a camera's frames are of one size: the tables and the row are those of the last one
    thread_local!(static KEPT: RefCell<Letterboxer> = RefCell::new(Letterboxer::new(Isa::best())));
    KEPT.with_borrow_mut(|kept| kept.fill_bytes(image.data(), placement, &mut pixels));
    RgbImage::new(to, pixels).expect("three bytes a pixel, and a pixel at least")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(width: u32, height: u32, seed: u32) -> RgbImage {
        let data = (0..width * height * 3).map(|index| (index * 37 + seed) as u8).collect();
        RgbImage::new(ImageSize { width, height }, data).unwrap()
    }

    proptest! {
        #[test]
        fn the_same_size_is_the_same_picture(
            width in 1u32..40, height in 1u32..40, seed: u32,
        ) {
            let image = pattern(width, height, seed % 256);
            prop_assert_eq!(resize(&image, image.size()), image);
        }

        /// What a network gets of the resized picture is what it gets of the picture itself, but
        /// for the rounding.
        #[test]
        fn a_network_sees_the_same(
            width in 1u32..60, height in 1u32..60, to_width in 1u32..40, to_height in 1u32..40,
        ) {
            let image = pattern(width, height, 5);
            let to = ImageSize { width: to_width, height: to_height };
            let size = |of: ImageSize| Size { width: of.width as usize, height: of.height as usize };
            let input = |image: &RgbImage| {
                let mut planes = vec![0.0; size(to).area() * 3];
                let (image_size, fitted) = (size(image.size()), size(to));
                let placement = Placement { image: image_size, fitted, input: fitted };
                Letterboxer::new(Isa::best()).fill(image.data(), placement, &mut planes);
                planes
            };
            for (direct, resized) in input(&image).iter().zip(input(&resize(&image, to))) {
                prop_assert!((direct - resized).abs() <= 0.5001 / 255.0, "{direct} {resized}");
            }
        }
    }
}
