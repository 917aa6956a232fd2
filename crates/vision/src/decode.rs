//! From a file's bytes to upright RGB pixels.

use crate::turbo::Scale;
use crate::{Limits, VisionError, exif, jpeg, orientation, png, turbo, webp};
use frame::{ImageFormat, RgbImage};
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::error::ImageError;
use image::{DynamicImage, ImageDecoder};
use std::io::Cursor;

/// Decodes a JPEG, PNG or WebP to 8-bit RGB, turned upright as its EXIF orientation says.
///
/// - Grey becomes R = G = B; CMYK and YCCK are converted; palettes are resolved; 16-bit channels
///   are rounded to 8 bits.
/// - Alpha is dropped, not blended: a transparent pixel shows the colour that is stored in it.
/// - Of an animation the first picture counts. Colour profiles are not applied.
/// - A JPEG shows what libjpeg-turbo makes of it, whose pixels are Pillow's and OpenCV's: tables
///   that are not in the file are those of ITU-T T.81, K.3, and stray bytes where a marker is due
///   are passed over.
/// - Strict: a file that is cut off or corrupt is an error, never a half-grey image. What cannot be
///   told from a picture: flipped bits in a JPEG's entropy-coded data that still decode to enough
///   pixels, data missing behind stray bytes that were passed over inside of a scan, and a
///   progressive JPEG whose last scans are missing although its end marker is there (it is
///   complete, but coarse).
/// - Never at a reduced scale, as [`crate::preview`] does: of photos 2560 pixels wide, decoding at a half
///   took 1.7 points of tiny-YOLOv3's mAP@.5 at 416×416, since Darknet's resizing does not smooth.
/// - No length in a file is believed: what is allocated is bounded by the file's own length and the
///   pixel limit.
///
/// # Errors
/// As [`VisionError`] says; the pixel limit is checked before memory is taken for pixels.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, VisionError> {
    decode_scaled(bytes, limits, None)
}

/// The same, but a JPEG may come at a half, a quarter or an eighth of its size, as long as it is
/// `width` pixels wide at least, if the picture is.
pub(crate) fn decode_scaled(
    bytes: &[u8],
    limits: &Limits,
    width: Option<u32>,
) -> Result<RgbImage, VisionError> {
    let (stored, metadata) = match ImageFormat::sniff(bytes)
        .map_err(|_| VisionError::UnknownFormat)?
    {
        ImageFormat::Jpeg => {
            let (jpeg, tidy) = jpeg::tidied(bytes, limits)?;
            let scale = width.map_or(Scale::Whole, |wanted| {
                let outline = &jpeg.outline;
                let size = orientation::turned(outline.size, exif::orientation(&outline.metadata));
                Scale::at_least(wanted, size.width)
            });
            (turbo::decode(&jpeg, &tidy, scale)?, jpeg.outline.metadata)
        }
        ImageFormat::Png => {
            let (outline, tidy) = png::tidied(bytes, limits)?;
            let decoder = PngDecoder::with_limits(Cursor::new(&tidy), allowance(limits))
                .map_err(translate)?;
            (read(decoder)?, outline.metadata)
        }
        ImageFormat::WebP => {
            let (outline, tidy) = webp::tidied(bytes, limits)?;
            let mut decoder = WebPDecoder::new(Cursor::new(&tidy)).map_err(translate)?;
            decoder.set_limits(allowance(limits)).map_err(translate)?;
            (read(decoder)?, outline.metadata)
        }
    };
    Ok(orientation::upright(stored, exif::orientation(&metadata)))
}

/// Room for the pixels at 16-bit RGBA, and for the rest of the file.
fn allowance(limits: &Limits) -> image::Limits {
    const BYTES_PER_PIXEL: u64 = 8;
    const METADATA_BYTES: u64 = 16 * 1024 * 1024;
    let mut allowed = image::Limits::no_limits();
    allowed.max_alloc =
        Some(limits.max_pixels.saturating_mul(BYTES_PER_PIXEL).saturating_add(METADATA_BYTES));
    allowed
}

fn read(decoder: impl ImageDecoder) -> Result<RgbImage, VisionError> {
    Ok(orientation::own(DynamicImage::from_decoder(decoder).map_err(translate)?))
}

fn translate(error: ImageError) -> VisionError {
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            VisionError::Truncated
        }
        other => VisionError::Corrupt(other.to_string()),
    }
}
