//! The orientation of a picture, as Pillow's `ImageOps.exif_transpose` finds it: in EXIF, or else
//! in XMP.

use crate::outline::Metadata;
use image::metadata::Orientation;

const ORIENTATION: u16 = 274;

/// The orientation that the metadata ask for; missing or unreadable ones mean upright.
pub(crate) fn orientation(metadata: &Metadata<'_>) -> Orientation {
    let value = match metadata.exif.as_deref().and_then(tag) {
        Some(Tag { value }) => value,
        None => metadata.xmp.and_then(of_xmp),
    };
    value.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
}

/// The tag is there; its value is none when it is no whole number.
struct Tag {
    value: Option<u8>,
}

/// TIFF 6.0, section 2: header, then a directory of entries of 12 bytes.
fn tag(mut exif: &[u8]) -> Option<Tag> {
    const PREFIX: &[u8] = b"Exif\0\0";
    for _ in 0..2 {
        exif = exif.strip_prefix(PREFIX).unwrap_or(exif);
    }
    let order = match exif.first_chunk::<4>()? {
        b"II*\0" | b"II\0*" => Order::Little,
        b"MM\0*" | b"MM*\0" => Order::Big,
        _ => return None,
    };
    let directory = exif.get(order.u32(exif.get(4..8)?)? as usize..)?;
    let entries = directory.get(2..)?.chunks_exact(12).take(order.u16(directory)?.into());
    let mut claimed = 0u64;
    for entry in entries {
        let (number, kind, count) =
            (order.u16(entry)?, order.u16(&entry[2..])?, order.u32(&entry[4..])?);
        let Some(unit) = unit_bytes(kind) else { continue };
        let length = u64::from(count) * unit;
        let data = if length > 4 {
            claimed += length;
            if claimed > exif.len() as u64 {
                continue; // no directory has more values than the file has bytes
            }
            let start = order.u32(&entry[8..])? as usize;
            // what follows a value that lies outside is as little to be trusted
            exif.get(start..)?.get(..length as usize)?
        } else {
            &entry[8..8 + length as usize]
        };
        if number == ORIENTATION && !data.is_empty() {
            return Some(Tag { value: order.whole(kind, data) });
        }
    }
    None
}

/// Bytes of one value of a type; `None` for types that TIFF does not have.
fn unit_bytes(kind: u16) -> Option<u64> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 => 8,
        _ => return None,
    })
}

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn bytes<const N: usize>(self, data: &[u8]) -> Option<[u8; N]> {
        let mut bytes = *data.first_chunk::<N>()?;
        if matches!(self, Self::Little) {
            bytes.reverse();
        }
        Some(bytes)
    }

    fn u16(self, data: &[u8]) -> Option<u16> {
        self.bytes(data).map(u16::from_be_bytes)
    }

    fn u32(self, data: &[u8]) -> Option<u32> {
        self.bytes(data).map(u32::from_be_bytes)
    }

    /// The first value of numeric data, when it is a whole number that an orientation can be. Bytes
    /// and text are no numbers.
    fn whole(self, kind: u16, data: &[u8]) -> Option<u8> {
        let value = match kind {
            3 | 8 => f64::from(self.u16(data)?),
            4 | 9 | 13 => f64::from(self.u32(data)?),
            5 | 10 => f64::from(self.u32(data)?) / f64::from(self.u32(&data[4..])?),
            6 => f64::from(*data.first()?),
            11 => f32::from_be_bytes(self.bytes(data)?).into(),
            12 => f64::from_be_bytes(self.bytes(data)?),
            16 => u64::from_be_bytes(self.bytes(data)?) as f64,
            _ => return None,
        };
        (1..=8).find(|whole| value == f64::from(*whole))
    }
}

/// The digit behind the first `tiff:Orientation="` or `tiff:Orientation>`.
fn of_xmp(xmp: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    let found = |at: &usize| {
        let rest = xmp[*at..].strip_prefix(NAME)?;
        let rest = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        rest.first().filter(|digit| digit.is_ascii_digit()).map(|digit| digit - b'0')
    };
    (0..xmp.len()).find_map(|at| found(&at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn of(exif: &[u8], xmp: Option<&'static [u8]>) -> Orientation {
        orientation(&Metadata { exif: Some(Cow::Borrowed(exif)), xmp })
    }

    /// A big-endian directory with one entry, whose value field these four bytes are.
    fn one(kind: u16, count: u32, value: [u8; 4], behind: &[u8]) -> Vec<u8> {
        let entry =
            [&274u16.to_be_bytes()[..], &kind.to_be_bytes(), &count.to_be_bytes(), &value].concat();
        [&b"MM\0*\0\0\0\x08\0\x01"[..], &entry, &[0; 4], behind].concat()
    }

    #[test]
    fn whole_numbers_of_any_type_are_read_and_nothing_else() {
        use Orientation::{NoTransforms as Upright, Rotate90};
        let table = [
            ("SHORT", one(3, 1, [0, 6, 0, 0], b""), Rotate90),
            ("LONG", one(4, 1, [0, 0, 0, 6], b""), Rotate90),
            ("signed LONG", one(9, 1, [0, 0, 0, 6], b""), Rotate90),
            ("signed BYTE", one(6, 1, [6, 0, 0, 0], b""), Rotate90),
            ("FLOAT", one(11, 1, 6f32.to_be_bytes(), b""), Rotate90),
            ("RATIONAL 12/2", one(5, 1, [0, 0, 0, 26], &[0, 0, 0, 12, 0, 0, 0, 2]), Rotate90),
            ("RATIONAL 6/0", one(5, 1, [0, 0, 0, 26], &[0, 0, 0, 6, 0, 0, 0, 0]), Upright),
            ("the first of three SHORTs", one(3, 3, [0, 0, 0, 26], &[0, 6, 0, 1, 0, 1]), Rotate90),
            ("BYTE", one(1, 1, [6, 0, 0, 0], b""), Upright),
            ("text", one(2, 2, *b"6\0\0\0", b""), Upright),
            ("a LONG of 65,542", one(4, 1, [0, 1, 0, 6], b""), Upright),
            ("none of it", one(3, 0, [0, 6, 0, 0], b""), Upright),
            ("four billion of them", one(3, u32::MAX, [0, 0, 0, 26], &[0, 6]), Upright),
            ("outside", one(3, 3, [0xFF; 4], &[0; 40]), Upright),
        ];
        for (kind, exif, expected) in table {
            assert_eq!(of(&exif, None), expected, "{kind}");
        }
    }

    #[test]
    fn xmp_counts_only_when_exif_does_not_have_the_tag() {
        let xmp = Some(&b"<a tiff:Orientation='8' tiff:Orientation=\"3\"/>"[..]);
        assert_eq!(of(b"MM\0*\0\0\0\x08\0\0", xmp), Orientation::Rotate180);
        assert_eq!(of(&one(3, 1, [0, 6, 0, 0], b""), xmp), Orientation::Rotate90);
        assert_eq!(of(&one(1, 1, [6, 0, 0, 0], b""), xmp), Orientation::NoTransforms);
    }
}
