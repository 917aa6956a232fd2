//! Decoding straight to a smaller scale.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::{dynamic, encoded, picture};
use frame::{ImageSize, RgbImage};
use image::ImageFormat;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use vision::{Limits, Reduced, decode, decode_reduced, encode_jpeg};

const LIMITS: Limits = Limits { max_pixels: 1_000_000 };

fn size(width: u32, height: u32) -> ImageSize {
    ImageSize { width, height }
}

fn reduced(bytes: &[u8], at_least: ImageSize) -> Reduced {
    decode_reduced(bytes, &LIMITS, at_least).unwrap()
}

/// Each pixel the mean of a square, as far as the square lies in the image.
fn averaged(image: &RgbImage, by: u32) -> RgbImage {
    let to = size(image.width().div_ceil(by), image.height().div_ceil(by));
    let mut data = Vec::new();
    for (y, x, channel) in (0..to.height)
        .flat_map(|y| (0..to.width).flat_map(move |x| (0..3).map(move |channel| (y, x, channel))))
    {
        let rows = y * by..((y + 1) * by).min(image.height());
        let columns = x * by..((x + 1) * by).min(image.width());
        let count = rows.len() * columns.len();
        let at = |y: u32, x: u32| image.data()[((y * image.width() + x) * 3 + channel) as usize];
        let sum: usize =
            rows.flat_map(|y| columns.clone().map(move |x| usize::from(at(y, x)))).sum();
        data.push((sum / count) as u8);
    }
    RgbImage::new(to, data).unwrap()
}

fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.size(), b.size());
    let sum: u64 = a.data().iter().zip(b.data()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.data().len() as f64
}

#[test]
fn the_smallest_scale_that_is_large_enough_is_taken() {
    let bytes = encode_jpeg(&picture(403, 301), 90).unwrap();
    for (at_least, expected) in [
        (size(403, 301), size(403, 301)),
        (size(1000, 1000), size(403, 301)),
        (size(203, 1), size(403, 301)),
        (size(202, 151), size(202, 151)),
        (size(102, 76), size(202, 151)),
        (size(1, 77), size(202, 151)),
        (size(101, 76), size(101, 76)),
        (size(51, 38), size(51, 38)),
        (size(52, 38), size(101, 76)),
        (size(0, 0), size(51, 38)),
    ] {
        let Reduced { image, full } = reduced(&bytes, at_least);
        assert_eq!((image.size(), full), (expected, size(403, 301)), "{at_least:?}");
    }
}

#[test]
fn a_reduced_picture_is_nearly_the_averaged_one() {
    for (width, height) in [(160, 120), (161, 119), (1, 300), (300, 1), (9, 17), (8, 8), (1, 1)] {
        let full = decode(&encode_jpeg(&picture(width, height), 95).unwrap(), &LIMITS).unwrap();
        let bytes = encode_jpeg(&picture(width, height), 95).unwrap();
        for by in [1, 2, 4, 8] {
            let at_least = size(width.div_ceil(by), height.div_ceil(by));
            let found = reduced(&bytes, at_least);
            assert_eq!(found.full, full.size());
            let expected = if found.image.size() == full.size() {
                full.clone()
            } else {
                averaged(&full, full.width().div_ceil(found.image.width()).max(by))
            };
            assert!(
                difference(&found.image, &expected) < 8.0,
                "{width}x{height} by {by}: {}",
                difference(&found.image, &expected)
            );
        }
    }
}

/// Nothing is left out where nothing is to be reduced.
#[test]
fn full_scale_is_what_decode_gives() {
    let image = picture(61, 47);
    let jpeg = encode_jpeg(&image, 90).unwrap();
    for bytes in [
        jpeg,
        encoded(&dynamic(&image), ImageFormat::Png),
        encoded(&dynamic(&image), ImageFormat::WebP),
    ] {
        let found = reduced(&bytes, image.size());
        assert_eq!((&found.image, found.full), (&decode(&bytes, &LIMITS).unwrap(), image.size()));
    }
}

#[test]
fn what_has_no_scales_stays_as_it_is() {
    let image = picture(61, 47);
    let lossless = {
        let mut compressor = turbojpeg::Compressor::new().unwrap();
        compressor.set_lossless(true).unwrap();
        compressor.set_colorspace(turbojpeg::Colorspace::RGB).unwrap();
        let format = turbojpeg::PixelFormat::RGB;
        let (width, height) = (61, 47);
        let pixels = turbojpeg::Image {
            pixels: image.data(),
            width,
            pitch: width * format.size(),
            height,
            format,
        };
        compressor.compress_to_vec(pixels).unwrap()
    };
    for bytes in [
        lossless,
        encoded(&dynamic(&image), ImageFormat::Png),
        encoded(&dynamic(&image), ImageFormat::WebP),
    ] {
        assert_eq!(
            reduced(&bytes, size(1, 1)),
            Reduced { image: image.clone(), full: size(61, 47) }
        );
    }
}

#[test]
fn every_coding_can_be_reduced() {
    let image = picture(160, 120);
    let coded = |change: &dyn Fn(&mut Encoder<&mut Vec<u8>>)| {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 95);
        change(&mut encoder);
        encoder.encode(image.data(), 160, 120, ColorType::Rgb).unwrap();
        bytes
    };
    for (kind, bytes) in [
        ("4:4:4", coded(&|encoder| encoder.set_sampling_factor(SamplingFactor::R_4_4_4))),
        ("4:2:2", coded(&|encoder| encoder.set_sampling_factor(SamplingFactor::R_4_2_2))),
        ("4:4:0", coded(&|encoder| encoder.set_sampling_factor(SamplingFactor::R_4_4_0))),
        ("progressive", coded(&|encoder| encoder.set_progressive(true))),
        ("a scan a colour", coded(&|encoder| encoder.set_optimized_huffman_tables(true))),
    ] {
        for by in [2, 4, 8] {
            let found = reduced(&bytes, size(160 / by, 120 / by)).image;
            let off = difference(&found, &averaged(&image, by));
            assert!(off < 6.0, "{kind} by {by}: {off}");
        }
    }
}

#[test]
fn sides_are_those_of_the_upright_picture() {
    for value in 1..=8u8 {
        let mut exif = b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
        exif[19] = value;
        let stored = picture(400, 296);
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 90);
        encoder.add_exif_metadata(&exif).unwrap();
        encoder.encode(stored.data(), 400, 296, ColorType::Rgb).unwrap();
        let full = decode(&bytes, &LIMITS).unwrap();
        let (width, height) = (full.width(), full.height());
        let found = reduced(&bytes, size(width / 4, height / 4));
        assert_eq!(found.full, size(width, height), "{value}");
        assert_eq!(found.image.size(), size(width / 4, height / 4), "{value}");
        assert!(difference(&found.image, &averaged(&full, 4)) < 6.0, "{value}");
        let found = reduced(&bytes, size(width / 4 + 1, 1));
        assert_eq!(found.image.size(), size(width / 2, height / 2), "{value}");
    }
}
