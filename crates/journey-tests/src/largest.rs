//! The largest frame that is taken: a photo of an exact size in bytes.

use crate::photo;
use frame::{ImageSize, RgbImage};

/// A photo is enlarged so often in each direction.
const ENLARGED: u32 = 6;
/// A comment of a JPEG has at most 65,533 bytes.
const MAX_COMMENT_BYTES: usize = 60_000;
/// A comment's marker and its length.
const COMMENT_HEADER: usize = 4;

/// A JPEG of exactly this many bytes, from one of the project's photos: enlarged, with noise that
/// no encoder can save, at the highest quality that fits; the rest is comments. Gives that quality
/// too: whoever encodes the image with it again gets about as many bytes.
///
/// # Panics
/// When it cannot be made so small.
#[must_use]
pub fn jpeg_of_size(name: &str, bytes: usize) -> (Vec<u8>, u8) {
    let image =
        vision::decode(&photo(name), &vision::Limits::default()).expect("the photo can be decoded");
    let image = noisy(&enlarged(&image));
    let encoded =
        |quality| (vision::encode_jpeg(&image, quality).expect("it can be encoded"), quality);
    let fits = |(jpeg, _): &(Vec<u8>, u8)| jpeg.len() + COMMENT_HEADER <= bytes;
    let (jpeg, quality) =
        (50..=100).rev().map(encoded).find(fits).expect("a quality at which it fits");
    (commented(&jpeg, bytes), quality)
}

fn enlarged(image: &RgbImage) -> RgbImage {
    let size = ImageSize { width: image.width() * ENLARGED, height: image.height() * ENLARGED };
    let of = |x: u32, y: u32| {
        let at = 3 * (y / ENLARGED * image.width() + x / ENLARGED) as usize;
        &image.data()[at..at + 3]
    };
    let data = (0..size.height)
        .flat_map(|y| (0..size.width).flat_map(move |x| of(x, y).iter().copied()))
        .collect();
    RgbImage::new(size, data).expect("as many bytes as the size asks for")
}

fn noisy(image: &RgbImage) -> RgbImage {
    let mut state = 1u32;
    let mut noise = || {
        // any sequence without a pattern does
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 % 24
    };
    let data =
        image.data().iter().map(|value| value.saturating_add(noise()).saturating_sub(12)).collect();
    RgbImage::new(image.size(), data).expect("as many bytes as before")
}

/// With comments after the start marker, so that it has this size.
fn commented(jpeg: &[u8], bytes: usize) -> Vec<u8> {
    let (start, rest) = jpeg.split_at(2);
    let mut out = start.to_vec();
    let mut left = bytes - jpeg.len();
    while left > 0 {
        // what remains after it must be nothing, or enough for a comment
        let size = if left <= MAX_COMMENT_BYTES {
            left
        } else {
            MAX_COMMENT_BYTES.min(left - COMMENT_HEADER)
        };
        let length = u16::try_from(size - 2).expect("it is below 65,536");
        out.extend_from_slice(&[0xFF, 0xFE]);
        out.extend_from_slice(&length.to_be_bytes());
        out.resize(out.len() + size - COMMENT_HEADER, b'.');
        left -= size;
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_exact_and_the_photo_is_whole() {
        for size in [frame::MAX_FRAME_BYTES, frame::MAX_FRAME_BYTES - 1] {
            let (jpeg, quality) = jpeg_of_size("coffee.jpg", size);
            assert_eq!(jpeg.len(), size);
            let image = vision::decode(&jpeg, &vision::Limits::default()).unwrap();
            assert_eq!((image.width(), image.height()), (600 * ENLARGED, 400 * ENLARGED));
            let again = vision::encode_jpeg(&image, quality).unwrap().len();
            assert!(again > size * 3 / 4, "{again} bytes at quality {quality}");
        }
    }
}
