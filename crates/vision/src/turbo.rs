//! Decoding and encoding JPEG with libjpeg-turbo.

use crate::VisionError;
use crate::jpeg::Jpeg;
use frame::{ImageSize, RgbImage};
use std::cell::RefCell;
use turbojpeg::{Compressor, Decompressor, Image, PixelFormat, ScalingFactor, Subsamp};

/// At which part of its size a JPEG is decoded: the scales for which the library has its fast
/// transforms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scale {
    Whole,
    Half,
    Quarter,
    Eighth,
}

impl Scale {
    /// The smallest one at which `side` pixels become at least `wanted`.
    pub(crate) fn at_least(wanted: u32, side: u32) -> Self {
        let suffices = |scale: &Self| scale.factor().scale(side as usize) >= wanted as usize;
        [Self::Eighth, Self::Quarter, Self::Half].into_iter().find(suffices).unwrap_or(Self::Whole)
    }

    pub(crate) fn of(self, size: ImageSize) -> ImageSize {
        // what is scaled down fits where it came from
        let side = |side: u32| self.factor().scale(side as usize) as u32;
        ImageSize { width: side(size.width), height: side(size.height) }
    }

    fn factor(self) -> ScalingFactor {
        match self {
            Self::Whole => ScalingFactor::ONE,
            Self::Half => ScalingFactor::ONE_HALF,
            Self::Quarter => ScalingFactor::ONE_QUARTER,
            Self::Eighth => ScalingFactor::ONE_EIGHTH,
        }
    }
}

/// Decodes what [`crate::jpeg::tidied`] gives; the EXIF orientation is not applied here.
///
/// The library warns where it goes on with a guess. What only says that bytes were passed over is
/// no fault of the picture; pixels that it had no data for are: such a picture is refused.
pub(crate) fn decode(jpeg: &Jpeg<'_>, tidy: &[u8], scale: Scale) -> Result<RgbImage, VisionError> {
    let size = scale.of(jpeg.outline.size);
    let format = if jpeg.components == 4 { PixelFormat::CMYK } else { PixelFormat::RGB };
    let pixels = pixels(tidy, size, scale, format)?;
    let pixels = if jpeg.components == 4 { rgb_of_cmyk(&pixels) } else { pixels };
    RgbImage::new(size, pixels)
        .ok_or_else(|| VisionError::corrupt("its sizes contradict each other"))
}

fn pixels(
    tidy: &[u8],
    size: ImageSize,
    scale: Scale,
    format: PixelFormat,
) -> Result<Vec<u8>, VisionError> {
    let (width, height) = (size.width as usize, size.height as usize);
    let pitch = width * format.size();
    let mut pixels = vec![0; pitch * height];
    let output = Image { pixels: pixels.as_mut_slice(), width, pitch, height, format };
    // a decompressor of its own for each picture: a used one keeps the tables of the last picture,
    // and would take them for those that are missing in the next
    let decompressed = Decompressor::new().and_then(|mut decompressor| {
        decompressor.set_scaling_factor(scale.factor())?;
        decompressor.decompress(tidy, output)
    });
    match decompressed {
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
    let rgb = |pixel: &[u8; 4]| {
        [pixel[0], pixel[1], pixel[2]].map(|light| pixel[3] - product(255 - light, pixel[3]))
    };
    pixels.as_chunks().0.iter().map(rgb).collect::<Vec<_>>().into_flattened()
}

/// `a` × `b` / 255, rounded.
fn product(a: u8, b: u8) -> u8 {
    let scaled = u32::from(a) * u32::from(b) + 128;
    (((scaled >> 8) + scaled) >> 8) as u8
}

/// What a thread that encodes keeps for the next picture.
struct Encoder {
    compressor: Compressor,
    /// Room for the largest file that the last picture could have become. The library gets no
    /// buffer that it may let grow: growing costs copies, and the buffer that it grows from is lost
    /// when it was not the library's own.
    room: Vec<u8>,
}

impl Encoder {
    /// More room is not kept, in bytes: enough for a picture of 1920×1080.
    const MOST_KEPT: usize = 8 << 20;

    fn new() -> turbojpeg::Result<Self> {
        let mut compressor = Compressor::new()?;
        compressor.set_subsamp(SUBSAMPLING)?;
        Ok(Self { compressor, room: Vec::new() })
    }

    fn encode(&mut self, image: &RgbImage, quality: u8) -> turbojpeg::Result<Vec<u8>> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let format = PixelFormat::RGB;
        let input =
            Image { pixels: image.data(), width, pitch: width * format.size(), height, format };
        let most = turbojpeg::compressed_buf_len(width, height, SUBSAMPLING)?;
        if self.room.len() < most {
            self.room = vec![0; most];
        }
        self.compressor.set_quality(quality.into())?;
        let length = self.compressor.compress_to_slice(input, &mut self.room)?;
        let jpeg = self.room[..length].to_vec();
        if self.room.len() > Self::MOST_KEPT {
            self.room = Vec::new();
        }
        Ok(jpeg)
    }
}

/// 4:2:0.
const SUBSAMPLING: Subsamp = Subsamp::Sub2x2;

/// Encodes with 4:2:0; `quality` is 1 to 100, and no side is longer than the library's limit.
pub(crate) fn encode(image: &RgbImage, quality: u8) -> Result<Vec<u8>, VisionError> {
    thread_local!(static ENCODER: RefCell<Option<Encoder>> = const { RefCell::new(None) });
    ENCODER
        .with_borrow_mut(|kept| {
            let encoder = match kept {
                Some(encoder) => encoder,
                None => kept.insert(Encoder::new()?),
            };
            encoder.encode(image, quality)
        })
        .map_err(|error| VisionError::Encode(error.to_string()))
}
