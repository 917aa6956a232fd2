//! One segment file and the index of its batches.

use super::record_batch::BatchHeader;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a batch begins, relative to its segment. Offsets in a log have no gaps, so a batch ends
/// where the next one begins.
#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u32,
    position: u32,
    max_timestamp: i64,
}

/// A file of consecutive batches, named by the offset of its first record.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base: i64,
    /// The offset after the last record.
    pub(super) end: i64,
    /// In bytes, of the batches that count.
    pub(super) size: u64,
    /// The largest record timestamp, in ms since the epoch; −1 when no record has one.
    pub(super) max_timestamp: i64,
    /// When the last batch was written, in ms since the epoch, by this machine's clock.
    pub(super) appended_ms: i64,
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    /// Offsets that no record has: fillers stand for them.
    pub(super) lost: Vec<Range<i64>>,
    entries: Vec<Entry>,
}

/// A batch's place in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base: i64,
    pub(super) end: i64,
    pub(super) position: u64,
    pub(super) len: u64,
    pub(super) max_timestamp: i64,
}

/// Whole batches that can be read from a file, also after the segment has been dropped from the
/// log.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub(super) file: Arc<File>,
    pub(super) position: u64,
    pub(super) len: usize,
}

impl Stretch {
    /// In bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Reads the batches. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        self.file.read_exact_at(&mut bytes, self.position)?;
        Ok(bytes)
    }

    /// Reads the batches if all of them are in the page cache, as those that were written a moment
    /// ago are, and so never waits for a disk. `None` where they are not, or where the system or
    /// the file system cannot tell.
    #[cfg(target_os = "linux")]
    pub(crate) fn read_from_cache(&self) -> Option<Vec<u8>> {
        use rustix::io::{ReadWriteFlags, preadv2};
        let mut bytes = vec![0; self.len];
        let buffers = &mut [io::IoSliceMut::new(&mut bytes)];
        let read = preadv2(&*self.file, buffers, self.position, ReadWriteFlags::NOWAIT).ok()?;
        (read == self.len).then_some(bytes)
    }

    /// Only Linux can be asked for what is in the page cache.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn read_from_cache(&self) -> Option<Vec<u8>> {
        None
    }
}

/// `00000000000000001234.log`
pub(super) fn file_name(base: i64) -> String {
    format!("{base:020}.log")
}

/// The base offset that a file's name tells, or `None` for other files.
pub(super) fn base_of(path: &Path) -> Option<i64> {
    let stem = path.file_stem()?.to_str()?;
    let digits = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    if digits && path.extension()? == "log" { stem.parse().ok() } else { None }
}

impl Segment {
    /// An empty segment in a new file.
    pub(super) fn create(dir: &Path, base: i64, now_ms: i64) -> io::Result<Self> {
        let path = dir.join(file_name(base));
        let file =
            OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&path)?;
        Ok(Self::over(path, file, base, now_ms))
    }

    /// A segment over a file, with no batch known yet.
    pub(super) fn over(path: PathBuf, file: File, base: i64, appended_ms: i64) -> Self {
        let (lost, entries) = (Vec::new(), Vec::new());
        Self {
            base,
            end: base,
            size: 0,
            max_timestamp: -1,
            appended_ms,
            file: Arc::new(file),
            path,
            lost,
            entries,
        }
    }

    /// Whether the batch that comes next fits into the index; after 2³² offsets or bytes a new
    /// segment is due.
    pub(super) fn can_index(&self, end_offset: i64) -> bool {
        u32::try_from(self.size).is_ok() && u32::try_from(end_offset - self.base).is_ok()
    }

    /// Takes a batch that has been written at the end of the file into the index. The caller has
    /// asked [`Self::can_index`].
    pub(super) fn push(&mut self, header: &BatchHeader, base_offset: i64, now_ms: i64) {
        let offset = u32::try_from(base_offset - self.base).unwrap_or(u32::MAX);
        let position = u32::try_from(self.size).unwrap_or(u32::MAX);
        self.entries.push(Entry { offset, position, max_timestamp: header.max_timestamp });
        self.size += header.len as u64;
        self.end = base_offset + i64::from(header.last_offset_delta) + 1;
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
        self.appended_ms = now_ms;
        if header.is_filler() {
            self.lost.push(base_offset..self.end);
        }
    }

    pub(super) fn batches(&self) -> usize {
        self.entries.len()
    }

    /// The place of the batch with this index.
    pub(super) fn place(&self, index: usize) -> Option<Place> {
        let entry = self.entries.get(index)?;
        let position = u64::from(entry.position);
        let (end, after) = match self.entries.get(index + 1) {
            Some(next) => (self.base + i64::from(next.offset), u64::from(next.position)),
            None => (self.end, self.size),
        };
        let base = self.base + i64::from(entry.offset);
        Some(Place {
            base,
            end,
            position,
            len: after - position,
            max_timestamp: entry.max_timestamp,
        })
    }

    /// The index of the batch that holds `offset`, or of the first one after it.
    pub(super) fn find(&self, offset: i64) -> usize {
        let wanted = offset - self.base;
        self.entries.partition_point(|entry| i64::from(entry.offset) <= wanted).saturating_sub(1)
    }

    /// Bytes from the batch that holds `offset` to the end.
    pub(super) fn bytes_from(&self, offset: i64) -> u64 {
        self.place(self.find(offset)).map_or(0, |place| self.size - place.position)
    }

    /// Whole batches from the one that holds `offset` on, at most `max_bytes` of them;
    /// the first is given whatever its size if `at_least_one`. `None` when nothing fits.
    pub(super) fn stretch(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Option<Stretch> {
        let first_index = self.find(offset);
        let first = self.place(first_index)?;
        let limit = first.position.saturating_add(max_bytes as u64);
        let ends_within = |entry: &Entry| u64::from(entry.position) <= limit;
        // entries begin where the batch before them ends: the last beginning within the limit is
        // where the stretch ends
        let end = if self.size <= limit {
            self.size
        } else {
            let after = self.entries[first_index..].partition_point(ends_within) + first_index;
            self.entries
                .get(after.saturating_sub(1))
                .map_or(first.position, |entry| u64::from(entry.position))
        };
        let end =
            if end <= first.position && at_least_one { first.position + first.len } else { end };
        let len =
            usize::try_from(end.saturating_sub(first.position)).ok().filter(|len| *len > 0)?;
        Some(Stretch { file: Arc::clone(&self.file), position: first.position, len })
    }
}
