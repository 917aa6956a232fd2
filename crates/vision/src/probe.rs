//! Format and size of an image, without decoding it.

use crate::{Limits, VisionError, jpeg, png, webp};
use frame::{ImageFormat, ImageSize};

/// What the outside of an image says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probed {
    /// By the first bytes, not by what a client claims.
    pub format: ImageFormat,
    /// As stored: an EXIF orientation that turns the image by 90° swaps the two when it is
    /// decoded.
    pub size: ImageSize,
}

/// Reads format and size, and refuses what cannot be decoded as far as that shows from outside: no
/// image, too many pixels, markers or chunks out of place, an end that is missing. No pixel is
/// decoded, and nothing is allocated that is larger than the file.
///
/// A JPEG is walked from marker to marker up to its end, which touches every byte once (about 0.1
/// ms per megabyte); a PNG and a WebP are walked from chunk to chunk.
///
/// # Errors
/// As [`VisionError`] says; an image that passes may still turn out to be corrupt in
/// [`crate::decode`].
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Probed, VisionError> {
    let format = ImageFormat::sniff(bytes).map_err(|_| VisionError::UnknownFormat)?;
    let size = match format {
        ImageFormat::Jpeg => jpeg::outline(bytes, limits)?.outline.size,
        ImageFormat::Png => png::outline(bytes, limits)?.size,
        ImageFormat::WebP => webp::outline(bytes, limits)?.size,
    };
    Ok(Probed { format, size })
}
