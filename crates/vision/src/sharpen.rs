//! Sharpening, bit for bit as Pillow's `ImageEnhance.Sharpness` does it.

use frame::RgbImage;
use kernels::{Isa, Size};

/// Sharpens by `factor`: 1.0 changes nothing, above sharpens, below blurs, 0.0 is the smoothed
/// image. [`kernels::sharpen`] names the algorithm, its sources and its
/// speed.
#[must_use]
pub fn sharpen(image: &RgbImage, factor: f32) -> RgbImage {
    let size = Size { width: image.width() as usize, height: image.height() as usize };
    let mut sharpened = vec![0; image.data().len()];
    kernels::sharpen(Isa::best(), image.data(), size, factor, &mut sharpened);
    RgbImage::new(image.size(), sharpened)
        .expect("as many bytes as the image that it was made from")
}
