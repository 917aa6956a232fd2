//! Decoding JPEG with libjpeg-turbo.

use crate::jpeg::Jpeg;
use crate::{Limits, VisionError, jpeg};
use frame::RgbImage;
use turbojpeg::{Decompressor, Image, PixelFormat};

/// Decodes; the EXIF orientation is not applied here.
///
/// The library warns where it goes on with a guess. What only says that bytes were passed over is
/// no fault of the picture; pixels that it had no data for are: such a picture is refused.
pub(crate) fn decode<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(RgbImage, Jpeg<'a>), VisionError> {
    let (jpeg, tidy) = jpeg::tidied(bytes, limits)?;
    let format = if jpeg.components == 4 { PixelFormat::CMYK } else { PixelFormat::RGB };
    let pixels = pixels(&tidy, &jpeg, format)?;
    let pixels = if jpeg.components == 4 { rgb_of_cmyk(&pixels) } else { pixels };
    let image = RgbImage::new(jpeg.outline.size, pixels)
        .ok_or_else(|| VisionError::corrupt("its sizes contradict each other"))?;
    Ok((image, jpeg))
}

fn pixels(tidy: &[u8], jpeg: &Jpeg<'_>, format: PixelFormat) -> Result<Vec<u8>, VisionError> {
    let (width, height) = (jpeg.outline.size.width as usize, jpeg.outline.size.height as usize);
    let pitch = width * format.size();
    let mut pixels = vec![0; pitch * height];
    let output = Image { pixels: pixels.as_mut_slice(), width, pitch, height, format };
    match Decompressor::new().and_then(|mut decompressor| decompressor.decompress(tidy, output)) {
        Ok(()) => Ok(pixels),
        // one message serves errors and warnings: an error always replaces a warning's, and of
        // warnings the first is kept
        Err(turbojpeg::Error::TurboJpegError(text)) if only_passed_over_bytes(&text) => Ok(pixels),
        Err(turbojpeg::Error::TurboJpegError(text))
            if text.to_ascii_lowercase().contains("premature end") =>
        {
            Err(VisionError::Truncated)
        }
        Err(turbojpeg::Error::TurboJpegError(text)) => Err(VisionError::Corrupt(text)),
        Err(other) => Err(VisionError::corrupt(other)),
    }
}

/// `JWRN_EXTRANEOUS_DATA` of libjpeg.
fn only_passed_over_bytes(text: &str) -> bool {
    text.starts_with("Corrupt JPEG data: ") && text.contains("extraneous bytes before marker")
}

/// As Pillow converts: files with four components hold what is left of the light, as Adobe's do,
/// and black takes it away evenly.
fn rgb_of_cmyk(pixels: &[u8]) -> Vec<u8> {
    let rgb = |pixel: &[u8]| {
        [pixel[0], pixel[1], pixel[2]].map(|light| pixel[3] - product(255 - light, pixel[3]))
    };
    pixels.chunks_exact(4).flat_map(rgb).collect()
}

/// `a` × `b` / 255, rounded.
fn product(a: u8, b: u8) -> u8 {
    let scaled = u32::from(a) * u32::from(b) + 128;
    (((scaled >> 8) + scaled) >> 8) as u8
}
