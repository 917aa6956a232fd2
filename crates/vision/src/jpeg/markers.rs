//! From one marker to the next, as libjpeg goes.

use crate::VisionError;
use kernels::Isa;

pub(super) struct Markers<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Markers<'a> {
    /// Starts behind the start-of-image marker.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 2 }
    }

    /// The next marker, whatever stray bytes stand in front of it; any number of FF may belong to
    /// it.
    pub(super) fn next(&mut self) -> Result<u8, VisionError> {
        loop {
            let rest = self.bytes.get(self.position..).ok_or(VisionError::Truncated)?;
            let start = find_ff(rest).ok_or(VisionError::Truncated)?;
            let fill = rest[start..]
                .iter()
                .position(|byte| *byte != 0xFF)
                .ok_or(VisionError::Truncated)?;
            self.position += start + fill + 1;
            match rest[start + fill] {
                0x00 => (), // a stray data byte FF
                marker => return Ok(marker),
            }
        }
    }

    /// The content of the segment that follows a marker.
    pub(super) fn segment(&mut self) -> Result<&'a [u8], VisionError> {
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

    /// The entropy-coded data of a scan, restart markers included, up to the marker behind it.
    pub(super) fn entropy_coded(&mut self) -> Result<&'a [u8], VisionError> {
        let first = self.position;
        loop {
            let found = find_ff(&self.bytes[self.position..]).ok_or(VisionError::Truncated)?;
            let start = self.position + found;
            // any number of FF may stand before a marker
            let run = self.bytes[start..].iter().take_while(|byte| **byte == 0xFF).count();
            let next = start + run + 1;
            match *self.bytes.get(next - 1).ok_or(VisionError::Truncated)? {
                // a data byte FF, or a restart
                0x00 | 0xD0..=0xD7 => self.position = next,
                _ => {
                    self.position = start;
                    return Ok(&self.bytes[first..start]);
                }
            }
        }
    }
}

fn find_ff(bytes: &[u8]) -> Option<usize> {
    kernels::find_byte(Isa::best(), 0xFF, bytes)
}
