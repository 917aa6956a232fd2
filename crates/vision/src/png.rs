//! PNG: a walk over its chunks (W3C PNG, section 5.3).

use crate::{Limits, VisionError};
use frame::ImageSize;

const SIGNATURE_BYTES: usize = 8;

/// The size as stored; refuses a file whose last chunk is missing. Checksums are left to the decoder.
pub(crate) fn outline(bytes: &[u8], limits: &Limits) -> Result<ImageSize, VisionError> {
    let mut rest = bytes.get(SIGNATURE_BYTES..).ok_or(VisionError::Truncated)?;
    let Some([0, 0, 0, 13, b'I', b'H', b'D', b'R', w3, w2, w1, w0, h3, h2, h1, h0]) = rest.first_chunk() else {
        return Err(if rest.len() < 16 { VisionError::Truncated } else { VisionError::corrupt("its header chunk is missing") });
    };
    let size = ImageSize { width: u32::from_be_bytes([*w3, *w2, *w1, *w0]), height: u32::from_be_bytes([*h3, *h2, *h1, *h0]) };
    limits.check(size)?;
    loop {
        let [l3, l2, l1, l0, kind @ ..] = rest.first_chunk::<8>().ok_or(VisionError::Truncated)?;
        let length = u32::from_be_bytes([*l3, *l2, *l1, *l0]) as usize;
        // length, kind and checksum take 4 bytes each
        let next = rest.get(length.saturating_add(12)..).ok_or(VisionError::Truncated)?;
        if kind == b"IEND" {
            return Ok(size);
        }
        rest = next;
    }
}
