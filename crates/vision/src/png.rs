//! PNG: a walk over its chunks (W3C PNG, section 5.3).

use crate::outline::{Metadata, Outline};
use crate::{Limits, VisionError};
use frame::ImageSize;
use std::borrow::Cow;

const SIGNATURE_BYTES: usize = 8;
/// Length, kind and checksum take 4 bytes each.
const CHUNK_BYTES: usize = 12;

/// The size as stored and the metadata; refuses a file whose last chunk is missing. Checksums are
/// left to the decoder.
pub(crate) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, VisionError> {
    walk(bytes, limits, &mut |_| ())
}

/// The same, and the file with nothing in it but the picture: profiles, texts and metadata may
/// unpack to any length.
pub(crate) fn tidied<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(Outline<'a>, Vec<u8>), VisionError> {
    let mut tidy = Vec::with_capacity(bytes.len());
    tidy.extend_from_slice(&bytes[..SIGNATURE_BYTES]);
    let outline = walk(bytes, limits, &mut |chunk| tidy.extend_from_slice(chunk))?;
    Ok((outline, tidy))
}

fn walk<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    keep: &mut dyn FnMut(&[u8]),
) -> Result<Outline<'a>, VisionError> {
    let mut rest = bytes.get(SIGNATURE_BYTES..).ok_or(VisionError::Truncated)?;
    let size = size(rest)?;
    limits.check(size)?;
    let mut metadata = Metadata::default();
    loop {
        let [l3, l2, l1, l0, kind @ ..] = rest.first_chunk::<8>().ok_or(VisionError::Truncated)?;
        let length = u32::from_be_bytes([*l3, *l2, *l1, *l0]) as usize;
        let chunk = rest.get(..length.saturating_add(CHUNK_BYTES)).ok_or(VisionError::Truncated)?;
        let content = &chunk[8..8 + length];
        match kind {
            b"IHDR" | b"PLTE" | b"tRNS" | b"IDAT" => keep(chunk),
            b"IEND" => {
                keep(chunk);
                return Ok(Outline { size, metadata });
            }
            b"eXIf" => metadata.exif = Some(Cow::Borrowed(content)),
            b"iTXt" => metadata.xmp = xmp(content).or(metadata.xmp),
            // an upper-case letter says that the picture cannot be shown without
            [first, ..] if first.is_ascii_uppercase() => keep(chunk),
            _ => (),
        }
        rest = &rest[chunk.len()..];
    }
}

fn size(chunks: &[u8]) -> Result<ImageSize, VisionError> {
    let Some([0, 0, 0, 13, b'I', b'H', b'D', b'R', w3, w2, w1, w0, h3, h2, h1, h0]) =
        chunks.first_chunk()
    else {
        return Err(if chunks.len() < 16 {
            VisionError::Truncated
        } else {
            VisionError::corrupt("its header chunk is missing")
        });
    };
    Ok(ImageSize {
        width: u32::from_be_bytes([*w3, *w2, *w1, *w0]),
        height: u32::from_be_bytes([*h3, *h2, *h1, *h0]),
    })
}

/// An international text of XMP's keyword that is not compressed.
fn xmp(content: &[u8]) -> Option<&[u8]> {
    content.strip_prefix(b"XML:com.adobe.xmp\0\0\0")
}
