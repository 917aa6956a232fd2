//! Turning an image upright.

use frame::{ImageSize, RgbImage};
use image::DynamicImage;
use image::metadata::Orientation;

/// The image, turned and mirrored.
pub(crate) fn upright(image: RgbImage, orientation: Orientation) -> RgbImage {
    if orientation == Orientation::NoTransforms {
        return image;
    }
    let ImageSize { width, height } = image.size();
    let buffer = image::RgbImage::from_raw(width, height, image.into_data());
    let mut image = DynamicImage::ImageRgb8(
        buffer.expect("an RgbImage has exactly the bytes that its size says"),
    );
    image.apply_orientation(orientation);
    own(image)
}

/// Any image as 8-bit RGB: grey is tripled, 16 bits are rounded to 8, alpha is dropped.
pub(crate) fn own(image: DynamicImage) -> RgbImage {
    let rgb = image.into_rgb8();
    let size = ImageSize { width: rgb.width(), height: rgb.height() };
    RgbImage::new(size, rgb.into_raw())
        .expect("a decoded image has pixels, and three bytes for each")
}
