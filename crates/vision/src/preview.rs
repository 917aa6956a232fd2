//! Pictures for people to look at, smaller than they were uploaded.

use crate::decode::decode_scaled;
use crate::{Limits, VisionError, resize};
use frame::{ImageSize, RgbImage};

/// Decodes as [`crate::decode`] does, to a picture that is at most `width` pixels wide (at least 1)
/// and keeps the proportions; a narrower one stays as it is. Whole blocks of pixels are averaged,
/// and a JPEG is decoded at a part of its size where that suffices: a picture that shall be a
/// quarter as wide takes a third of the time. Not for a network: see [`crate::decode`].
///
/// # Errors
/// As [`VisionError`] says.
pub fn preview(bytes: &[u8], limits: &Limits, width: u32) -> Result<RgbImage, VisionError> {
    Ok(narrowed(decode_scaled(bytes, limits, Some(width.max(1)))?, width))
}

/// The same of a picture that is decoded already.
#[must_use]
pub fn narrowed(mut picture: RgbImage, width: u32) -> RgbImage {
    let width = width.max(1);
    while picture.width() / 2 >= width && picture.height() >= 2 {
        picture = halved(&picture);
    }
    if picture.width() <= width {
        return picture;
    }
    let ratio = f64::from(width) / f64::from(picture.width());
    let height = ((f64::from(picture.height()) * ratio).round() as u32).max(1);
    resize(&picture, ImageSize { width, height })
}

/// Each pixel is the mean of four; an odd last row or column is left out.
fn halved(picture: &RgbImage) -> RgbImage {
    let size = ImageSize { width: picture.width() / 2, height: picture.height() / 2 };
    let pixels = picture.data().as_chunks::<3>().0;
    let mut data = Vec::with_capacity(size.width as usize * size.height as usize * 3);
    for rows in pixels.chunks_exact(2 * picture.width() as usize) {
        let (upper, lower) = rows.split_at(picture.width() as usize);
        for (upper, lower) in upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0) {
            data.extend((0..3).map(|channel| {
                let sum: u16 = [upper[0], upper[1], lower[0], lower[1]]
                    .map(|of| u16::from(of[channel]))
                    .iter()
                    .sum();
                ((sum + 2) / 4) as u8
            }));
        }
    }
    RgbImage::new(size, data).expect("half as many rows and columns, and one at least")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode, encode_jpeg, encode_png};

    /// Smooth, so that every way of making it smaller comes to about the same.
    fn gradient(width: u32, height: u32) -> RgbImage {
        let pixel = |index: u32| {
            let (x, y) = (index % width, index / width);
            [x * 255 / width, y * 255 / height, 90].map(|value| value as u8)
        };
        let data = (0..width * height).flat_map(pixel).collect();
        RgbImage::new(ImageSize { width, height }, data).unwrap()
    }

    #[test]
    fn a_preview_is_the_picture_at_its_width() {
        for (width, height) in [(640, 480), (641, 479), (97, 300), (2000, 30)] {
            let image = gradient(width, height);
            for encoded in [encode_jpeg(&image, 95).unwrap(), encode_png(&image).unwrap()] {
                for wanted in [1, 10, 79, 80, 81, 160, 300, 5000] {
                    let preview = preview(&encoded, &Limits::default(), wanted).unwrap();
                    assert_eq!(preview.width(), wanted.min(width));
                    let exact = f64::from(height * preview.width()) / f64::from(width);
                    let off = (f64::from(preview.height()) - exact).abs();
                    assert!(off <= 2.0, "{width}x{height} at {wanted}: {}", preview.height());
                    // the middle of a picture with few pixels is one of two
                    let pixel = 255 / preview.height().min(preview.width()) + 4;
                    let middle = |of: &RgbImage| {
                        let index = of.height() / 2 * of.width() + of.width() / 2;
                        of.data().as_chunks::<3>().0[index as usize]
                    };
                    for (a, b) in middle(&preview).iter().zip(middle(&image)) {
                        assert!(
                            u32::from(a.abs_diff(b)) <= pixel,
                            "{width}x{height} at {wanted}: {a} {b}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_picture_that_is_narrower_is_decoded_as_it_is() {
        let jpeg = encode_jpeg(&gradient(64, 48), 90).unwrap();
        let limits = Limits::default();
        assert_eq!(preview(&jpeg, &limits, 64).unwrap(), decode(&jpeg, &limits).unwrap());
        assert!(preview(&jpeg[..jpeg.len() / 2], &limits, 8).is_err());
        assert!(preview(&jpeg, &Limits { max_pixels: 100 }, 8).is_err(), "of the upload");
    }

    /// An orientation that swaps the sides counts before the width is looked at.
    #[test]
    fn the_width_is_that_of_the_upright_picture() {
        let jpeg = encode_jpeg(&gradient(400, 100), 90).unwrap();
        let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let turned = [&jpeg[..2], &[0xFF, 0xE1], &length, exif, &jpeg[2..]].concat();
        let preview = preview(&turned, &Limits::default(), 50).unwrap();
        assert_eq!(preview.size(), ImageSize { width: 50, height: 200 });
    }
}
