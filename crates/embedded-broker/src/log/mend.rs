//! A segment with damage in the middle: what is intact behind it is kept, and a filler says which
//! offsets are lost.

use super::filler::fillers;
use super::record_batch::{BatchHeader, HEADER_LEN};
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A part of a damaged segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Intact bytes.
    Keep(Range<usize>),
    /// Offsets that are lost.
    Lost(Range<i64>),
}

/// Where the damage begins, and which offsets may be behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Damage {
    /// In bytes, in the file.
    pub(super) position: u64,
    /// The offset that is expected there.
    pub(super) offset: i64,
    /// No batch of this segment ends above this.
    pub(super) limit: i64,
}

/// Searches for intact batches behind the damage. Empty when there are none: then the rest is a
/// torn tail.
pub(super) fn survey(rest: &[u8], damage: Damage) -> Vec<Piece> {
    let (mut pieces, mut at, mut end) = (Vec::new(), 0, damage.offset);
    loop {
        while let Some(header) =
            intact(&rest[at..], end, damage.limit).filter(|header| header.base_offset == end)
        {
            keep(&mut pieces, at..at + header.len);
            at += header.len;
            end = header.end_offset().unwrap_or(end);
        }
        let Some((next, base)) = resume(rest, at, end, damage.limit) else { return pieces };
        if base > end {
            pieces.push(Piece::Lost(end..base));
        }
        (at, end) = (next, base);
    }
}

fn keep(pieces: &mut Vec<Piece>, range: Range<usize>) {
    match pieces.last_mut() {
        Some(Piece::Keep(last)) if last.end == range.start => last.end = range.end,
        _ => pieces.push(Piece::Keep(range)),
    }
}

/// The next intact batch after the damage at `at`. Where the damaged batch's own length leads is
/// tried first: a record may contain what looks like a batch.
fn resume(rest: &[u8], at: usize, end: i64, limit: i64) -> Option<(usize, i64)> {
    let try_at = |place: usize| {
        let header = intact(rest.get(place..)?, end, limit)?;
        Some((place, header.base_offset))
    };
    let claimed = BatchHeader::parse(rest.get(at..)?)
        .ok()
        .and_then(|header| try_at(at.checked_add(header.len)?));
    claimed.or_else(|| (at + 1..rest.len().saturating_sub(HEADER_LEN)).find_map(try_at))
}

/// The batch that begins here, if it is whole and its offsets may be here.
fn intact(bytes: &[u8], end: i64, limit: i64) -> Option<BatchHeader> {
    // checked for every byte: the format's number first
    if *bytes.get(16)? != 2 {
        return None;
    }
    let header = BatchHeader::parse(bytes).ok()?;
    let fits = header.base_offset >= end && header.end_offset()? <= limit;
    let batch = bytes.get(..header.len).filter(|_| fits)?;
    header.check_crc(batch).ok().map(|()| header)
}

/// Replaces the file by one that consists of what is before the damage and of the pieces. A crash
/// leaves either file.
pub(super) fn rewrite(
    path: &Path,
    file: &File,
    damage: Damage,
    rest: &[u8],
    pieces: &[Piece],
    epoch: i32,
) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut new = File::create(&temporary)?;
    let mut head = vec![0; usize::try_from(damage.position).map_err(io::Error::other)?];
    file.read_exact_at(&mut head, 0)?;
    new.write_all(&head)?;
    for piece in pieces {
        match piece {
            Piece::Keep(range) => new.write_all(&rest[range.clone()])?,
            Piece::Lost(offsets) => {
                fillers(offsets.start, offsets.end, epoch)
                    .try_for_each(|(_, batch)| new.write_all(&batch))?;
            }
        }
    }
    new.sync_all()?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::super::testing::one;
    use super::*;

    /// Batches of one record each, from offset 5 on.
    fn log(count: usize) -> Vec<Vec<u8>> {
        let batch = |index: usize| {
            let mut batch = one(1, 10 + index);
            batch[..8].copy_from_slice(&(5 + index as i64).to_be_bytes());
            batch
        };
        (0..count).map(batch).collect()
    }

    #[test]
    fn what_is_intact_behind_damage_is_found_and_the_rest_is_named() {
        let batches = log(6);
        let ends: Vec<_> = batches
            .iter()
            .scan(0, |end, batch| {
                Some({
                    *end += batch.len();
                    *end
                })
            })
            .collect();
        let damage = Damage { position: 0, offset: 5, limit: i64::MAX };
        let mut bytes = batches.concat();
        bytes[ends[0] + 70] ^= 1; // a record of the second
        bytes[ends[2] + 9] ^= 1; // the length of the fourth
        let expected = vec![
            Piece::Keep(0..ends[0]),
            Piece::Lost(6..7),
            Piece::Keep(ends[1]..ends[2]),
            Piece::Lost(8..9),
            Piece::Keep(ends[3]..ends[5]),
        ];
        assert_eq!(survey(&bytes, damage), expected);
        assert_eq!(
            survey(&bytes, Damage { limit: 9, ..damage }),
            expected[..3],
            "offsets of the next segment cannot be here"
        );
        assert_eq!(survey(&bytes[..ends[2] + 40], damage), expected[..3], "a tail is no piece");
        assert_eq!(survey(&[0; 300], damage), []);
    }

    #[test]
    fn a_batch_inside_a_damaged_record_is_no_batch() {
        let inner = {
            let mut inner = one(1, 3);
            inner[..8].copy_from_slice(&6_i64.to_be_bytes());
            inner
        };
        let mut outer = super::super::testing::batch(&[(1, &inner)], super::super::testing::ANYONE);
        outer[..8].copy_from_slice(&5_i64.to_be_bytes());
        *outer.last_mut().unwrap() ^= 1;
        let next = log(2).remove(1);
        let damage = Damage { position: 0, offset: 5, limit: i64::MAX };
        let at = outer.len();
        let pieces = survey(&[outer, next.clone()].concat(), damage);
        assert_eq!(pieces, [Piece::Lost(5..6), Piece::Keep(at..at + next.len())]);
    }
}
