//! What is done to a frame's pixels: decode, sharpen, reduce, encode.

use crate::motion::Thumbnail;
use frame::{DEFAULT_MAX_PIXELS, ImageFormat, ImageSize, MAX_FRAME_BYTES, RgbImage, Timestamp};
use regions::Regions;
use settings::Settings;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
                "the quality of a JPEG that a tier gets",
            ),
        }
    }
}

/// A frame's picture, ready to be encoded.
#[derive(Debug)]
pub(crate) struct Sharpened {
    /// Upright.
    pub(crate) picture: RgbImage,
    /// To compare it with the camera's other frames, if that is wanted.
    pub(crate) thumbnail: Option<Thumbnail>,
    decode: Duration,
    decoded_at: Timestamp,
    sharpen: Duration,
    sharpened_at: Timestamp,
}

/// What may be needed of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// A JPEG.
    Jpeg,
    /// The pixels at this size.
    Reduced(ImageSize),
    /// Either, since it is not known yet who gets the frame.
    Both(ImageSize),
}

/// A picture that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) picture: Picture,
    pub(crate) times: StageTimes,
}

/// A picture in one form or in both. The reduced form is a PNG without compression.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Picture {
    Jpeg(Vec<u8>),
    Reduced(Vec<u8>),
    Both { jpeg: Vec<u8>, reduced: Vec<u8> },
}

impl Picture {
    pub(crate) fn jpeg_bytes(&self) -> Option<usize> {
        match self {
            Self::Jpeg(jpeg) | Self::Both { jpeg, .. } => Some(jpeg.len()),
            Self::Reduced(_) => None,
        }
    }

    /// The bytes to send, in the form that is there when there is only one.
    pub(crate) fn pick(self, reduced_if_there: bool) -> (ImageFormat, Vec<u8>) {
        match self {
            Self::Both { reduced, .. } if reduced_if_there => (ImageFormat::Png, reduced),
            Self::Jpeg(jpeg) | Self::Both { jpeg, .. } => (ImageFormat::Jpeg, jpeg),
            Self::Reduced(reduced) => (ImageFormat::Png, reduced),
        }
    }
}

/// How long each step took, and when it ended: there may be a wait before any of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageTimes {
    pub(crate) decode: Duration,
    pub(crate) decoded_at: Timestamp,
    pub(crate) sharpen: Duration,
    pub(crate) sharpened_at: Timestamp,
    pub(crate) encode: Duration,
    pub(crate) encoded_at: Timestamp,
}

/// How large the JPEG of an upload becomes: reckoned from those that were encoded, for whoever
/// must know before it is.
#[derive(Debug, Default)]
pub(crate) struct JpegSizes {
    /// By the upload's format, as in [`ImageFormat::ALL`]: the bytes sent for each byte uploaded.
    ratios: Mutex<[Option<f64>; ImageFormat::ALL.len()]>,
}

impl JpegSizes {
    /// The part of a new ratio in what is kept.
    const WEIGHT: f64 = 0.1;

    /// An upload became a JPEG of so many bytes.
    pub(crate) fn encoded(&self, format: ImageFormat, uploaded: usize, jpeg: usize) {
        let ratio = jpeg as f64 / uploaded.max(1) as f64;
        let mut ratios = self.lock();
        let kept = &mut ratios[Self::index(format)];
        *kept = Some(kept.map_or(ratio, |kept| kept + Self::WEIGHT * (ratio - kept)));
    }

    /// How many bytes the JPEG would have; as many as the upload as long as none was encoded.
    pub(crate) fn expected(&self, format: ImageFormat, uploaded: usize) -> usize {
        let ratio = self.lock()[Self::index(format)].unwrap_or(1.0);
        ((uploaded as f64 * ratio) as usize).min(MAX_FRAME_BYTES)
    }

    fn index(format: ImageFormat) -> usize {
        ImageFormat::ALL.iter().position(|known| *known == format).unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, [Option<f64>; ImageFormat::ALL.len()]> {
        self.ratios.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much memory it takes to prepare the frame, in bytes; 0 for what is refused before pixels are
/// decoded.
pub(crate) fn memory_for(bytes: &[u8], config: &PixelConfig) -> u64 {
    vision::probe(bytes, &Limits { max_pixels: config.max_pixels }).map_or(0, |probed| {
        u64::from(probed.size.width) * u64::from(probed.size.height) * PixelRoom::BYTES_PER_PIXEL
    })
}

/// Decodes under limits, blackens what is masked, and sharpens: nothing that is masked is seen by
/// what comes after the decoder. Takes milliseconds: not to be called from async code.
///
/// # Errors
/// When the bytes are no image that can be decoded.
pub(crate) fn sharpened(
    bytes: &[u8],
    config: &PixelConfig,
    wants_thumbnail: bool,
    regions: Option<&Regions>,
) -> Result<Sharpened, VisionError> {
    let start = Instant::now();
    let mut image = vision::decode(bytes, &Limits { max_pixels: config.max_pixels })?;
    let blacken = |image: &mut RgbImage| {
        if let Some(regions) = regions {
            vision::blacken(image, regions.polygons());
        }
    };
    blacken(&mut image);
    let (decoded, decoded_at) = (Instant::now(), Timestamp::now());
    let thumbnail = wants_thumbnail.then(|| Thumbnail::of(&image));
    let mut picture = vision::sharpen(image, config.sharpness);
    // what is beside a mask was mixed into its edge
    blacken(&mut picture);
    let (decode, sharpen, sharpened_at) = (decoded - start, decoded.elapsed(), Timestamp::now());
    Ok(Sharpened { picture, thumbnail, decode, decoded_at, sharpen, sharpened_at })
}

/// Encodes what is wanted. Takes milliseconds, too.
///
/// # Errors
/// When the JPEG is too large to be sent at any quality.
pub(crate) fn encode(
    sharpened: &Sharpened,
    config: &PixelConfig,
    wanted: Wanted,
) -> Result<Encoded, VisionError> {
    let (picture, start) = (&sharpened.picture, Instant::now());
    let jpeg = || encode_within(picture, config.quality, MAX_FRAME_BYTES);
    let encoded = match wanted {
        Wanted::Jpeg => Picture::Jpeg(jpeg()?),
        Wanted::Reduced(size) => Picture::Reduced(reduced(picture, size)?),
        Wanted::Both(size) => Picture::Both { jpeg: jpeg()?, reduced: reduced(picture, size)? },
    };
    let (encode, encoded_at) = (start.elapsed(), Timestamp::now());
    let Sharpened { decode, decoded_at, sharpen, sharpened_at, .. } = *sharpened;
    let times = StageTimes { decode, decoded_at, sharpen, sharpened_at, encode, encoded_at };
    Ok(Encoded { picture: encoded, times })
}

/// The pixels at this size, as a PNG without compression.
fn reduced(picture: &RgbImage, size: ImageSize) -> Result<Vec<u8>, VisionError> {
    if picture.size() == size {
        return vision::encode_png(picture);
    }
    vision::encode_png(&vision::resize(picture, size))
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
    fn a_prepared_frame_is_the_sharpened_image_in_the_forms_that_are_wanted() {
        let image = noise(40, 30);
        let uploaded = vision::encode_jpeg(&image, 95).unwrap();
        let limits = Limits::default();
        let (own, smaller) = (image.size(), ImageSize { width: 20, height: 10 });
        for sharpness in [1.0, 1.2] {
            let config = PixelConfig { max_pixels: 10_000, sharpness, quality: 90 };
            let sharpened = sharpened(&uploaded, &config, false, None).unwrap();
            let expected = vision::sharpen(vision::decode(&uploaded, &limits).unwrap(), sharpness);
            assert_eq!(sharpened.picture, expected);
            let jpeg = vision::encode_jpeg(&expected, 90).unwrap();
            let png = |size| vision::encode_png(&vision::resize(&expected, size)).unwrap();
            for (wanted, picture) in [
                (Wanted::Jpeg, Picture::Jpeg(jpeg.clone())),
                (Wanted::Reduced(smaller), Picture::Reduced(png(smaller))),
                (Wanted::Reduced(own), Picture::Reduced(png(own))),
                (
                    Wanted::Both(smaller),
                    Picture::Both { jpeg: jpeg.clone(), reduced: png(smaller) },
                ),
            ] {
                let encoded = encode(&sharpened, &config, wanted).unwrap();
                assert_eq!(encoded.picture, picture, "{wanted:?}");
            }
        }
    }

    #[test]
    fn each_step_says_when_it_ended_however_long_it_waited() {
        let uploaded = vision::encode_jpeg(&noise(40, 30), 95).unwrap();
        let config = PixelConfig { max_pixels: 10_000, sharpness: 1.2, quality: 90 };
        let wait = || {
            std::thread::sleep(Duration::from_millis(2));
            Timestamp::now()
        };
        let began = wait();
        let sharpened = sharpened(&uploaded, &config, false, None).unwrap();
        let ended = Timestamp::now();
        let began_again = wait();
        let times = encode(&sharpened, &config, Wanted::Jpeg).unwrap().times;
        let moments = [
            began,
            times.decoded_at,
            times.sharpened_at,
            ended,
            began_again,
            times.encoded_at,
            Timestamp::now(),
        ];
        assert!(moments.is_sorted(), "{moments:?}");
    }

    #[test]
    fn what_is_masked_is_black_and_has_left_nothing_beside_it() {
        let mask = "{\"masks\":[{\"points\":[[0.25,0.2],[0.75,0.2],[0.75,0.8],[0.25,0.8]]}]}";
        let regions = Regions::from_json(mask).unwrap();
        let (mut seen, mut other) = (noise(40, 30), noise(40, 30));
        let hidden = |at: usize| {
            let (x, y) = (at / 3 % 40, at / 3 / 40);
            (10..30).contains(&x) && (6..24).contains(&y)
        };
        // two pictures that differ in what is masked alone
        for (at, byte) in other.data_mut().iter_mut().enumerate().filter(|(at, _)| hidden(*at)) {
            *byte = byte.wrapping_add(u8::try_from(at % 200).unwrap() + 20);
        }
        for sharpness in [0.3, 1.0, 1.2, 5.0] {
            let config = PixelConfig { max_pixels: 10_000, sharpness, quality: 90 };
            let [one, two] = [&mut seen, &mut other].map(|image| {
                let png = vision::encode_png(image).unwrap();
                sharpened(&png, &config, true, Some(&regions)).unwrap()
            });
            assert_eq!((&one.picture, &one.thumbnail), (&two.picture, &two.thumbnail));
            for (at, byte) in one.picture.data().iter().enumerate() {
                assert!(!hidden(at) || *byte == 0, "{sharpness}: {at}");
            }
        }
    }

    #[test]
    fn each_tier_gets_its_form_if_it_is_there() {
        let both = || Picture::Both { jpeg: vec![1], reduced: vec![2] };
        let (jpeg, png) = ((ImageFormat::Jpeg, vec![1]), (ImageFormat::Png, vec![2]));
        assert_eq!((both().pick(false), both().pick(true)), (jpeg.clone(), png.clone()));
        for takes_reduced in [false, true] {
            assert_eq!(Picture::Jpeg(vec![1]).pick(takes_reduced), jpeg);
            assert_eq!(Picture::Reduced(vec![2]).pick(takes_reduced), png);
        }
        assert_eq!((both().jpeg_bytes(), Picture::Reduced(vec![2]).jpeg_bytes()), (Some(1), None));
    }

    #[test]
    fn the_pixel_limit_holds() {
        let uploaded = vision::encode_jpeg(&noise(40, 30), 90).unwrap();
        let config = PixelConfig { max_pixels: 1199, sharpness: 1.2, quality: 90 };
        assert!(matches!(
            sharpened(&uploaded, &config, false, None),
            Err(VisionError::TooManyPixels { .. })
        ));
    }

    #[test]
    fn the_size_of_a_jpeg_is_reckoned_from_those_before() {
        let sizes = JpegSizes::default();
        assert_eq!(sizes.expected(ImageFormat::Jpeg, 1000), 1000);
        sizes.encoded(ImageFormat::Png, 1000, 100);
        assert_eq!(sizes.expected(ImageFormat::Png, 5000), 500);
        assert_eq!(sizes.expected(ImageFormat::Jpeg, 1000), 1000, "each format by itself");
        for _ in 0..100 {
            sizes.encoded(ImageFormat::Png, 1000, 300);
        }
        assert!((290..=300).contains(&sizes.expected(ImageFormat::Png, 1000)));
        sizes.encoded(ImageFormat::WebP, 0, 100);
        assert_eq!(sizes.expected(ImageFormat::WebP, usize::MAX), MAX_FRAME_BYTES);
    }
}
