//! A batch that stands where offsets were lost, so that the offsets of a log have no holes and none
//! is given twice.
//!
//! It is a control batch, as transactions leave them behind: every client passes over it, and goes
//! on at the offset after it.

use super::record_batch::BatchHeader;
use bytes::BufMut;

/// One batch covers no more offsets than this.
const MAX_OFFSETS: i64 = 1 << 30;
const CONTROL: i16 = 0x20;
/// The record of a control batch that says "commit", of a producer that does not exist: `version
/// i16, type i16`.
const KEY: [u8; 4] = [0, 0, 0, 1];
/// What belongs to it: `version i16, coordinator epoch i32`.
const VALUE: [u8; 6] = [0; 6];

/// The batches that cover `base..end`, none when there is nothing to cover.
pub(super) fn fillers(
    base: i64,
    end: i64,
    epoch: i32,
) -> impl Iterator<Item = (BatchHeader, Vec<u8>)> {
    let mut next = base;
    std::iter::from_fn(move || {
        let count = (end - next).min(MAX_OFFSETS);
        let delta = i32::try_from(count - 1).ok().filter(|delta| *delta >= 0)?;
        let batch = filler(next, delta, epoch);
        next += count;
        let header = BatchHeader::parse(&batch).expect("a filler is a batch");
        Some((header, batch))
    })
}

fn filler(base: i64, last_offset_delta: i32, epoch: i32) -> Vec<u8> {
    let mut record = vec![0, 0]; // attributes, time
    put_varint(&mut record, last_offset_delta);
    put_varint(&mut record, 4);
    record.put_slice(&KEY);
    put_varint(&mut record, 6);
    record.put_slice(&VALUE);
    put_varint(&mut record, 0); // headers
    let mut covered = Vec::new();
    covered.put_i16(CONTROL);
    covered.put_i32(last_offset_delta);
    covered.put_i64(-1); // no time
    covered.put_i64(-1);
    covered.put_i64(-1); // nobody's
    covered.put_i16(-1);
    covered.put_i32(-1);
    covered.put_i32(1);
    put_varint(&mut covered, i32::try_from(record.len()).unwrap_or(i32::MAX));
    covered.put_slice(&record);
    let mut batch = Vec::new();
    batch.put_i64(base);
    batch.put_i32(i32::try_from(covered.len() + 9).unwrap_or(i32::MAX));
    batch.put_i32(epoch);
    batch.put_u8(2);
    batch.put_u32(crc32c::crc32c(&covered));
    batch.put_slice(&covered);
    batch
}

/// A zigzag-encoded integer.
fn put_varint(out: &mut Vec<u8>, value: i32) {
    let mut rest = ((value << 1) ^ (value >> 31)).cast_unsigned();
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::super::record_batch::HEADER_LEN;
    use super::super::records::Records;
    use super::*;

    #[test]
    fn fillers_cover_their_offsets_whole_and_are_sound_batches() {
        for (base, end, count) in
            [(7, 7, 0), (7, 6, 0), (0, 1, 1), (5, 4101, 1), (3, 3 + 3 * MAX_OFFSETS, 3)]
        {
            let mut next = base;
            let all: Vec<_> = fillers(base, end, 4).collect();
            assert_eq!(all.len(), count, "{base}..{end}");
            for (header, batch) in &all {
                header.check_crc(batch).unwrap();
                assert!(
                    header.is_filler() && header.len == batch.len() && header.base_offset == next
                );
                let records: Vec<_> =
                    Records::new(&batch[HEADER_LEN..]).map(Result::unwrap).collect();
                assert_eq!(
                    records.iter().map(|record| record.offset_delta).collect::<Vec<_>>(),
                    [header.last_offset_delta]
                );
                next = header.end_offset().unwrap();
            }
            assert_eq!(next, base.max(end));
        }
    }
}
