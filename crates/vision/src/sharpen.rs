//! Sharpening, bit for bit as Pillow's `ImageEnhance.Sharpness` does it.

use frame::RgbImage;
use kernels::{Isa, Sharpener, Size};

/// Sharpens by `factor`, in the image's own memory: 1.0 changes nothing, above sharpens, below
/// blurs, 0.0 is the smoothed image. [`Sharpener::sharpen`] names the algorithm, its sources and
/// its speed.
#[must_use]
pub fn sharpen(image: RgbImage, factor: f32) -> RgbImage {
    let size = image.size();
    let mut data = image.into_data();
    let sides = Size { width: size.width as usize, height: size.height as usize };
    Sharpener::new(Isa::best()).sharpen(&mut data, sides, factor);
    RgbImage::new(size, data).expect("as many bytes as before")
}
