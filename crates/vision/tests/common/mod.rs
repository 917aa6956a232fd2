//! Pictures made in memory.

use frame::{ImageSize, RgbImage};
use image::{DynamicImage, ImageFormat};
use std::io::Cursor;

/// A picture without symmetries: smooth gradients with some structure on them.
pub(crate) fn picture(width: u32, height: u32) -> RgbImage {
    let mut data = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let texture = ((x * 7) ^ (y * 13)) % 32;
            data.push((x * 199 / width + texture) as u8);
            data.push((y * 199 / height + texture) as u8);
            data.push(((x + 2 * y) * 199 / (width + 2 * height) + texture) as u8);
        }
    }
    RgbImage::new(ImageSize { width, height }, data).unwrap()
}

/// The same as the image crate's type.
pub(crate) fn dynamic(image: &RgbImage) -> DynamicImage {
    DynamicImage::ImageRgb8(
        image::RgbImage::from_raw(image.width(), image.height(), image.data().to_vec()).unwrap(),
    )
}

pub(crate) fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}
