//! What is done to a frame's pixels: decode, sharpen, encode.

use crate::motion::Thumbnail;
use frame::{DEFAULT_MAX_PIXELS, ImageSize, MAX_FRAME_BYTES, RgbImage};
use settings::Settings;
use std::time::{Duration, Instant};
use unit::PixelRoom;
use vision::{Limits, VisionError};

/// What is done to the pixels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PixelConfig {
    /// Images with more pixels are refused.
    pub max_pixels: u64,
    /// How much to sharpen: 1.0 not at all, above sharpens, below blurs.
    pub sharpness: f32,
    /// The quality of the prepared JPEG, 1 to 100.
    pub quality: u8,
}

impl PixelConfig {
    pub(crate) fn from_settings(settings: &mut Settings) -> Self {
        let help = "how much to sharpen: 1 is not at all, above 1 sharpens, below 1 blurs";
        Self {
            max_pixels: settings.number(
                "MLVI_MAX_PIXELS",
                DEFAULT_MAX_PIXELS,
                1..=1_000_000_000,
                "images with more pixels are refused",
            ),
            sharpness: settings.number("MLVI_SHARPNESS", 1.2, 0.0..=10.0, help),
            quality: settings.number(
                "MLVI_JPEG_QUALITY",
                90,
                1..=100,
                "the quality of the JPEG that the tiers get",
            ),
        }
    }
}

/// A frame that is ready to be sent.
#[derive(Debug)]
pub(crate) struct PreparedImage {
    /// Upright.
    pub(crate) size: ImageSize,
    pub(crate) jpeg: Vec<u8>,
    /// To compare it with the camera's other frames, if that is wanted.
    pub(crate) thumbnail: Option<Thumbnail>,
    pub(crate) times: StageTimes,
}

/// How long each step took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageTimes {
    pub(crate) decode: Duration,
    pub(crate) sharpen: Duration,
    pub(crate) encode: Duration,
}

/// How much memory it takes to prepare the frame, in bytes; 0 for what is refused before pixels are
/// decoded.
pub(crate) fn memory_for(bytes: &[u8], config: &PixelConfig) -> u64 {
    vision::probe(bytes, &Limits { max_pixels: config.max_pixels }).map_or(0, |probed| {
        u64::from(probed.size.width) * u64::from(probed.size.height) * PixelRoom::BYTES_PER_PIXEL
    })
}

/// Decodes under limits, sharpens and encodes. Takes milliseconds: not to be called from async
/// code.
///
/// # Errors
/// When the bytes are no image that can be decoded, or the result is too large to be sent at any
/// quality.
pub(crate) fn prepare(
    bytes: &[u8],
    config: &PixelConfig,
    wants_thumbnail: bool,
) -> Result<PreparedImage, VisionError> {
    let start = Instant::now();
    let image = vision::decode(bytes, &Limits { max_pixels: config.max_pixels })?;
    let decoded = Instant::now();
    let thumbnail = wants_thumbnail.then(|| Thumbnail::of(&image));
    let image = vision::sharpen(image, config.sharpness);
    let sharpened = Instant::now();
    let jpeg = encode_within(&image, config.quality, MAX_FRAME_BYTES)?;
    let times = StageTimes {
        decode: decoded - start,
        sharpen: sharpened - decoded,
        encode: sharpened.elapsed(),
    };
    Ok(PreparedImage { size: image.size(), jpeg, thumbnail, times })
}

/// At `quality`, or as far below as the limit in bytes demands.
fn encode_within(image: &RgbImage, quality: u8, limit: usize) -> Result<Vec<u8>, VisionError> {
    const STEP: usize = 10;
    // below that, blocks are all that is left of a picture
    const LOWEST: u8 = 10;
    let first = vision::encode_jpeg(image, quality)?;
    if first.len() <= limit {
        return Ok(first);
    }
    for quality in (LOWEST..quality).rev().step_by(STEP) {
        let jpeg = vision::encode_jpeg(image, quality)?;
        if jpeg.len() <= limit {
            return Ok(jpeg);
        }
    }
    Err(VisionError::Encode(format!(
        "it takes more than {limit} bytes at any quality from {LOWEST} up"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: u32, height: u32) -> RgbImage {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let data = (0..width * height * 3).map(|_| next()).collect();
        RgbImage::new(ImageSize { width, height }, data).unwrap()
    }

    #[test]
    fn quality_falls_until_the_frame_fits() {
        let image = noise(64, 64);
        let full = encode_within(&image, 90, usize::MAX).unwrap().len();
        let limited = encode_within(&image, 90, full / 2).unwrap().len();
        assert!((1..=full / 2).contains(&limited), "{limited} of {full}");
        assert!(matches!(encode_within(&image, 90, 100), Err(VisionError::Encode(_))));
        assert!(matches!(encode_within(&image, 5, 100), Err(VisionError::Encode(_))));
    }

    #[test]
    fn a_prepared_frame_is_the_sharpened_image() {
        let image = noise(40, 30);
        let uploaded = vision::encode_jpeg(&image, 95).unwrap();
        let limits = Limits::default();
        for sharpness in [1.0, 1.2] {
            let config = PixelConfig { max_pixels: 10_000, sharpness, quality: 90 };
            let prepared = prepare(&uploaded, &config, false).unwrap();
            let expected = vision::sharpen(vision::decode(&uploaded, &limits).unwrap(), sharpness);
            assert_eq!(prepared.jpeg, vision::encode_jpeg(&expected, 90).unwrap());
            assert_eq!(prepared.size, image.size());
        }
    }

    #[test]
    fn the_pixel_limit_holds() {
        let uploaded = vision::encode_jpeg(&noise(40, 30), 90).unwrap();
        let config = PixelConfig { max_pixels: 1199, sharpness: 1.2, quality: 90 };
        assert!(matches!(
            prepare(&uploaded, &config, false),
            Err(VisionError::TooManyPixels { .. })
        ));
    }
}
