//! The frames that benchmarks send: 640×480 cuts of a photo.

use anyhow::Context;
use frame::{ImageSize, RgbImage};
use std::path::Path;
use vision::Limits;

const SIZE: ImageSize = ImageSize { width: 640, height: 480 };
/// What cameras commonly use.
const JPEG_QUALITY: u8 = 90;

/// A frame as a camera sends it, and decoded.
pub(super) struct BenchFrame {
    pub(super) jpeg: Vec<u8>,
    pub(super) image: RgbImage,
}

/// `count` different frames out of one photo, which is shifted a little from frame to frame and
/// repeated where it is too small.
pub(super) fn from_photo(path: &Path, count: usize) -> anyhow::Result<Vec<BenchFrame>> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("cannot read {}; name a photo with --image", path.display()))?;
    let limits = Limits { max_pixels: frame::DEFAULT_MAX_PIXELS };
    let photo = vision::decode(&bytes, &limits).with_context(|| path.display().to_string())?;
    (0..count).map(|index| cut(&photo, index * 16, &limits)).collect()
}

fn cut(photo: &RgbImage, shift: usize, limits: &Limits) -> anyhow::Result<BenchFrame> {
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let mut data = Vec::with_capacity(SIZE.width as usize * SIZE.height as usize * 3);
    for y in 0..SIZE.height as usize {
        for x in 0..SIZE.width as usize {
            let at = ((y % height) * width + (x + shift) % width) * 3;
            data.extend_from_slice(&photo.data()[at..at + 3]);
        }
    }
    let image = RgbImage::new(SIZE, data).context("a cut of the frame's size")?;
    let jpeg = vision::encode_jpeg(&image, JPEG_QUALITY)?;
    let image = vision::decode(&jpeg, limits)?;
    Ok(BenchFrame { jpeg, image })
}
