//! Writing JPEG and PNG.

use crate::VisionError;
use crate::jpeg::MAX_SIDE;
use frame::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

/// Encodes as baseline JPEG with halved colour resolution (4:2:0), as cameras do; `quality` is 1 to
/// 100.
///
/// Measured on a photo of 640×480 pixels at quality 90, on one core of the first development
/// machine: 3.4 ms, 89 kB, 43.6 dB. Full colour resolution took 3.8 ms, 103 kB, 44.4 dB: not worth
/// the bytes on an uplink. Taking every second colour value instead of averaging four would be 1 ms
/// faster, but aliases (42.5 dB). The `image` crate's encoder took 8.9 ms.
///
/// # Errors
/// When the image is wider or higher than the 65,500 pixels that decoders read.
pub fn encode_jpeg(image: &RgbImage, quality: u8) -> Result<Vec<u8>, VisionError> {
    let side = |pixels: u32| u16::try_from(pixels).ok().filter(|side| *side <= MAX_SIDE);
    let (Some(width), Some(height)) = (side(image.width()), side(image.height())) else {
        let (width, height) = (image.width(), image.height());
        return Err(VisionError::Encode(format!(
            "{width}x{height} pixels exceed the {MAX_SIDE} that decoders of JPEG read"
        )));
    };
    // photos at quality 90 take about a quarter byte a channel; room for that saves most of the
    // growing
    let mut bytes = Vec::with_capacity(image.data().len() / 4);
    let mut encoder = Encoder::new(&mut bytes, quality.clamp(1, 100));
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder
        .encode(image.data(), width, height, ColorType::Rgb)
        .map_err(|error| VisionError::Encode(error.to_string()))?;
    Ok(bytes)
}

/// Encodes as PNG without compression: as many bytes as there are in the picture and a few more,
/// in next to no time, for every reader of PNG.
///
/// # Errors
/// When the picture is larger than a PNG can be.
pub fn encode_png(image: &RgbImage) -> Result<Vec<u8>, VisionError> {
    // each row begins with the byte of its filter; headers, checksums and the heads of the stored
    // blocks come on top
    let rows = image.data().len() + image.height() as usize;
    let mut bytes = Vec::with_capacity(rows + rows / 1024 + 256);
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Uncompressed, FilterType::NoFilter)
        .write_image(image.data(), image.width(), image.height(), ExtendedColorType::Rgb8)
        .map_err(|error| VisionError::Encode(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, decode};
    use frame::ImageSize;

    #[test]
    fn a_png_is_the_picture_and_little_more() {
        for (width, height) in [(1, 1), (3, 7), (416, 312), (1000, 3)] {
            let data = (0..width * height * 3).map(|index| (index * 31 % 253) as u8).collect();
            let image = RgbImage::new(ImageSize { width, height }, data).unwrap();
            let png = encode_png(&image).unwrap();
            assert!(png.len() <= image.data().len() * 1001 / 1000 + height as usize + 128);
            assert_eq!(decode(&png, &Limits::default()).unwrap(), image);
        }
    }
}
