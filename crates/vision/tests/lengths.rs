//! Lengths that a file claims, in a process that cannot have more memory than its small pictures
//! need.
//!
//! A decoder that believes a length and asks for it ends the process there, as it does on any
//! machine with less memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::{dynamic, encoded, picture};
use image::ImageFormat;
use jpeg_encoder::{ColorType, Encoder};
use std::io::Write;
use std::process::Command;
use vision::{Limits, VisionError, decode, encode_jpeg, probe};

const LIMITS: Limits = Limits { max_pixels: 100_000 };

/// Of address space: the test binary with its threads takes the greater part.
const KIB: u32 = 512 * 1024;

/// Runs this test again under the limit; `true` in the process that is under it.
fn is_limited(test: &str) -> bool {
    const MARK: &str = "VISION_TEST_IS_LIMITED";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let limited = format!("ulimit -v {KIB} && exec \"$@\"");
    let binary = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &limited, "sh"]).arg(binary).args(["--exact", test, "--nocapture"]);
    let output = command.env(MARK, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{:?}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("1 passed"), "{said}");
    false
}

fn riff(parts: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut form = b"WEBP".to_vec();
    for (kind, content) in parts {
        form.extend(chunk(kind, content));
    }
    [&b"RIFF"[..], &(form.len() as u32).to_le_bytes(), &form].concat()
}

fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&kind[..], &(content.len() as u32).to_le_bytes(), content, &[0][..content.len() % 2]].concat()
}

const WIDTH: u32 = 48;
const HEIGHT: u32 = 32;

/// An extended header of these flags for pictures of this size.
fn vp8x(flags: u8) -> Vec<u8> {
    [&[flags, 0, 0, 0][..], &(WIDTH - 1).to_le_bytes()[..3], &(HEIGHT - 1).to_le_bytes()[..3]]
        .concat()
}

/// One of each kind, with everything in it that has a length.
fn specimens() -> Vec<Vec<u8>> {
    let pixels = picture(WIDTH, HEIGHT);
    let jpeg = |change: &dyn Fn(&mut Encoder<&mut Vec<u8>>)| {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 90);
        encoder
            .add_exif_metadata(b"II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0\0\0\0\0")
            .unwrap();
        encoder.add_icc_profile(&[7; 300]).unwrap();
        change(&mut encoder);
        encoder.encode(pixels.data(), WIDTH as u16, HEIGHT as u16, ColorType::Rgb).unwrap();
        bytes
    };
    let still = encoded(&dynamic(&pixels), ImageFormat::WebP);
    let stream = &still[20..20 + u32::from_le_bytes(still[16..20].try_into().unwrap()) as usize];
    let frame = [&[0; 6][..], &vp8x(0)[4..], &[100, 0, 0, 0], &chunk(b"VP8L", stream)].concat();
    let extended = [
        (b"VP8X", &vp8x(0x2C)[..]),
        (b"ICCP", &[7; 60]),
        (b"VP8L", stream),
        (b"EXIF", b"II*\0\x08\0\0\0\0\0"),
        (b"XMP ", b"<x/>"),
    ];
    let animated =
        [(b"VP8X", &vp8x(0x12)[..]), (b"ANIM", &[0; 6]), (b"ANMF", &frame), (b"ANMF", &frame)];
    let specimens = vec![
        jpeg(&|_| ()),
        jpeg(&|encoder| encoder.set_progressive(true)),
        png_with_extras(&encoded(&dynamic(&pixels), ImageFormat::Png)),
        still.clone(),
        riff(&extended),
        riff(&animated),
    ];
    for (index, specimen) in specimens.iter().enumerate() {
        decode(specimen, &LIMITS).unwrap_or_else(|error| panic!("specimen {index}: {error}"));
    }
    specimens
}

/// Profile, texts and metadata behind the header chunk.
fn png_with_extras(png: &[u8]) -> Vec<u8> {
    let texts = [
        png_chunk(b"iCCP", &[b"p\0\0", &deflated(4_000)[..]].concat()),
        png_chunk(b"zTXt", &[b"t\0\0", &deflated(4_000)[..]].concat()),
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"),
        png_chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0"),
    ];
    [&png[..33], &texts.concat(), &png[33..]].concat()
}

fn png_chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(kind);
    sum.update(content);
    [&(content.len() as u32).to_be_bytes()[..], kind, content, &sum.sum().to_be_bytes()].concat()
}

/// So many zeros, packed.
fn deflated(length: usize) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![0; 1 << 20];
    for start in (0..length).step_by(block.len()) {
        packed.write_all(&block[..block.len().min(length - start)]).unwrap();
    }
    packed.finish().unwrap()
}

#[test]
fn no_length_is_believed_wherever_it_stands() {
    if !is_limited("no_length_is_believed_wherever_it_stands") {
        return;
    }
    let claims =
        [0xFFFF_FFFFu32, 0xFFFF_FFF0, 0x8000_0000, 0x7FFF_FFFF, 0x3FFF_3FFF, 0x0100_0000, 0];
    let mut refused = 0;
    for specimen in specimens() {
        for at in 4..specimen.len().min(1_200) - 4 {
            for claim in claims {
                for claimed in [claim.to_le_bytes(), claim.to_be_bytes()] {
                    let mut bytes = specimen.clone();
                    bytes[at..at + 4].copy_from_slice(&claimed);
                    refused += usize::from(decode(&bytes, &LIMITS).is_err());
                    let _ = probe(&bytes, &LIMITS);
                }
            }
        }
    }
    assert!(refused > 10_000, "{refused}");
}

#[test]
fn an_oversized_webp_chunk_is_an_error() {
    if !is_limited("an_oversized_webp_chunk_is_an_error") {
        return;
    }
    let whole = specimens().swap_remove(4);
    for kind in [b"VP8X", b"ICCP", b"VP8L", b"EXIF", b"XMP "] {
        let at = whole.windows(4).position(|name| name == kind).unwrap() + 4;
        for claim in [0xFFFF_FFF0u32, 0xFFFF_FFFF, 0x7FFF_FFFF, whole.len() as u32] {
            let mut bytes = whole.clone();
            bytes[at..at + 4].copy_from_slice(&claim.to_le_bytes());
            for error in [probe(&bytes, &LIMITS).unwrap_err(), decode(&bytes, &LIMITS).unwrap_err()]
            {
                assert_eq!(error.problem().status, 422, "{error}");
            }
        }
    }
}

#[test]
fn what_unpacks_to_a_hundred_times_its_size_is_not_unpacked() {
    if !is_limited("what_unpacks_to_a_hundred_times_its_size_is_not_unpacked") {
        return;
    }
    let packed = deflated(600 << 20);
    let image = picture(WIDTH, HEIGHT);
    let png = encoded(&dynamic(&image), ImageFormat::Png);
    for (kind, head) in
        [(b"iCCP", &b"p\0\0"[..]), (b"zTXt", b"t\0\0"), (b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0")]
    {
        let bomb = png_chunk(kind, &[head, &packed].concat());
        let bytes = [&png[..33], &bomb, &png[33..]].concat();
        assert_eq!(decode(&bytes, &LIMITS).unwrap(), image);
    }
    let pixels = png_chunk(b"IDAT", &packed);
    let bytes = [&png[..33], &pixels, &png_chunk(b"IEND", b"")].concat();
    let _ = decode(&bytes, &LIMITS);
}

/// The largest that the limit allows, in the coding that takes most: nothing grows with what the
/// file says.
#[test]
fn the_largest_pictures_fit_their_bound() {
    let limits = Limits { max_pixels: 4_000_000 };
    if !is_limited("the_largest_pictures_fit_their_bound") {
        return;
    }
    let large = picture(2_000, 2_000);
    assert!(decode(&encode_jpeg(&large, 90).unwrap(), &limits).is_ok());
    assert!(decode(&encoded(&dynamic(&large), ImageFormat::WebP), &limits).is_ok());
    for (width, height) in [(2_001, 2_000), (1, 65_500)] {
        let bytes = encode_jpeg(&picture(width, height), 30).unwrap();
        let allowed = u64::from(width) * u64::from(height) <= limits.max_pixels;
        assert_eq!(decode(&bytes, &limits).is_ok(), allowed, "{width}x{height}");
        if !allowed {
            assert!(matches!(decode(&bytes, &limits), Err(VisionError::TooManyPixels { .. })));
        }
    }
}
