//! Compaction: of a topic that keeps the last record of each key, the closed segments are written
//! anew, as one, without the records that a later one replaces.
//!
//! Every record keeps its offset, and fillers stand for those that have gone, so that whoever reads
//! meanwhile loses no place. The segment that is appended to is left alone, so that a log holds at
//! most what is worth keeping, half a segment that is not looked at yet, and that one. A record
//! without a value deletes its key, and goes itself a day later, when everyone has read it.

use super::filler::fillers;
use super::partition::Partition;
use super::record_batch::{BatchHeader, HEADER_LEN};
use super::records::Records;
use super::segment::{Place, Segment, file_name};
use crate::files::{self, lock};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a segment is written that is not whole yet; no reader knows the name.
const UNFINISHED: &str = "compacting";
/// How long a record without a value stays, in ms: Kafka's default.
const TOMBSTONE_MS: i64 = 24 * 3600 * 1000;
/// A compacted topic is for settings: beyond this many keys somebody uses it for something else,
/// and the table of them would take too much memory.
const MAX_KEYS: usize = 1 << 20;

impl Partition {
    /// Compacts the closed segments when enough has been written since the last time. Blocks.
    pub(crate) fn compact(&self, now_ms: i64) -> io::Result<()> {
        let mut writer = lock(&self.writer);
        let (count, bytes) = {
            let view = lock(&self.view);
            let count = view.segments.len() - 1;
            (count, view.segments.iter().take(count).map(|segment| segment.size).sum::<u64>())
        };
        let fresh = bytes.saturating_sub(writer.compacted_bytes);
        if writer.deleted || count == 0 || fresh.saturating_mul(2) < self.options.segment_bytes {
            return Ok(());
        }
        // what cannot be read is tried again when as much has been written once more
        writer.compacted_bytes = bytes;
        // a record that only the page cache has must not take the place of one that is on the disk
        let files: Vec<Arc<File>> =
            lock(&self.view).segments.iter().map(|segment| Arc::clone(&segment.file)).collect();
        files.iter().try_for_each(|file| file.sync_data())?;
        files::sync_dir(&self.dir)?;
        let Some(latest) = self.latest_of_each_key(count)? else {
            tracing::error!(dir = %self.dir.display(), limit = MAX_KEYS, "a compacted log has too \
                many keys: it is not compacted");
            return Ok(());
        };
        let Some(merged) = self.merge(count, &latest, now_ms)? else { return Ok(()) };
        writer.compacted_bytes = merged.size;
        // the file of the first one is replaced already
        let replaced: Vec<Segment> = {
            let mut view = lock(&self.view);
            let rest = view.segments.split_off(count);
            let replaced = std::mem::replace(&mut view.segments, rest);
            view.segments.push_front(merged);
            replaced.into()
        };
        writer
            .unsynced
            .retain(|file| !replaced.iter().any(|segment| Arc::ptr_eq(file, &segment.file)));
        writer.names_unsynced = true;
        replaced.iter().skip(1).try_for_each(|segment| fs::remove_file(&segment.path))
    }

    /// The offset of the last record of each key in the whole log; `None` when there are too many.
    fn latest_of_each_key(&self, closed: usize) -> io::Result<Option<HashMap<Vec<u8>, i64>>> {
        let mut latest = HashMap::new();
        for index in 0..=closed {
            let (file, places) = self.places(index);
            for place in places {
                let batch = read(&file, &place)?;
                let Some(header) = records_of(&batch) else { continue };
                for record in Records::new(&batch[HEADER_LEN..]).map_while(Result::ok) {
                    let offset = place.base + i64::from(record.offset_delta);
                    if let Some(key) = record.key.filter(|_| !header.is_filler()) {
                        latest.insert(key.to_vec(), offset);
                    }
                }
            }
            if latest.len() > MAX_KEYS {
                return Ok(None);
            }
        }
        Ok(Some(latest))
    }

    /// Writes the first `count` segments anew as one, under the name of the first. `None` when one
    /// segment cannot hold them.
    fn merge(
        &self,
        count: usize,
        latest: &HashMap<Vec<u8>, i64>,
        now_ms: i64,
    ) -> io::Result<Option<Segment>> {
        let (base, end, appended_ms) = {
            let view = lock(&self.view);
            let (first, last) = (&view.segments[0], &view.segments[count - 1]);
            (first.base, last.end, last.appended_ms)
        };
        let mut out = Output::create(&self.dir, base)?;
        for index in 0..count {
            let (file, places) = self.places(index);
            for place in places {
                let batch = read(&file, &place)?;
                let Some(header) = records_of(&batch) else { continue };
                let mut kept = Vec::new();
                let mut all = true;
                for record in Records::new(&batch[HEADER_LEN..]).map_while(Result::ok) {
                    let offset = place.base + i64::from(record.offset_delta);
                    let time = header.base_timestamp.saturating_add(record.timestamp_delta);
                    let is_last = record
                        .key
                        .is_some_and(|key| latest.get(key).is_none_or(|at| *at == offset));
                    let told = record.has_value || now_ms.saturating_sub(time) < TOMBSTONE_MS;
                    if is_last && told {
                        kept.push(record.bytes);
                    } else {
                        all = false;
                    }
                }
                if kept.is_empty() {
                    continue;
                }
                self.fill(&mut out, place.base)?;
                if all {
                    out.write(header, &batch)?;
                } else {
                    let (header, batch) =
                        BatchHeader::with_records(&batch, &kept).map_err(io::Error::other)?;
                    out.write(header, &batch)?;
                }
            }
        }
        self.fill(&mut out, end)?;
        out.finish(&self.dir, appended_ms)
    }

    /// Has fillers stand for what has gone before `offset`.
    fn fill(&self, out: &mut Output, offset: i64) -> io::Result<()> {
        let gone: Range<i64> = out.end..offset;
        for (header, batch) in fillers(gone.start, gone.end, self.epoch_at(gone.start)) {
            out.write(header, &batch)?;
        }
        Ok(())
    }

    /// The file of a segment and the places of its batches.
    fn places(&self, index: usize) -> (Arc<File>, Vec<Place>) {
        let view = lock(&self.view);
        let segment = &view.segments[index];
        let places = (0..segment.batches()).filter_map(|index| segment.place(index));
        (Arc::clone(&segment.file), places.collect())
    }
}

fn read(file: &File, place: &Place) -> io::Result<Vec<u8>> {
    let mut batch = vec![0; usize::try_from(place.len).map_err(io::Error::other)?];
    file.read_exact_at(&mut batch, place.position)?;
    // written anew with a checksum of its own, damage would look like data
    BatchHeader::parse(&batch)
        .and_then(|header| header.check_crc(&batch))
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(batch)
}

/// The header of a batch that holds records; a filler holds none.
fn records_of(batch: &[u8]) -> Option<BatchHeader> {
    BatchHeader::parse(batch).ok().filter(|header| !header.is_filler())
}

/// A segment that is being written.
struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    base: i64,
    /// The offset after what has been written.
    end: i64,
    batches: Vec<(BatchHeader, i64)>,
}

impl Output {
    fn create(dir: &Path, base: i64) -> io::Result<Self> {
        let path = dir.join(UNFINISHED);
        let file =
            OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&path)?;
        Ok(Self { path, file: BufWriter::new(file), base, end: base, batches: Vec::new() })
    }

    fn write(&mut self, header: BatchHeader, batch: &[u8]) -> io::Result<()> {
        self.file.write_all(batch)?;
        self.batches.push((header, self.end));
        self.end += i64::from(header.last_offset_delta) + 1;
        Ok(())
    }

    /// Gives it the name of the first segment, whose place it takes: from this moment on, a start
    /// after a crash finds it, and drops the others, which lie within it.
    fn finish(self, dir: &Path, appended_ms: i64) -> io::Result<Option<Segment>> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let path = dir.join(file_name(self.base));
        let mut segment = Segment::over(path.clone(), file, self.base, appended_ms);
        for (header, base) in &self.batches {
            let end = base + i64::from(header.last_offset_delta) + 1;
            if !segment.can_index(end) {
                tracing::error!(dir = %dir.display(), "a compacted log spans too many offsets for \
                    one segment: it is not compacted");
                return fs::remove_file(&self.path).map(|()| None);
            }
            segment.push(header, *base, appended_ms);
        }
        segment.file.sync_all()?;
        fs::rename(&self.path, path)?;
        files::sync_dir(dir)?;
        Ok(Some(segment))
    }
}

#[cfg(test)]
mod tests;
