//! From a file's bytes to upright RGB pixels.

use crate::{Limits, VisionError, jpeg, orientation, probe};
use frame::{ImageFormat, RgbImage};
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::error::ImageError;
use image::{DynamicImage, ImageDecoder};
use std::io::Cursor;

/// Decodes a JPEG, PNG or WebP to 8-bit RGB, turned upright as its EXIF orientation says.
///
/// - Grey becomes R = G = B; CMYK and YCCK are converted; palettes are resolved; 16-bit channels are rounded to 8 bits.
/// - Alpha is dropped, not blended: a transparent pixel shows the colour that is stored in it.
/// - Of an animation the first picture counts. Colour profiles are not applied.
/// - Strict: a file that is cut off or corrupt is an error, never a half-grey image. What cannot be told from a picture: flipped
///   bits in a JPEG's entropy-coded data that still decode to the right number of pixels, and a progressive JPEG whose last
///   scans are missing although its end marker is there (it is complete, but coarse).
///
/// # Errors
/// As [`VisionError`] says; the pixel limit is checked before memory is taken for pixels.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, VisionError> {
    let format = ImageFormat::sniff(bytes).map_err(|_| VisionError::UnknownFormat)?;
    if format == ImageFormat::Jpeg {
        let outline = jpeg::outline(bytes, limits)?;
        let image = jpeg::decode(bytes, &outline)?;
        return Ok(orientation::upright(image, orientation::of_exif(outline.exif)));
    }
    probe(bytes, limits)?;
    let allowed = allowance(limits);
    let input = Cursor::new(bytes);
    if format == ImageFormat::Png {
        read(PngDecoder::with_limits(input, allowed).map_err(translate)?)
    } else {
        let mut decoder = WebPDecoder::new(input).map_err(translate)?;
        decoder.set_limits(allowed).map_err(translate)?;
        read(decoder)
    }
}

/// Room for the pixels at 16-bit RGBA, and for the rest of the file.
fn allowance(limits: &Limits) -> image::Limits {
    const BYTES_PER_PIXEL: u64 = 8;
    const METADATA_BYTES: u64 = 16 * 1024 * 1024;
    let mut allowed = image::Limits::no_limits();
    allowed.max_alloc = Some(limits.max_pixels.saturating_mul(BYTES_PER_PIXEL).saturating_add(METADATA_BYTES));
    allowed
}

fn read(mut decoder: impl ImageDecoder) -> Result<RgbImage, VisionError> {
    let orientation = decoder.orientation().map_err(translate)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(translate)?;
    image.apply_orientation(orientation);
    Ok(orientation::own(image))
}

pub(crate) fn translate(error: ImageError) -> VisionError {
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => VisionError::Truncated,
        other => VisionError::Corrupt(other.to_string()),
    }
}
