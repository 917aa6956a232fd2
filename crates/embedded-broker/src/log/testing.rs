//! Record batches for tests, as a producer would send them.

use super::record_batch::{BatchHeader, HEADER_LEN};
use super::records::Records;
use super::{LogOptions, Partition};

/// Who sends a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
}

/// Nobody in particular: a producer without idempotence.
pub(crate) const ANYONE: Sender = Sender { id: -1, epoch: -1, sequence: -1 };

/// A log that keeps everything in one segment.
pub(crate) const KEEP_ALL: LogOptions = LogOptions {
    segment_bytes: 1 << 30,
    retention_bytes: None,
    retention_ms: None,
    max_batch_bytes: 1 << 20,
    sync_each_append: false,
    topic_id: uuid::Uuid::nil(),
    compact: false,
};

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// An uncompressed batch of records with these times and values.
pub(crate) fn batch(records: &[(i64, &[u8])], sender: Sender) -> Vec<u8> {
    let keyless: Vec<Record<'_>> =
        records.iter().map(|(time, value)| (*time, None, Some(*value))).collect();
    batch_of(&keyless, sender)
}

/// A record's time, key and value.
pub(crate) type Record<'a> = (i64, Option<&'a [u8]>, Option<&'a [u8]>);

/// The same of records with keys, or without a value.
pub(crate) fn batch_of(records: &[Record<'_>], sender: Sender) -> Vec<u8> {
    let base_timestamp = records.first().map_or(0, |record| record.0);
    let mut body = Vec::new();
    for (index, (timestamp, key, value)) in records.iter().enumerate() {
        let mut record = vec![0];
        varint(&mut record, timestamp - base_timestamp);
        varint(&mut record, index as i64);
        for part in [key, value] {
            varint(&mut record, part.map_or(-1, |part| part.len() as i64));
            record.extend_from_slice(part.unwrap_or_default());
        }
        varint(&mut record, 0);
        varint(&mut body, record.len() as i64);
        body.extend_from_slice(&record);
    }
    let mut covered = Vec::new();
    covered.extend_from_slice(&0_i16.to_be_bytes());
    covered.extend_from_slice(&(records.len() as i32 - 1).to_be_bytes());
    covered.extend_from_slice(&base_timestamp.to_be_bytes());
    covered
        .extend_from_slice(&records.iter().map(|record| record.0).max().unwrap_or(0).to_be_bytes());
    covered.extend_from_slice(&sender.id.to_be_bytes());
    covered.extend_from_slice(&sender.epoch.to_be_bytes());
    covered.extend_from_slice(&sender.sequence.to_be_bytes());
    covered.extend_from_slice(&(records.len() as i32).to_be_bytes());
    covered.extend_from_slice(&body);
    let mut batch = 0_i64.to_be_bytes().to_vec();
    batch.extend_from_slice(&(covered.len() as i32 + 9).to_be_bytes());
    batch.extend_from_slice(&(-1_i32).to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&crc32c::crc32c(&covered).to_be_bytes());
    batch.extend_from_slice(&covered);
    batch
}

/// One record of `len` bytes, whose time is `timestamp`.
pub(crate) fn one(timestamp: i64, len: usize) -> Vec<u8> {
    batch(&[(timestamp, &vec![7; len])], ANYONE)
}

/// A record as a reader gets it: offset, time, and the bytes of its batch (without what the broker
/// has written).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
}

/// Reads a log to its end in bites of `max_bytes`.
pub(crate) fn read_all(partition: &Partition, from: i64, max_bytes: usize) -> Vec<Read> {
    let mut next = from;
    let mut all = Vec::new();
    while let Some(stretch) = partition.stretch(next, max_bytes, true).expect("within the log") {
        let bytes = stretch.read().expect("readable");
        let mut rest = bytes.as_slice();
        let mut batches = 0;
        while !rest.is_empty() {
            let header = BatchHeader::parse(rest).expect("a batch");
            let (batch, after) = rest.split_at(header.len);
            header.check_crc(batch).expect("an intact batch");
            assert!(
                header.base_offset <= next && next < header.end_offset().expect("an end"),
                "batches follow each other"
            );
            let body = if header.is_filler() { &[][..] } else { &batch[HEADER_LEN..] };
            for record in Records::new(body) {
                let record = record.expect("a record");
                let offset = header.base_offset + i64::from(record.offset_delta);
                if offset >= next {
                    all.push(Read {
                        offset,
                        timestamp: header.base_timestamp + record.timestamp_delta,
                        key: record.key.map(<[u8]>::to_vec),
                    });
                }
            }
            next = header.end_offset().expect("an end");
            rest = after;
            batches += 1;
        }
        assert!(bytes.len() <= max_bytes || batches == 1, "more than asked for");
    }
    assert_eq!(next, partition.offsets().1, "read to the end");
    all
}
