//! JPEG: what its markers say (ITU-T T.81, annex B), and the same file without what is no picture.

mod markers;

use crate::outline::{Metadata, Outline};
use crate::{Limits, VisionError};
use frame::ImageSize;
use markers::Markers;
use std::borrow::Cow;

/// More scans than any encoder writes (about ten for a progressive JPEG), few enough to be decoded
/// in bounded time: each of them may touch every pixel, and costs a file a few bytes.
const MAX_SCANS: usize = 100;

/// `JPEG_MAX_DIMENSION` of libjpeg, in pixels: a little less than the 65,535 that the format can
/// express.
pub(crate) const MAX_SIDE: u16 = 65_500;

/// The outside of a JPEG.
#[derive(Debug)]
pub(crate) struct Jpeg<'a> {
    pub(crate) outline: Outline<'a>,
    /// 1, 3 or 4 colour components.
    pub(crate) components: u8,
}

/// Walks from marker to marker up to the end of the image. Behind it, phones append other things:
/// they are no part of it.
pub(crate) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Jpeg<'a>, VisionError> {
    walk(bytes, limits, &mut |_| ())
}

/// The same, and the file again with nothing in it but the picture: application segments, comments
/// and stray bytes between segments are left out, colour transforms that nobody has defined are the
/// ones that libjpeg takes instead, and a sequential scan says that it has all frequencies. So no
/// bytes but the picture's reach the decoder, and its warnings are all about them.
pub(crate) fn tidied<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(Jpeg<'a>, Vec<u8>), VisionError> {
    let mut tidy = Vec::with_capacity(bytes.len());
    let jpeg = walk(bytes, limits, &mut |piece| tidy.extend_from_slice(piece))?;
    Ok((jpeg, tidy))
}

fn walk<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    keep: &mut dyn FnMut(&[u8]),
) -> Result<Jpeg<'a>, VisionError> {
    let mut markers = Markers::new(bytes);
    let mut header = Header::default();
    let mut frame: Option<Frame> = None;
    let mut scans = 0;
    keep(b"\xFF\xD8");
    loop {
        let marker = markers.next()?;
        match marker {
            EOI => {
                let frame = frame
                    .filter(|_| scans > 0)
                    .ok_or_else(|| VisionError::corrupt("it ends before its pixels"))?;
                keep(b"\xFF\xD9");
                let outline = Outline { size: frame.size, metadata: header.metadata };
                return Ok(Jpeg { outline, components: frame.components });
            }
            // these two have no content; a restart behind the last pixels is none
            TEM | RST0..=RST7 => (),
            // start of frame; of these codes C4 is DHT, C8 is reserved, CC is DAC
            0xC0..=0xCF if !matches!(marker, DHT | 0xC8 | DAC) => {
                if frame.is_some() {
                    return Err(misplaced(marker));
                }
                let segment = markers.segment()?;
                let read = Frame::read(marker, segment)?;
                limits.check(read.size)?;
                frame = Some(read);
                keep_segment(marker, segment, keep);
            }
            SOS => {
                let frame = frame.as_ref().ok_or_else(|| misplaced(marker))?;
                if scans == 0 {
                    header.keep_colour_transform(frame, keep);
                }
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(VisionError::Corrupt(format!(
                        "it has more than {MAX_SCANS} scans"
                    )));
                }
                keep_segment(marker, &frame.scan_header(markers.segment()?), keep);
                keep(markers.entropy_coded()?);
            }
            DHT | DAC | DQT | DRI => keep_segment(marker, markers.segment()?, keep),
            0xE0..=0xEF => {
                let segment = markers.segment()?;
                if scans == 0 {
                    header.application(marker, segment);
                }
            }
            DNL | COM => drop(markers.segment()?),
            _ => return Err(misplaced(marker)),
        }
    }
}

const TEM: u8 = 0x01;
const DHT: u8 = 0xC4;
const DAC: u8 = 0xCC;
const RST0: u8 = 0xD0;
const RST7: u8 = 0xD7;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DQT: u8 = 0xDB;
const DNL: u8 = 0xDC;
const DRI: u8 = 0xDD;
const COM: u8 = 0xFE;

fn misplaced(marker: u8) -> VisionError {
    VisionError::Corrupt(format!("marker FF{marker:02X} is out of place or malformed"))
}

fn keep_segment(marker: u8, content: &[u8], keep: &mut dyn FnMut(&[u8])) {
    // the content came out of a segment, whose length has 16 bits
    let [high, low] = ((content.len() + 2) as u16).to_be_bytes();
    keep(&[0xFF, marker, high, low]);
    keep(content);
}

/// What application segments say ahead of the first scan.
#[derive(Default)]
struct Header<'a> {
    metadata: Metadata<'a>,
    jfif: bool,
    /// The colour transform that the last Adobe segment names.
    adobe: Option<u8>,
}

impl<'a> Header<'a> {
    fn application(&mut self, marker: u8, segment: &'a [u8]) {
        match marker {
            0xE0 => self.jfif |= segment.len() >= 14 && segment.starts_with(b"JFIF\0"),
            0xE1 => self.metadata(segment),
            0xEE if segment.len() >= 12 && segment.starts_with(b"Adobe") => {
                self.adobe = Some(segment[11])
            }
            _ => (),
        }
    }

    /// EXIF beyond 64 kB goes on in the next segment; of XMP the last packet counts.
    fn metadata(&mut self, segment: &'a [u8]) {
        if segment.starts_with(b"Exif\0\0") {
            match &mut self.metadata.exif {
                Some(exif) => exif.to_mut().extend_from_slice(&segment[6..]),
                None => self.metadata.exif = Some(Cow::Borrowed(segment)),
            }
        } else if let Some(xmp) = segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
            self.metadata.xmp = Some(xmp);
        }
    }

    fn keep_colour_transform(&self, frame: &Frame, keep: &mut dyn FnMut(&[u8])) {
        if self.jfif {
            keep_segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0", keep);
        }
        if let Some(named) = self.adobe {
            // as libjpeg does: what is unknown is YCbCr, and YCCK in four components
            let transform = match (frame.components, named) {
                (_, 0) => 0,
                (4, _) => 2,
                (_, _) => 1,
            };
            keep_segment(
                0xEE,
                &[b'A', b'd', b'o', b'b', b'e', 0, 100, 0, 0, 0, 0, transform],
                keep,
            );
        }
    }
}

struct Frame {
    size: ImageSize,
    components: u8,
    /// Sequential with 64 frequencies a block: neither progressive nor lossless.
    sequential: bool,
}

impl Frame {
    fn read(marker: u8, segment: &[u8]) -> Result<Self, VisionError> {
        let [precision, y1, y0, x1, x0, components, ..] = *segment else {
            return Err(misplaced(marker));
        };
        let (width, height) = (u16::from_be_bytes([x1, x0]), u16::from_be_bytes([y1, y0]));
        if width.max(height) > MAX_SIDE {
            return Err(VisionError::Corrupt(format!(
                "it is wider or higher than the {MAX_SIDE} pixels that are read"
            )));
        }
        let size = ImageSize { width: width.into(), height: height.into() };
        if precision != 8 {
            return Err(VisionError::Corrupt(format!(
                "it has {precision} bits a colour component"
            )));
        }
        // two components have no agreed meaning
        if !matches!(components, 1 | 3 | 4) {
            return Err(VisionError::Corrupt(format!("it has {components} colour components")));
        }
        Ok(Self { size, components, sequential: matches!(marker, 0xC0 | 0xC1 | 0xC9) })
    }

    /// Some encoders leave the range of frequencies of a sequential scan at zero; it has no choice,
    /// and decoders pass over it.
    fn scan_header<'a>(&self, segment: &'a [u8]) -> Cow<'a, [u8]> {
        let components = segment.first().map_or(0, |count| usize::from(*count));
        let range = 1 + 2 * components..4 + 2 * components;
        if !self.sequential || segment.get(range.clone()).is_none_or(|named| named == [0, 63, 0]) {
            return Cow::Borrowed(segment);
        }
        let mut header = segment.to_vec();
        header[range].copy_from_slice(&[0, 63, 0]);
        Cow::Owned(header)
    }
}
