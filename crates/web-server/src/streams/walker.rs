//! Finds the end of a JPEG whose bytes come in pieces (ITU-T T.81, annex B), without decoding it.
//!
//! As lenient as libjpeg between markers: stray bytes are passed over. Only markers are looked at,
//! so a thumbnail within a segment does not end the image, nor does a stuffed byte of a scan.

use memchr::memchr;

/// The start-of-image marker and the first byte of the next one.
pub(super) const START: [u8; 3] = [0xFF, 0xD8, 0xFF];
/// The end-of-image marker.
pub(super) const END: [u8; 2] = [0xFF, 0xD9];

/// A walk through one JPEG.
#[derive(Debug)]
pub(super) struct Walker {
    at: At,
    /// A scan has begun, so there are pixels.
    has_scan: bool,
}

#[derive(Clone, Copy, Debug)]
enum At {
    /// In front of a marker.
    Marker,
    /// In a segment, with so many bytes to go; what follows it.
    Segment { left: usize, is_scan: bool },
    /// In entropy-coded data.
    Scan,
}

/// What a walk has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// The bytes are at their end, and the image is not.
    More,
    /// The position is behind the end of the image.
    End,
    /// At the position another image begins: the end of this one is missing.
    Restart,
}

impl Walker {
    /// Starts behind the start-of-image marker.
    pub(super) fn new() -> Self {
        Self { at: At::Marker, has_scan: false }
    }

    /// Whether there are pixels.
    pub(super) fn has_scan(&self) -> bool {
        self.has_scan
    }

    /// Walks on from `position`, which it moves. After [`Walk::More`] it must be called with the
    /// same bytes (or those from `position` on) and more behind them.
    pub(super) fn walk(&mut self, bytes: &[u8], position: &mut usize) -> Walk {
        loop {
            if let At::Segment { left, is_scan } = self.at {
                let step = left.min(bytes.len() - *position);
                *position += step;
                if step < left {
                    self.at = At::Segment { left: left - step, is_scan };
                    return Walk::More;
                }
                self.has_scan |= is_scan;
                self.at = if is_scan { At::Scan } else { At::Marker };
            }
            let Some(found) = memchr(0xFF, &bytes[*position..]) else {
                *position = bytes.len();
                return Walk::More;
            };
            *position += found;
            match bytes[*position..] {
                [_] => return Walk::More,
                // any number of FF may stand before a marker
                [_, 0xFF, ..] => *position += 1,
                [_, 0xD9, ..] => {
                    *position += 2;
                    return Walk::End;
                }
                [_, 0xD8] => return Walk::More,
                [_, 0xD8, 0xFF, ..] => return Walk::Restart,
                [_, code, ..] if begins_segment(code) => {
                    let Some(length) = bytes.get(*position + 2..*position + 4) else {
                        return Walk::More;
                    };
                    let left = usize::from(u16::from_be_bytes([length[0], length[1]]));
                    *position += 2;
                    self.at = At::Segment { left: left.max(2), is_scan: code == 0xDA };
                }
                // a stuffed byte, a restart marker, or none at all
                _ => *position += 2,
            }
        }
    }
}

/// Whether a length and a segment follow this marker.
fn begins_segment(code: u8) -> bool {
    matches!(code, 0xC0..=0xCF | 0xDA..=0xEF | 0xFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> (Walk, usize) {
        let mut position = 2;
        let walk = Walker::new().walk(bytes, &mut position);
        (walk, position)
    }

    #[test]
    fn only_the_markers_of_the_image_itself_count() {
        // an APP1 segment with a thumbnail, two scans with stuffed bytes, restarts and fill bytes
        let image = b"\xFF\xD8\xFF\xE1\x00\x0A\xFF\xD8\xFF\xDA\x00\x02\xFF\xD9\
            \xFF\xDA\x00\x03\x01ab\xFF\x00\xFF\xD0cd\xFF\xD7\
            \xFF\xFF\xC4\x00\x02\xFF\xDA\x00\x02ef\xFF\x00\xFF\xFF\xD9";
        assert_eq!(walk(image), (Walk::End, image.len()));
        for end in 2..image.len() {
            assert_eq!(walk(&image[..end]).0, Walk::More, "{end}");
        }
    }

    #[test]
    fn a_missing_end_is_told_by_the_next_start() {
        let (scan, next) = (b"\xFF\xD8\xFF\xDA\x00\x02abc", b"\xFF\xD8\xFF\xDA\x00\x02");
        assert_eq!(walk(&[&scan[..], next].concat()), (Walk::Restart, scan.len()));
        assert_eq!(walk(&[&scan[..], b"\xFF\xD8zz\xFF\xD9"].concat()), (Walk::End, 15));
    }
}
