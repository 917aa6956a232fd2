//! JPEG: a walk over its markers (ITU-T T.81, annex B), and strict decoding.

use crate::watched::Watched;
use crate::{Limits, VisionError};
use frame::{ImageSize, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

const EOI: u8 = 0xD9;

/// What the markers say.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    /// As stored.
    pub(crate) size: ImageSize,
    /// The TIFF structure of the first EXIF segment.
    pub(crate) exif: Option<&'a [u8]>,
    /// Where the end-of-image marker starts. Phones append other things behind it: they are no part of the image.
    end: usize,
    /// Everything is in one sequential scan, as cameras write it (not progressive, not a scan a colour).
    one_scan: bool,
}

/// Walks from marker to marker up to the end of the image.
pub(crate) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, VisionError> {
    let mut walk = Walk { bytes, position: 2 };
    let mut frame: Option<FrameHeader> = None;
    let mut exif = None;
    let mut restart_interval = 0;
    let mut scans = 0;
    let mut components_in_scan = 0;
    loop {
        let (start, marker) = walk.marker()?;
        match marker {
            EOI => {
                let frame = frame.filter(|_| scans > 0).ok_or_else(|| VisionError::corrupt("it ends before its pixels"))?;
                let one_scan = frame.sequential && scans == 1 && components_in_scan == frame.components;
                return Ok(Outline { size: frame.size, exif, end: start, one_scan });
            }
            0x01 | 0xD0..=0xD8 => return Err(misplaced(marker)),
            // start of frame; of these codes C4 is DHT, C8 is reserved, CC is DAC
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                if frame.is_some() {
                    return Err(misplaced(marker));
                }
                let header = FrameHeader::read(marker, walk.segment()?)?;
                limits.check(header.size)?;
                frame = Some(header);
            }
            0xDA => {
                components_in_scan = *walk.segment()?.first().ok_or_else(|| misplaced(marker))?;
                scans += 1;
                walk.entropy_coded(restart_interval > 0)?;
            }
            0xDD => match walk.segment()? {
                [high, low] => restart_interval = u16::from_be_bytes([*high, *low]),
                _ => return Err(misplaced(marker)),
            },
            0xE1 => {
                let segment = walk.segment()?;
                exif = exif.or_else(|| segment.strip_prefix(b"Exif\0\0"));
            }
            _ => drop(walk.segment()?),
        }
    }
}

fn misplaced(marker: u8) -> VisionError {
    VisionError::Corrupt(format!("marker FF{marker:02X} is out of place or malformed"))
}

struct FrameHeader {
    size: ImageSize,
    components: u8,
    sequential: bool,
}

impl FrameHeader {
    fn read(marker: u8, segment: &[u8]) -> Result<Self, VisionError> {
        let [_precision, y1, y0, x1, x0, components, ..] = *segment else { return Err(misplaced(marker)) };
        let size = ImageSize { width: u16::from_be_bytes([x1, x0]).into(), height: u16::from_be_bytes([y1, y0]).into() };
        // two components have no agreed meaning
        if !matches!(components, 1 | 3 | 4) {
            return Err(VisionError::Corrupt(format!("it has {components} colour components")));
        }
        Ok(Self { size, components, sequential: marker <= 0xC1 })
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Walk<'a> {
    /// The next marker and where it starts. Up to three stray bytes are passed over, as decoders do.
    fn marker(&mut self) -> Result<(usize, u8), VisionError> {
        const STRAY: usize = 3;
        let rest = self.bytes.get(self.position..).ok_or(VisionError::Truncated)?;
        let stray = rest.iter().take(STRAY + 1).position(|byte| *byte == 0xFF);
        let Some(stray) = stray else {
            return Err(if rest.len() > STRAY { VisionError::corrupt("a marker is missing") } else { VisionError::Truncated });
        };
        let start = self.position + stray;
        // any number of FF may stand before a marker
        let fill = rest[stray..].iter().position(|byte| *byte != 0xFF).ok_or(VisionError::Truncated)?;
        self.position = start + fill + 1;
        Ok((start, rest[stray + fill]))
    }

    /// The content of the segment that follows a marker.
    fn segment(&mut self) -> Result<&'a [u8], VisionError> {
        let rest = self.bytes.get(self.position..).ok_or(VisionError::Truncated)?;
        let [high, low, ..] = *rest else { return Err(VisionError::Truncated) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 2 {
            return Err(VisionError::corrupt("a segment is shorter than its own length"));
        }
        let content = rest.get(2..length).ok_or(VisionError::Truncated)?;
        self.position += length;
        Ok(content)
    }

    /// Steps over the entropy-coded data of a scan to the marker behind it.
    fn entropy_coded(&mut self, with_restarts: bool) -> Result<(), VisionError> {
        let mut next_restart = 0xD0;
        loop {
            let found = find_ff(&self.bytes[self.position..]).ok_or(VisionError::Truncated)?;
            let start = self.position + found;
            // any number of FF may stand before a marker
            let run = self.bytes[start..].iter().take_while(|byte| **byte == 0xFF).count();
            let next = start + run + 1;
            match *self.bytes.get(next - 1).ok_or(VisionError::Truncated)? {
                0x00 => self.position = next, // a data byte FF
                marker @ 0xD0..=0xD7 => {
                    if !with_restarts || marker != next_restart {
                        return Err(misplaced(marker));
                    }
                    next_restart = 0xD0 | (marker + 1) & 7;
                    self.position = next;
                }
                _ => {
                    self.position = start;
                    return Ok(());
                }
            }
        }
    }
}

/// In blocks first, which the compiler turns into vector code: most blocks have no FF.
fn find_ff(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 32;
    let skipped =
        bytes.chunks_exact(BLOCK).take_while(|block| !block.iter().fold(false, |any, byte| any | (*byte == 0xFF))).count();
    let start = skipped * BLOCK;
    bytes[start..].iter().position(|byte| *byte == 0xFF).map(|found| start + found)
}

/// Decodes; the EXIF orientation is not applied here.
///
/// The decoder itself, even in its strict mode, fills up with zeros when a scan's data ends early, and stops without a word
/// when they do not end where the pixels do. So the end marker of a one-scan image is hidden from it: had it to read on
/// behind the data, it was short of them, and when it stopped far before their end, it was led astray.
pub(crate) fn decode(bytes: &[u8], outline: &Outline<'_>) -> Result<RgbImage, VisionError> {
    let mut input = if outline.one_scan {
        Watched::new(&bytes[..outline.end], FILLER_BYTES)
    } else {
        Watched::new(&bytes[..outline.end + 2], 0)
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let decoded = JpegDecoder::new_with_options(&mut input, options).decode();
    let data_read = input.data_read();
    if outline.one_scan && data_read > outline.end + READ_AHEAD {
        return Err(VisionError::Truncated);
    }
    let pixels = decoded.map_err(translate)?;
    if outline.one_scan && !is_padding(&bytes[data_read.min(outline.end)..outline.end]) {
        return Err(VisionError::corrupt("its pixels end before its data do"));
    }
    RgbImage::new(outline.size, pixels).ok_or_else(|| VisionError::corrupt("its sizes contradict each other"))
}

/// The decoder's bit buffer has 64 bits: it may hold this many bytes that it will never use.
const READ_AHEAD: usize = 8;

/// More than the decoder reads ahead, so that reading on and reading ahead can be told apart.
const FILLER_BYTES: usize = 64;

/// Some encoders pad a scan to a multiple of 2 or 4 bytes, or with a run of one value.
fn is_padding(rest: &[u8]) -> bool {
    rest.len() < 4 || rest.iter().all(|byte| *byte == rest[0])
}

fn translate(error: DecodeErrors) -> VisionError {
    match error {
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => VisionError::Truncated,
        // some of its messages come quoted
        other => VisionError::corrupt(other.to_string().trim_matches('"')),
    }
}
