//! What is encoded, whatever was encoded before.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[allow(dead_code, reason = "other tests need more of it")]
mod common;

use common::picture;
use vision::{Limits, decode, encode_jpeg};

/// Where the content of the first segment with this marker starts.
fn content(jpeg: &[u8], marker: u8) -> usize {
    jpeg.windows(2).position(|pair| pair == [0xFF, marker]).unwrap() + 4
}

#[test]
fn the_same_pixels_give_the_same_bytes_after_any_others() {
    let sizes = [(64, 48), (1, 1), (2_000, 1_500), (7, 300)];
    let encoded = |(width, height), quality| encode_jpeg(&picture(width, height), quality).unwrap();
    // a thread of its own has encoded nothing yet
    let alone = sizes.map(|size| std::thread::spawn(move || encoded(size, 90)).join().unwrap());
    for quality in [100, 1, 50] {
        for (size, alone) in sizes.iter().zip(&alone) {
            let _ = encoded(*size, quality);
            assert_eq!(&encoded(*size, 90), alone, "{size:?} after quality {quality}");
        }
    }
}

#[test]
fn colours_have_half_the_resolution() {
    let jpeg = encode_jpeg(&picture(33, 17), 90).unwrap();
    // baseline; 8 bits, height, width, three components with their sampling factors
    let frame = &jpeg[content(&jpeg, 0xC0)..][..15];
    assert_eq!(frame[..6], [8, 0, 17, 0, 33, 3]);
    assert_eq!([frame[7], frame[10], frame[13]], [0x22, 0x11, 0x11]);
}

#[test]
fn quality_scales_the_standards_tables() {
    // the first entry of K.1 is 16; at 50 it stays, at 90 a fifth of it is left, at 100 it is 1
    for (quality, step) in [(0, 255), (1, 255), (25, 32), (50, 16), (90, 3), (100, 1), (255, 1)] {
        let jpeg = encode_jpeg(&picture(16, 16), quality).unwrap();
        assert_eq!(jpeg[content(&jpeg, 0xDB) + 1], step, "{quality}");
    }
}

#[test]
fn noise_takes_the_most_bytes_and_still_fits() {
    let mut state = 1u32;
    let noise = (0..61 * 47 * 3).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 31 == 0 { 0 } else { 255 }
    });
    let size = frame::ImageSize { width: 61, height: 47 };
    let image = frame::RgbImage::new(size, noise.collect()).unwrap();
    let jpeg = encode_jpeg(&image, 100).unwrap();
    assert_eq!(decode(&jpeg, &Limits::default()).unwrap().size(), size);
}
