//! What comes out of files of every kind.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::{dynamic, encoded, picture};
use frame::{ImageFormat as Format, ImageSize, RgbImage};
use image::{DynamicImage, ImageFormat};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use vision::{Limits, VisionError, decode, encode_jpeg, probe, sharpen};

const LIMITS: Limits = Limits { max_pixels: 1_000_000 };

/// The mean absolute difference of two pictures of one size, in levels.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.size(), b.size());
    let sum: u64 = a.data().iter().zip(b.data()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.data().len() as f64
}

/// JPEG at quality 90 with these settings.
fn jpeg(
    pixels: &[u8],
    size: (u16, u16),
    color: ColorType,
    change: impl Fn(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    change(&mut encoder);
    encoder.encode(pixels, size.0, size.1, color).unwrap();
    bytes
}

#[test]
fn lossless_formats_come_back_exactly() {
    let image = picture(37, 21);
    for (format, named) in [(ImageFormat::Png, Format::Png), (ImageFormat::WebP, Format::WebP)] {
        let bytes = encoded(&dynamic(&image), format);
        assert_eq!(decode(&bytes, &LIMITS).unwrap(), image);
        let probed = probe(&bytes, &LIMITS).unwrap();
        assert_eq!((probed.format, probed.size), (named, image.size()));
    }
}

#[test]
fn every_kind_of_png_becomes_rgb() {
    let image = picture(16, 9);
    let rgb = dynamic(&image);
    for same in
        [DynamicImage::ImageRgba8(rgb.to_rgba8()), rgb.to_rgb16().into(), rgb.to_rgba16().into()]
    {
        assert_eq!(
            decode(&encoded(&same, ImageFormat::Png), &LIMITS).unwrap(),
            image,
            "{:?}",
            same.color()
        );
    }
    for grey in [
        DynamicImage::ImageLuma8(rgb.to_luma8()),
        rgb.to_luma16().into(),
        rgb.to_luma_alpha8().into(),
    ] {
        let decoded = decode(&encoded(&grey, ImageFormat::Png), &LIMITS).unwrap();
        assert!(
            decoded.data().chunks(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]),
            "{:?}",
            grey.color()
        );
    }
}

#[test]
fn transparent_pixels_show_their_stored_colour() {
    let pixel = image::RgbaImage::from_pixel(2, 2, image::Rgba([10, 20, 30, 0]));
    let decoded = decode(&encoded(&pixel.into(), ImageFormat::Png), &LIMITS).unwrap();
    assert_eq!(decoded.data()[..3], [10, 20, 30]);
}

#[test]
fn every_kind_of_jpeg_becomes_rgb() {
    let image = picture(61, 47);
    let size = (61, 47);
    let color = |change: &dyn Fn(&mut Encoder<&mut Vec<u8>>)| {
        jpeg(image.data(), size, ColorType::Rgb, change)
    };
    let cmyk: Vec<u8> =
        image.data().chunks(3).flat_map(|p| [255 - p[0], 255 - p[1], 255 - p[2], 0]).collect();
    let kinds = [
        ("4:4:4", color(&|encoder| encoder.set_sampling_factor(SamplingFactor::R_4_4_4))),
        ("4:2:2", color(&|encoder| encoder.set_sampling_factor(SamplingFactor::R_4_2_2))),
        ("4:2:0", color(&|encoder| encoder.set_sampling_factor(SamplingFactor::R_4_2_0))),
        ("progressive", color(&|encoder| encoder.set_progressive(true))),
        ("restart markers", color(&|encoder| encoder.set_restart_interval(3))),
        ("a scan a colour", color(&|encoder| encoder.set_optimized_huffman_tables(true))),
        ("CMYK", jpeg(&cmyk, size, ColorType::Cmyk, |_| ())),
        ("YCCK", jpeg(&cmyk, size, ColorType::CmykAsYcck, |_| ())),
    ];
    for (kind, bytes) in kinds {
        let decoded = decode(&bytes, &LIMITS).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert!(
            difference(&decoded, &image) < 6.0,
            "{kind} is {} levels off",
            difference(&decoded, &image)
        );
        assert_eq!(probe(&bytes, &LIMITS).unwrap().size, image.size(), "{kind}");
    }
    let grey: Vec<u8> = image.data().chunks(3).map(|pixel| pixel[0]).collect();
    let decoded = decode(&jpeg(&grey, size, ColorType::Luma, |_| ()), &LIMITS).unwrap();
    assert!(decoded.data().chunks(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
}

#[test]
fn what_is_encoded_comes_back_nearly_the_same() {
    for (width, height) in [(64, 48), (65, 47), (640, 480)] {
        let image = picture(width, height);
        let bytes = encode_jpeg(&image, 90).unwrap();
        assert!(difference(&decode(&bytes, &LIMITS).unwrap(), &image) < 6.0, "{width}x{height}");
    }
}

#[test]
fn the_smallest_images_travel_too() {
    for (width, height) in [(1, 1), (1, 9), (9, 1), (2, 2), (3, 3)] {
        let bytes = encode_jpeg(&sharpen(picture(width, height), 1.2), 90).unwrap();
        assert_eq!(decode(&bytes, &LIMITS).unwrap().size(), ImageSize { width, height });
    }
}

#[test]
fn lower_quality_is_smaller() {
    let image = picture(320, 240);
    let bytes = |quality| encode_jpeg(&image, quality).unwrap().len();
    assert!(bytes(30) < bytes(60) && bytes(60) < bytes(90));
}

#[test]
fn an_image_too_wide_for_jpeg_is_an_error() {
    for width in [65_501, 65_536] {
        let error = encode_jpeg(&picture(width, 1), 90).unwrap_err();
        assert!(matches!(error, VisionError::Encode(_)), "{error}");
    }
    let widest = encode_jpeg(&picture(65_500, 1), 90).unwrap();
    assert_eq!(decode(&widest, &LIMITS).unwrap().width(), 65_500);
    let mut wider = widest;
    let frame = wider.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    wider[frame + 7..frame + 9].copy_from_slice(&65_501u16.to_be_bytes());
    assert!(probe(&wider, &LIMITS).is_err() && decode(&wider, &LIMITS).is_err());
}

/// An EXIF block with nothing but an orientation: TIFF header, one directory, one entry.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
    block[19] = orientation;
    block
}

#[test]
fn every_orientation_is_turned_upright() {
    let upright = picture(48, 32);
    for value in 1..=8 {
        // the opposite of an orientation is itself, except for the two quarter turns, which undo
        // each other
        let undo = [0, 1, 2, 3, 4, 5, 8, 7, 6][usize::from(value)];
        let mut stored = dynamic(&upright);
        stored.apply_orientation(image::metadata::Orientation::from_exif(undo).unwrap());
        let (width, height) = (stored.width(), stored.height());

        let with_exif =
            |encoder: &mut Encoder<&mut Vec<u8>>| encoder.add_exif_metadata(&exif(value)).unwrap();
        let bytes =
            jpeg(stored.as_bytes(), (width as u16, height as u16), ColorType::Rgb, with_exif);
        assert_eq!(
            probe(&bytes, &LIMITS).unwrap().size,
            ImageSize { width, height },
            "the size is as stored"
        );
        let decoded = decode(&bytes, &LIMITS).unwrap();
        assert!(difference(&decoded, &upright) < 6.0, "orientation {value}");
    }
}

#[test]
fn a_png_is_turned_upright_too() {
    let upright = picture(12, 8);
    let bytes = encoded(&dynamic(&upright).rotate270(), ImageFormat::Png);
    // eXIf goes behind the header chunk: signature 8, header 25
    let mut kind_and_data = b"eXIf".to_vec();
    kind_and_data.extend(exif(6));
    let mut chunk = (kind_and_data.len() as u32 - 4).to_be_bytes().to_vec();
    chunk.extend(&kind_and_data);
    chunk.extend(crc32(&kind_and_data).to_be_bytes());
    let bytes = [&bytes[..33], &chunk, &bytes[33..]].concat();
    assert_eq!(decode(&bytes, &LIMITS).unwrap(), upright);
}

/// PNG's checksum, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

#[test]
fn bombs_are_refused_before_they_are_unpacked() {
    // 60,000 × 60,000 pixels would take 10.8 GB
    let mut png = encoded(&dynamic(&picture(2, 2)), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let mut jpeg = encode_jpeg(&picture(2, 2), 90).unwrap();
    let frame = jpeg.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xEA, 0x60, 0xEA, 0x60]);
    let webp = encoded(&dynamic(&picture(1200, 1200)), ImageFormat::WebP);
    for bytes in [png, jpeg, webp] {
        for error in [probe(&bytes, &LIMITS).unwrap_err(), decode(&bytes, &LIMITS).unwrap_err()] {
            assert!(
                matches!(error, VisionError::TooManyPixels { limit: 1_000_000, .. }),
                "{error}"
            );
            assert_eq!(error.problem().status, 422);
        }
    }
}

#[test]
fn what_is_no_image_is_told_apart_from_what_is_broken() {
    for other in [&b""[..], b"hello", b"GIF89a\x01\0\x01\0", b"\xFF\xD8"] {
        let error = probe(other, &LIMITS).unwrap_err();
        assert_eq!((error.problem().status, decode(other, &LIMITS).unwrap_err()), (415, error));
    }
}

/// Where the first segment with this marker starts, and where it ends.
fn segment(jpeg: &[u8], marker: u8) -> std::ops::Range<usize> {
    let start = jpeg.windows(2).position(|pair| pair == [0xFF, marker]).unwrap();
    start..start + 2 + usize::from(u16::from_be_bytes([jpeg[start + 2], jpeg[start + 3]]))
}

/// Webcams leave them out; motion JPEG took them as known.
#[test]
fn huffman_tables_that_are_left_out_are_the_standards() {
    let whole = encode_jpeg(&picture(61, 47), 90).unwrap();
    let mut without = whole.clone();
    while without.windows(2).any(|pair| pair == [0xFF, 0xC4]) {
        without.drain(segment(&without, 0xC4));
    }
    assert!(without.len() < whole.len());
    assert_eq!(decode(&without, &LIMITS).unwrap(), decode(&whole, &LIMITS).unwrap());
    assert!(probe(&without, &LIMITS).is_ok());
}

/// What a picture leaves out is not taken from the one before.
#[test]
fn a_picture_leaves_no_tables_to_the_next() {
    let (image, size) = (picture(61, 47), (61, 47));
    let whole = encode_jpeg(&image, 90).unwrap();
    let own_tables = jpeg(image.data(), size, ColorType::Rgb, |encoder| {
        encoder.set_optimized_huffman_tables(true);
    });
    let without = |marker: u8| {
        let mut bytes = whole.clone();
        while bytes.windows(2).any(|pair| pair == [0xFF, marker]) {
            bytes.drain(segment(&bytes, marker));
        }
        bytes
    };
    for _ in 0..2 {
        assert!(decode(&own_tables, &LIMITS).is_ok());
        assert_eq!(decode(&without(0xC4), &LIMITS), decode(&whole, &LIMITS));
        assert!(decode(&without(0xDB), &LIMITS).is_err(), "no quantisation tables");
    }
}

#[test]
fn stray_bytes_before_markers_change_nothing() {
    let whole = encode_jpeg(&picture(61, 47), 90).unwrap();
    let image = decode(&whole, &LIMITS).unwrap();
    let mixed: Vec<u8> = (0..200u8).map(|n| n.wrapping_mul(89) & 0xFE).collect();
    let places = [0xDB, 0xC0, 0xC4, 0xDA].map(|marker| segment(&whole, marker).start);
    for at in places.into_iter().chain([whole.len() - 2]) {
        for stray in [&[0; 3][..], &[0; 8], &mixed[..16], &mixed] {
            let bytes = [&whole[..at], stray, &whole[at..]].concat();
            assert!(probe(&bytes, &LIMITS).is_ok());
            assert_eq!(
                decode(&bytes, &LIMITS).unwrap(),
                image,
                "{} bytes at {at} of {}",
                stray.len(),
                whole.len()
            );
        }
    }
}

#[test]
fn a_scan_a_colour_shows_what_one_scan_shows() {
    for factor in [
        SamplingFactor::R_4_4_4,
        SamplingFactor::R_4_2_2,
        SamplingFactor::R_4_2_0,
        SamplingFactor::R_4_4_0,
    ] {
        for size in [(61, 47), (64, 48), (1, 1), (17, 33)] {
            let image = picture(size.0.into(), size.1.into());
            let coded = |apart: bool| {
                jpeg(image.data(), size, ColorType::Rgb, |encoder| {
                    encoder.set_sampling_factor(factor);
                    encoder.set_optimized_huffman_tables(apart);
                })
            };
            let scans =
                |bytes: &[u8]| bytes.windows(2).filter(|pair| *pair == [0xFF, 0xDA]).count();
            assert_eq!((scans(&coded(false)), scans(&coded(true))), (1, 3));
            let [together, apart] =
                [false, true].map(|apart| decode(&coded(apart), &LIMITS).unwrap());
            assert!(together == apart, "{factor:?}, {size:?}");
        }
    }
}

/// The block above with the orientation as a LONG, as some phones write it.
fn exif_long(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    block[18] = orientation;
    block
}

/// The same picture with another chunk in front of its end.
fn extended_webp(image: &DynamicImage, kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let simple = encoded(image, ImageFormat::WebP);
    let [w, h] = [image.width() - 1, image.height() - 1].map(u32::to_le_bytes);
    let header = [b"VP8X\x0A\0\0\0\x08\0\0\0", &w[..3], &h[..3]].concat();
    let chunk =
        [&kind[..], &(content.len() as u32).to_le_bytes(), content, &[0][..content.len() % 2]]
            .concat();
    let form = [b"WEBP", &header[..], &simple[12..], &chunk].concat();
    [&b"RIFF"[..], &(form.len() as u32).to_le_bytes(), &form].concat()
}

#[test]
fn an_orientation_may_be_long() {
    let upright = picture(48, 32);
    let stored = dynamic(&upright).rotate270();
    let with_exif =
        |encoder: &mut Encoder<&mut Vec<u8>>| encoder.add_exif_metadata(&exif_long(6)).unwrap();
    let bytes = jpeg(stored.as_bytes(), (32, 48), ColorType::Rgb, with_exif);
    assert!(difference(&decode(&bytes, &LIMITS).unwrap(), &upright) < 6.0);
    for exif in [exif_long(6), [b"Exif\0\0", &exif_long(6)[..]].concat(), exif(6)] {
        let bytes = extended_webp(&stored, b"EXIF", &exif);
        assert_eq!(decode(&bytes, &LIMITS).unwrap(), upright);
        assert_eq!(probe(&bytes, &LIMITS).unwrap().size, ImageSize { width: 32, height: 48 });
    }
}
