//! WebP: a walk over its chunks (RFC 9649, section 2).

use crate::outline::{Metadata, Outline};
use crate::{Limits, VisionError};
use frame::ImageSize;
use std::borrow::Cow;

/// The size as stored and the metadata; refuses a file that is shorter than its header or a chunk
/// says.
pub(crate) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, VisionError> {
    Ok(walk(bytes, limits)?.outline)
}

/// The same, and the file with nothing in it but the first picture: no profile, no metadata, no
/// unknown chunk.
///
/// Transparency is left out of a still picture, too: it would be thrown away after decoding. A
/// frame of an animation needs it, since what is transparent does not cover the canvas.
pub(crate) fn tidied<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(Outline<'a>, Vec<u8>), VisionError> {
    let WebP { outline, picture } = walk(bytes, limits)?;
    let content = match picture {
        Picture::Still(bitstream) => bitstream.to_vec(),
        Picture::Frame { canvas, background, frame } => {
            // an animation that may be transparent
            const FLAGS: u8 = 0x12;
            let vp8x = [&[FLAGS, 0, 0, 0][..], canvas].concat();
            [chunk(b"VP8X", &vp8x), chunk(b"ANIM", background), chunk(b"ANMF", &frame)].concat()
        }
    };
    Ok((outline, chunk(b"RIFF", &[b"WEBP", &content[..]].concat())))
}

fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    // each content is part of a file whose lengths have 32 bits
    let mut chunk = [&kind[..], &(content.len() as u32).to_le_bytes(), content].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

struct WebP<'a> {
    outline: Outline<'a>,
    picture: Picture<'a>,
}

enum Picture<'a> {
    /// The whole chunk with the bit stream.
    Still(Cow<'a, [u8]>),
    /// The first frame of an animation.
    Frame {
        /// Six bytes of the extended header.
        canvas: &'a [u8],
        /// The content of ANIM: a colour and a number of loops.
        background: &'a [u8],
        /// The content of ANMF: its header, transparency and bit stream.
        frame: Vec<u8>,
    },
}

fn walk<'a>(bytes: &'a [u8], limits: &Limits) -> Result<WebP<'a>, VisionError> {
    let [_, _, _, _, s0, s1, s2, s3, rest @ ..] = bytes else { return Err(VisionError::Truncated) };
    let announced = u32::from_le_bytes([*s0, *s1, *s2, *s3]) as usize;
    let mut chunks =
        Chunks(rest.get(..announced).and_then(|form| form.get(4..)).ok_or(VisionError::Truncated)?);
    let first = chunks.next()?.ok_or(VisionError::Truncated)?;
    if &first.kind != b"VP8X" {
        let size =
            first.size()?.ok_or_else(|| VisionError::corrupt("its first chunk is no picture"))?;
        limits.check(size)?;
        let outline = Outline { size, metadata: Metadata::default() };
        return Ok(WebP {
            outline,
            picture: Picture::Still(Cow::Owned(chunk(&first.kind, first.content))),
        });
    }
    let header: &[u8; 10] = first
        .content
        .first_chunk()
        .ok_or_else(|| VisionError::corrupt("its extended header is short"))?;
    let size = ImageSize { width: 1 + u24(&header[4..]), height: 1 + u24(&header[7..]) };
    limits.check(size)?;
    extended(chunks, &header[4..], size)
}

/// Everything behind the extended header.
fn extended<'a>(
    mut chunks: Chunks<'a>,
    canvas: &'a [u8],
    size: ImageSize,
) -> Result<WebP<'a>, VisionError> {
    let mut metadata = Metadata::default();
    let mut background = None;
    let mut picture = None;
    while let Some(part) = chunks.next()? {
        match &part.kind {
            b"EXIF" if metadata.exif.is_none() => metadata.exif = Some(Cow::Borrowed(part.content)),
            b"XMP " if metadata.xmp.is_none() => metadata.xmp = Some(part.content),
            b"ANIM" => background = Some(part.content),
            b"VP8 " | b"VP8L" if picture.is_none() => {
                part.must_have(size)?;
                picture = Some(Picture::Still(Cow::Owned(chunk(&part.kind, part.content))));
            }
            b"ANMF" if picture.is_none() => {
                let background = background
                    .ok_or_else(|| VisionError::corrupt("a frame stands before its animation"))?;
                picture =
                    Some(Picture::Frame { canvas, background, frame: frame(part.content, size)? });
            }
            _ => (),
        }
    }
    let picture = picture.ok_or_else(|| VisionError::corrupt("it has no picture"))?;
    Ok(WebP { outline: Outline { size, metadata }, picture })
}

/// The content of a frame's chunk without unknown parts; its bit stream has the size that the frame
/// has, inside of the canvas.
fn frame(content: &[u8], canvas: ImageSize) -> Result<Vec<u8>, VisionError> {
    const HEADER: usize = 16;
    let (header, parts) = content
        .split_at_checked(HEADER)
        .ok_or_else(|| VisionError::corrupt("a frame has no header"))?;
    let (x, y) = (2 * u24(header), 2 * u24(&header[3..]));
    let size = ImageSize { width: 1 + u24(&header[6..]), height: 1 + u24(&header[9..]) };
    if x + size.width > canvas.width || y + size.height > canvas.height {
        return Err(VisionError::corrupt("a frame lies outside of its picture"));
    }
    let mut kept = header.to_vec();
    let mut parts = Chunks(parts);
    while let Some(part) = parts.next()? {
        match &part.kind {
            b"ALPH" => kept.extend(chunk(&part.kind, part.content)),
            b"VP8 " | b"VP8L" => {
                part.must_have(size)?;
                kept.extend(chunk(&part.kind, part.content));
                return Ok(kept);
            }
            _ => (),
        }
    }
    Err(VisionError::corrupt("a frame has no picture"))
}

fn u24(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0])
}

struct Chunks<'a>(&'a [u8]);

struct Chunk<'a> {
    kind: [u8; 4],
    content: &'a [u8],
}

impl<'a> Chunks<'a> {
    /// The next chunk; `None` at the end. No length is believed beyond the bytes that there are.
    fn next(&mut self) -> Result<Option<Chunk<'a>>, VisionError> {
        let [k0, k1, k2, k3, l0, l1, l2, l3, rest @ ..] = self.0 else {
            // a few bytes of padding are no chunk
            return Ok(None);
        };
        let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        let content = rest
            .get(..length)
            .ok_or_else(|| VisionError::corrupt("a chunk claims more bytes than the file has"))?;
        // some encoders leave out the last byte of padding
        self.0 = rest.get(length.next_multiple_of(2)..).unwrap_or_default();
        Ok(Some(Chunk { kind: [*k0, *k1, *k2, *k3], content }))
    }
}

impl Chunk<'_> {
    /// What the bit stream says of itself: VP8 (RFC 6386, section 9.1) or VP8L (RFC 9649, section
    /// 3.4); `None` for other chunks.
    fn size(&self) -> Result<Option<ImageSize>, VisionError> {
        match (&self.kind, self.content) {
            (b"VP8 ", [tag, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..]) if tag & 1 == 0 => {
                let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
                Ok(Some(ImageSize { width: side(*w0, *w1), height: side(*h0, *h1) }))
            }
            (b"VP8L", [0x2F, b0, b1, b2, b3, ..]) => {
                let bits = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
                Ok(Some(ImageSize {
                    width: 1 + (bits & 0x3FFF),
                    height: 1 + (bits >> 14 & 0x3FFF),
                }))
            }
            (b"VP8 " | b"VP8L", _) => {
                Err(VisionError::corrupt("its bit stream does not start like one"))
            }
            _ => Ok(None),
        }
    }

    /// A bit stream of another size would be unpacked before anybody noticed.
    fn must_have(&self, size: ImageSize) -> Result<(), VisionError> {
        if self.size()? == Some(size) {
            Ok(())
        } else {
            Err(VisionError::corrupt("its sizes contradict each other"))
        }
    }
}
