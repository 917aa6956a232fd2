//! Files that are cut off, damaged or made up.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::{dynamic, encoded, picture};
use image::ImageFormat;
use jpeg_encoder::{ColorType, Encoder};
use proptest::prelude::*;
use vision::{Limits, VisionError, decode, encode_jpeg, probe};

const LIMITS: Limits = Limits { max_pixels: 1_000_000 };

fn baseline() -> Vec<u8> {
    encode_jpeg(&picture(160, 120), 90).unwrap()
}

fn with(change: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    change(&mut encoder);
    encoder.encode(picture(160, 120).data(), 160, 120, ColorType::Rgb).unwrap();
    bytes
}

/// One of each kind.
fn specimens() -> Vec<Vec<u8>> {
    let pixels = dynamic(&picture(160, 120));
    vec![
        baseline(),
        with(|encoder| encoder.set_progressive(true)),
        with(|encoder| encoder.set_restart_interval(4)),
        encoded(&pixels, ImageFormat::Png),
        encoded(&pixels, ImageFormat::WebP),
    ]
}

/// Where a JPEG's entropy-coded data start.
fn scan_start(jpeg: &[u8]) -> usize {
    let marker = jpeg.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    marker + 2 + usize::from(u16::from_be_bytes([jpeg[marker + 2], jpeg[marker + 3]]))
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for (index, bytes) in specimens().iter().enumerate() {
        for length in (12..bytes.len()).step_by(97).chain(bytes.len() - 12..bytes.len()) {
            let cut = &bytes[..length];
            assert!(
                probe(cut, &LIMITS).is_err(),
                "probe, specimen {index} cut to {length} of {}",
                bytes.len()
            );
            assert!(
                decode(cut, &LIMITS).is_err(),
                "decode, specimen {index} cut to {length} of {}",
                bytes.len()
            );
        }
    }
}

#[test]
fn a_jpeg_cut_off_in_its_scan_is_called_truncated() {
    let bytes = baseline();
    let start = scan_start(&bytes);
    for length in (start + 1..bytes.len() - 1).step_by(61) {
        assert_eq!(probe(&bytes[..length], &LIMITS), Err(VisionError::Truncated), "{length}");
    }
}

/// A camera whose connection stutters closes its frame properly, but half of it is missing.
#[test]
fn a_missing_part_is_noticed_even_when_the_end_marker_is_there() {
    let bytes = baseline();
    let start = scan_start(&bytes);
    // what fits into the decoder's bit buffer is not noticed: 8 bytes, and up to 8 more that were
    // read ahead
    for length in (start..bytes.len() - 20).step_by(61) {
        let closed = [&bytes[..length], b"\xFF\xD9"].concat();
        assert!(decode(&closed, &LIMITS).is_err(), "cut to {length} of {}", bytes.len());
    }
}

#[test]
fn a_missing_piece_in_the_middle_is_noticed() {
    let bytes = baseline();
    let start = scan_start(&bytes);
    let refused = (start..bytes.len() - 300).step_by(61).filter(|at| {
        let gap = [&bytes[..*at], &bytes[at + 200..]].concat();
        decode(&gap, &LIMITS).is_err()
    });
    let all = (start..bytes.len() - 300).step_by(61).count();
    let refused = refused.count();
    assert!(refused * 10 >= all * 9, "{refused} of {all}");
}

#[test]
fn things_behind_the_end_of_a_jpeg_do_not_matter() {
    let image = decode(&baseline(), &LIMITS).unwrap();
    for trailer in [&b"\0\0\0\0"[..], b"MotionPhoto\xFF\xD8\xFF", &[0xFF; 100]] {
        assert_eq!(decode(&[&baseline(), trailer].concat(), &LIMITS).unwrap(), image);
    }
}

#[test]
fn padding_before_the_end_marker_does_not_matter() {
    let bytes = baseline();
    let image = decode(&bytes, &LIMITS).unwrap();
    for padding in [&b"\0"[..], &[0; 40], &[0xFF; 7]] {
        let padded = [&bytes[..bytes.len() - 2], padding, b"\xFF\xD9"].concat();
        assert_eq!(decode(&padded, &LIMITS).unwrap(), image, "{padding:?}");
    }
}

/// A segment that is not known as one is passed over; what is missing then is an error, unless the
/// picture does without.
#[test]
fn damaged_markers_never_make_another_picture() {
    let bytes = baseline();
    let image = decode(&bytes, &LIMITS).unwrap();
    let mut refused = 0;
    // every marker of the header, from the one behind the start marker
    let mut at = 2;
    while at < scan_start(&bytes) {
        for change in
            [[0x00, bytes[at + 1]], [0xFF, 0xD8], [0xFF, 0xD9], [0xFF, 0xD0], [0xFF, 0x05]]
        {
            let mut damaged = bytes.clone();
            damaged[at..at + 2].copy_from_slice(&change);
            match decode(&damaged, &LIMITS) {
                Ok(other) => assert!(other == image, "{change:02X?} at {at}"),
                Err(_) => refused += 1,
            }
        }
        at += 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
    }
    assert!(refused >= 15, "{refused}");
}

#[test]
fn restart_markers_out_of_order_are_refused() {
    let mut damaged = with(|encoder| encoder.set_restart_interval(4));
    let second = damaged.windows(2).position(|pair| pair == [0xFF, 0xD1]).unwrap();
    damaged[second + 1] = 0xD2;
    assert!(decode(&damaged, &LIMITS).is_err());
    let mut stray = baseline();
    let middle = stray.len() / 2;
    stray[middle..middle + 2].copy_from_slice(&[0xFF, 0xD0]);
    assert!(decode(&stray, &LIMITS).is_err());
}

/// A progressive JPEG grows by ten bytes for each scan, which may visit every pixel.
#[test]
fn thousands_of_scans_are_refused_at_the_door() {
    let bytes = with(|encoder| encoder.set_progressive(true));
    let end = bytes.len() - 2;
    let scan: &[u8] = b"\xFF\xDA\0\x08\x01\x01\0\x01\x3F\0\x7F";
    let bomb = [&bytes[..end], &scan.repeat(5_000), b"\xFF\xD9"].concat();
    for error in [probe(&bomb, &LIMITS).unwrap_err(), decode(&bomb, &LIMITS).unwrap_err()] {
        assert!(error.to_string().contains("scans"), "{error}");
    }
}

#[test]
fn a_damaged_png_fails_its_checksum() {
    let mut bytes = encoded(&dynamic(&picture(160, 120)), ImageFormat::Png);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert!(matches!(decode(&bytes, &LIMITS), Err(VisionError::Corrupt(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic(
        start in 0usize..4, bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let png = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR";
        let magic: [&[u8]; 4] = [b"", b"\xFF\xD8\xFF", png, b"RIFF\x10\0\0\0WEBPVP8 "];
        let bytes = [magic[start], &bytes].concat();
        let _ = (probe(&bytes, &LIMITS), decode(&bytes, &LIMITS));
    }

    #[test]
    fn mutated_files_never_panic(
        which: prop::sample::Index, cut: prop::sample::Index,
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<bool>(), any::<u8>()), 0..12,
        ),
    ) {
        thread_local!(static SPECIMENS: Vec<Vec<u8>> = specimens());
        let mut bytes = SPECIMENS.with(|all| which.get(all).clone());
        for (at, in_header, value) in changes {
            let range = if in_header { bytes.len().min(700) } else { bytes.len() };
            bytes[at.index(range)] = value;
        }
        let _ = (probe(&bytes, &LIMITS), decode(&bytes, &LIMITS));
        bytes.truncate(cut.index(bytes.len()));
        let _ = (probe(&bytes, &LIMITS), decode(&bytes, &LIMITS));
    }

    #[test]
    fn what_decodes_was_accepted_at_the_door(
        which: prop::sample::Index, at: prop::sample::Index, value: u8,
    ) {
        thread_local!(static SPECIMENS: Vec<Vec<u8>> = specimens());
        let mut bytes = SPECIMENS.with(|all| which.get(all).clone());
        let at = at.index(bytes.len());
        bytes[at] = value;
        if decode(&bytes, &LIMITS).is_ok() {
            prop_assert!(probe(&bytes, &LIMITS).is_ok());
        }
    }
}
