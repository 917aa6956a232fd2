//! Finds the first record that is not older than a point in time.

use super::partition::Partition;
use super::record_batch::{BatchHeader, HEADER_LEN};
use super::records::Records;
use super::segment::{Place, Segment, Stretch};
use crate::files::lock;
use std::io;
use std::sync::Arc;

/// Index entries that are read before readers and writers get their turn: some microseconds'
/// worth.
const STEP: usize = 4096;

/// A record and its time, in ms since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundTime {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
}

impl Partition {
    /// The first record whose timestamp is at least `timestamp`, to the record in uncompressed
    /// batches and to the batch in compressed ones. Blocks.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn find_time(&self, timestamp: i64) -> io::Result<Option<FoundTime>> {
        let mut from = self.offsets().0;
        while let Some(step) = self.step(from, timestamp) {
            from = match step {
                Step::Batch(place, stretch) => {
                    if let Some(found) = first_in_batch(&stretch.read()?, &place, from, timestamp) {
                        return Ok(Some(found));
                    }
                    place.end
                }
                Step::NotBefore(offset) => offset,
            };
        }
        Ok(None)
    }

    /// The first record among those with the largest timestamp. Blocks.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn find_newest(&self) -> io::Result<Option<FoundTime>> {
        let newest = lock(&self.view).segments.iter().map(|segment| segment.max_timestamp).max();
        match newest {
            Some(timestamp) if timestamp >= 0 => self.find_time(timestamp),
            _ => Ok(None),
        }
    }

    /// Searches for a batch that reaches beyond `from` and may hold a record of `timestamp` or
    /// later, in the next [`STEP`] batches of the first segment that can have one. `None` when no
    /// segment can.
    fn step(&self, from: i64, timestamp: i64) -> Option<Step> {
        let view = lock(&self.view);
        let recent = |segment: &&Segment| segment.end > from && segment.max_timestamp >= timestamp;
        let segment = view.segments.iter().find(recent)?;
        let first = segment.find(from.max(segment.base));
        let after = (first + STEP).min(segment.batches());
        let found = (first..after)
            .filter_map(|index| segment.place(index))
            .find(|place| place.end > from && place.max_timestamp >= timestamp);
        let Some(place) = found else {
            return Some(Step::NotBefore(
                segment.place(after).map_or(segment.end, |next| next.base),
            ));
        };
        let len = usize::try_from(place.len).ok()?;
        Some(Step::Batch(
            place,
            Stretch { file: Arc::clone(&segment.file), position: place.position, len },
        ))
    }
}

/// What a search of the index gave.
enum Step {
    /// The first batch whose largest timestamp is late enough.
    Batch(Place, Stretch),
    /// There is none before this offset, which is larger than where the step began.
    NotBefore(i64),
}

fn first_in_batch(batch: &[u8], place: &Place, from: i64, timestamp: i64) -> Option<FoundTime> {
    let header = BatchHeader::parse(batch).ok()?;
    if header.is_compressed() {
        return Some(FoundTime { offset: place.base.max(from), timestamp: place.max_timestamp });
    }
    let records = Records::new(&batch[HEADER_LEN..]).map_while(Result::ok);
    let mut times = records.map(|record| FoundTime {
        offset: place.base + i64::from(record.offset_delta),
        timestamp: header.base_timestamp.saturating_add(record.timestamp_delta),
    });
    times.find(|found| found.offset >= from && found.timestamp >= timestamp)
}
