//! The log of one partition: appended to by one at a time, read by many.
//!
//! Two locks. `writer` is held while files change, so it is only ever taken on threads that may
//! block. `view` is what readers see; it is held for microseconds (a walk over an index goes in
//! steps), never over I/O, and changes only once the file has: readers never meet half a batch.

use super::checkpoint::{Checkpoint, Reach};
use super::epochs::Epochs;
use super::filler::fillers;
use super::producer_state::{Novelty, ProducerStates, SequenceError};
use super::record_batch::{BatchError, BatchHeader};
use super::recovery;
use super::segment::{Segment, Stretch};
use super::wake::{Waiter, Waiters, now_ms};
use crate::files::{self, lock};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// Bytes of a batch that the broker writes itself: base offset, length, leader epoch.
const OWN_HEAD: usize = 16;
/// Keeps the first offset that readers may see, where that is not where a segment begins.
pub(super) const START_FILE: &str = "start-offset";
/// So many offsets are written down as given before they are: after a crash, the log goes on above
/// them.
pub(super) const RESERVED_AHEAD: i64 = 4096;

/// How a log is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogOptions {
    pub(crate) segment_bytes: u64,
    pub(crate) retention_bytes: Option<u64>,
    pub(crate) retention_ms: Option<i64>,
    pub(crate) max_batch_bytes: usize,
    pub(crate) sync_each_append: bool,
    /// Whose log it is.
    pub(crate) topic_id: Uuid,
    /// Whether the last record of each key is kept, whatever its age, and nothing else.
    pub(crate) compact: bool,
}

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    #[error("the batch has {len} bytes, the topic takes {limit}")]
    TooLarge { len: usize, limit: usize },
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error("the topic has been deleted")]
    Deleted,
    #[error("cannot write: {0}")]
    Storage(#[from] io::Error),
}

/// Where a batch lies now; for a duplicate, where it lay already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    pub(crate) log_start: i64,
}

/// An offset that the log does not have, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the offset is outside the log")]
pub(crate) struct OutOfRange;

/// See the module.
pub(crate) struct Partition {
    pub(super) dir: PathBuf,
    pub(super) options: LogOptions,
    pub(super) writer: Mutex<Writer>,
    pub(super) view: Mutex<View>,
    waiters: Waiters,
}

pub(super) struct Writer {
    producers: ProducerStates,
    checkpoint: Checkpoint,
    /// Files with data that is only in the page cache.
    pub(super) unsynced: Vec<Arc<File>>,
    /// Whether file names of the directory are only in the page cache.
    pub(super) names_unsynced: bool,
    pub(super) deleted: bool,
    /// Bytes of the closed segments when they were compacted last.
    pub(super) compacted_bytes: u64,
}

pub(super) struct View {
    /// Oldest first; the last is the one that is appended to.
    pub(super) segments: VecDeque<Segment>,
    pub(super) start: i64,
    pub(super) epochs: Epochs,
}

impl View {
    pub(super) fn active(&self) -> &Segment {
        self.segments.back().expect("a log always has a segment to append to")
    }

    fn end(&self) -> i64 {
        self.active().end
    }

    /// The segment that holds `offset`, which lies between start and end.
    fn holding(&self, offset: i64) -> Option<&Segment> {
        self.segments.get(self.segments.partition_point(|segment| segment.end <= offset))
    }

    fn check(&self, offset: i64) -> Result<(), OutOfRange> {
        if (self.start..=self.end()).contains(&offset) { Ok(()) } else { Err(OutOfRange) }
    }
}

impl Partition {
    /// Opens the log in `dir`, which is created when missing. What a crash has left half-written is
    /// cut off, and no offset that may have been given is given again. Blocks.
    ///
    /// # Errors
    /// When files cannot be read or written.
    pub(crate) fn open(dir: PathBuf, options: LogOptions) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let recovery::Recovered { segments, start, producers, checkpoint } =
            recovery::recover(&dir, options.topic_id, options.compact)?;
        let epochs = checkpoint.epochs.clone();
        let unsynced = segments.back().map(|active| Arc::clone(&active.file)).into_iter().collect();
        let writer = Writer {
            producers,
            checkpoint,
            unsynced,
            names_unsynced: true,
            deleted: false,
            compacted_bytes: 0,
        };
        let view = View { segments, start, epochs };
        Ok(Self {
            dir,
            options,
            writer: Mutex::new(writer),
            view: Mutex::new(view),
            waiters: Waiters::default(),
        })
    }

    /// Appends a batch as a producer has sent it. Blocks.
    ///
    /// # Errors
    /// When the batch is refused, and then the log is as before.
    pub(crate) fn append(&self, batch: &[u8]) -> Result<Appended, AppendError> {
        let limit = self.options.max_batch_bytes;
        if batch.len() > limit {
            return Err(AppendError::TooLarge { len: batch.len(), limit });
        }
        let header = BatchHeader::check_produced(batch)?;
        if self.options.compact {
            header.check_keys(batch)?;
        }
        let mut writer = lock(&self.writer);
        if writer.deleted {
            return Err(AppendError::Deleted);
        }
        let base_offset = match writer.producers.check(&header)? {
            Novelty::Duplicate { base_offset } => base_offset,
            Novelty::New => {
                let base_offset = self.write(&mut writer, &header, batch)?;
                writer.producers.record(&header, base_offset);
                base_offset
            }
        };
        drop(writer);
        self.waiters.wake();
        Ok(Appended { base_offset, log_start: self.offsets().0 })
    }

    fn write(
        &self,
        writer: &mut Writer,
        header: &BatchHeader,
        batch: &[u8],
    ) -> Result<i64, AppendError> {
        let (full, end) = {
            let view = lock(&self.view);
            let active = view.active();
            let end = active
                .end
                .checked_add(i64::from(header.last_offset_delta) + 1)
                .ok_or(BatchError::Inconsistent)?;
            let too_big = active.size + header.len as u64 > self.options.segment_bytes;
            (active.size > 0 && (too_big || !active.can_index(end)), active.end)
        };
        let after = end + i64::from(header.last_offset_delta) + 1;
        self.reserve(writer, after)?;
        if full {
            self.roll(writer)?;
            self.retain(writer, now_ms())?;
        }
        let (file, position) = {
            let view = lock(&self.view);
            (Arc::clone(&view.active().file), view.active().size)
        };
        let epoch = writer.checkpoint.epochs.latest();
        if let Err(error) =
            write_batch(&file, position, (end, epoch), batch).and_then(|()| self.sync_if_due(&file))
        {
            // the index does not know of it: cut it off, so that recovery does not find it either
            if let Err(error) = file.set_len(position) {
                tracing::warn!(dir = %self.dir.display(), %error, "cannot cut off a batch that was \
                    written in part");
            }
            return Err(error.into());
        }
        self.written(writer, file, header, end);
        Ok(end)
    }

    /// Takes a batch that stands in the file now into the index.
    fn written(&self, writer: &mut Writer, file: Arc<File>, header: &BatchHeader, base: i64) {
        if !writer.unsynced.last().is_some_and(|last| Arc::ptr_eq(last, &file)) {
            writer.unsynced.push(file);
        }
        let mut view = lock(&self.view);
        view.segments.back_mut().expect("a log always has a segment to append to").push(
            header,
            base,
            now_ms(),
        );
    }

    /// Writes down that offsets below `end` have been given, and some more so that this is rare.
    fn reserve(&self, writer: &mut Writer, end: i64) -> io::Result<()> {
        if matches!(writer.checkpoint.reach, Reach::Below(reserved) if end <= reserved) {
            return Ok(());
        }
        let reach = Reach::Below(end.saturating_add(RESERVED_AHEAD));
        let checkpoint = Checkpoint { reach, ..writer.checkpoint.clone() };
        checkpoint.write(&self.dir)?;
        writer.checkpoint = checkpoint;
        Ok(())
    }

    /// Writes down where the log ends, so that the next start can tell whether it is still all
    /// there. Nothing is appended after this. Blocks.
    pub(crate) fn close(&self) -> io::Result<()> {
        let mut writer = lock(&self.writer);
        let end = self.offsets().1;
        if writer.deleted || writer.checkpoint.reach == Reach::Closed(end) {
            return Ok(());
        }
        writer.checkpoint.reach = Reach::Closed(end);
        writer.checkpoint.write(&self.dir)
    }

    /// Has the log go on at `offset` or above, since somebody has been there: a filler stands for
    /// what is missing. Gives the offsets that it covers. Blocks.
    pub(crate) fn advance_to(&self, offset: i64) -> io::Result<Range<i64>> {
        let mut writer = lock(&self.writer);
        let from = self.offsets().1;
        for (header, batch) in fillers(from, offset, writer.checkpoint.epochs.latest()) {
            let end = header.base_offset + i64::from(header.last_offset_delta) + 1;
            self.reserve(&mut writer, end)?;
            if !lock(&self.view).active().can_index(end) {
                self.roll(&mut writer)?;
            }
            let (file, position) = {
                let view = lock(&self.view);
                (Arc::clone(&view.active().file), view.active().size)
            };
            file.write_all_at(&batch, position)?;
            self.written(&mut writer, file, &header, header.base_offset);
        }
        let end = self.offsets().1;
        if end > from {
            writer.checkpoint.epochs.bump(end, 0);
            writer.checkpoint.reach = Reach::Closed(end);
            writer.checkpoint.write(&self.dir)?;
            writer.producers.allow_gaps();
            lock(&self.view).epochs = writer.checkpoint.epochs.clone();
        }
        drop(writer);
        self.waiters.wake();
        Ok(from..end)
    }

    /// Where a reader at `offset` really is: at the next record, if only lost ones are in between.
    pub(crate) fn settle(&self, offset: i64) -> i64 {
        let view = lock(&self.view);
        let lost = view.segments.iter().flat_map(|segment| &segment.lost);
        lost.fold(offset, |at, lost| if lost.contains(&at) { lost.end } else { at })
    }

    /// The leader epoch of now.
    pub(crate) fn leader_epoch(&self) -> i32 {
        lock(&self.view).epochs.latest()
    }

    /// The epoch of a record.
    pub(crate) fn epoch_at(&self, offset: i64) -> i32 {
        lock(&self.view).epochs.at(offset)
    }

    /// Where the records of an epoch end; see [`Epochs::end_of`].
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let view = lock(&self.view);
        view.epochs.end_of(epoch, view.end())
    }

    /// The largest id of a producer that has written here.
    pub(crate) fn largest_producer_id(&self) -> i64 {
        lock(&self.writer).producers.largest_id()
    }

    fn sync_if_due(&self, file: &File) -> io::Result<()> {
        if self.options.sync_each_append { file.sync_data() } else { Ok(()) }
    }

    /// Starts a new segment at the end of the log. An empty one stays: the new one would have the
    /// same name.
    pub(super) fn roll(&self, writer: &mut Writer) -> io::Result<()> {
        let (end, empty) = {
            let view = lock(&self.view);
            (view.end(), view.active().size == 0)
        };
        if empty {
            return Ok(());
        }
        let segment = Segment::create(&self.dir, end, now_ms())?;
        if self.options.sync_each_append {
            files::sync_dir(&self.dir)?;
        } else {
            writer.names_unsynced = true;
        }
        lock(&self.view).segments.push_back(segment);
        Ok(())
    }

    /// Drops the oldest segment; the one that is appended to always stays. True when there was one
    /// to drop.
    pub(super) fn drop_oldest(&self, writer: &mut Writer) -> io::Result<bool> {
        let dropped = {
            let mut view = lock(&self.view);
            let Some(next_base) = view.segments.get(1).map(|next| next.base) else {
                return Ok(false);
            };
            view.start = view.start.max(next_base);
            view.segments.pop_front()
        };
        if let Some(segment) = dropped {
            // held open, the file would keep its disk space
            writer.unsynced.retain(|file| !Arc::ptr_eq(file, &segment.file));
            fs::remove_file(&segment.path)?;
        }
        Ok(true)
    }

    /// The first offset that can be read, and the one that the next record gets.
    pub(crate) fn offsets(&self) -> (i64, i64) {
        let view = lock(&self.view);
        (view.start, view.end())
    }

    /// Bytes in files.
    pub(crate) fn bytes(&self) -> u64 {
        lock(&self.view).segments.iter().map(|segment| segment.size).sum()
    }

    /// Bytes that a reader at `offset` has not read.
    pub(crate) fn bytes_from(&self, offset: i64) -> Result<u64, OutOfRange> {
        let view = lock(&self.view);
        view.check(offset)?;
        let first = view.segments.partition_point(|segment| segment.end <= offset);
        let whole = view.segments.iter().skip(first + 1).map(|segment| segment.size).sum::<u64>();
        Ok(whole + view.segments.get(first).map_or(0, |segment| segment.bytes_from(offset)))
    }

    /// Whole batches from `offset` on: at most `max_bytes`, but the first one whatever its size if
    /// `at_least_one`. `None` when there is nothing (yet) to be read or nothing fits.
    pub(crate) fn stretch(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Option<Stretch>, OutOfRange> {
        let view = lock(&self.view);
        view.check(offset)?;
        Ok(view
            .holding(offset)
            .and_then(|segment| segment.stretch(offset, max_bytes, at_least_one)))
    }

    /// Has `waiter` woken by the next append.
    pub(crate) fn register(&self, waiter: &Waiter) {
        self.waiters.register(waiter);
    }

    /// Makes everything before `offset` unreadable (−1: everything there is) and gives disk space
    /// back where whole segments are. Returns the new start. Blocks.
    pub(crate) fn delete_before(&self, offset: i64) -> Result<Result<i64, OutOfRange>, io::Error> {
        let mut writer = lock(&self.writer);
        let (start, end) = self.offsets();
        let wanted = if offset == -1 { end } else { offset };
        if !(0..=end).contains(&wanted) {
            return Ok(Err(OutOfRange));
        }
        let start = start.max(wanted);
        files::replace(&self.dir.join(START_FILE), start.to_string().as_bytes())?;
        lock(&self.view).start = start;
        while lock(&self.view).segments.get(1).is_some_and(|next| next.base <= start)
            && self.drop_oldest(&mut writer)?
        {}
        Ok(Ok(start))
    }

    /// Forces everything appended so far to the disk. Blocks, without keeping appends waiting. Goes
    /// on after an error and gives the first one; what failed is tried again next time, so that
    /// a failure is not followed by a success that hides it.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let (unsynced, names) = {
            let mut writer = lock(&self.writer);
            if writer.deleted {
                return Ok(());
            }
            (std::mem::take(&mut writer.unsynced), std::mem::take(&mut writer.names_unsynced))
        };
        let names_synced = if names { files::sync_dir(&self.dir) } else { Ok(()) };
        let names_failed = names_synced.is_err();
        let mut failed = Vec::new();
        let synced = unsynced.into_iter().fold(names_synced, |first, file| {
            let synced = file.sync_data();
            if synced.is_err() {
                failed.push(file);
            }
            first.and(synced)
        });
        if synced.is_err() {
            self.put_back(failed, names_failed);
        }
        synced
    }

    /// Has the next flush take care of what this one has failed to sync, apart from segments that
    /// have gone since.
    fn put_back(&self, mut failed: Vec<Arc<File>>, names_failed: bool) {
        let mut writer = lock(&self.writer);
        writer.names_unsynced |= names_failed;
        {
            let view = lock(&self.view);
            failed.retain(|file| {
                view.segments.iter().any(|segment| Arc::ptr_eq(&segment.file, file))
            });
        }
        writer.unsynced.retain(|file| !failed.iter().any(|other| Arc::ptr_eq(file, other)));
        failed.append(&mut writer.unsynced);
        writer.unsynced = failed;
    }

    /// Refuses appends from now on and wakes the readers, so that they check again and find the
    /// topic gone. Blocks.
    pub(crate) fn close_deleted(&self) {
        lock(&self.writer).deleted = true;
        self.waiters.wake();
    }

    /// The directory of the log.
    pub(crate) fn dir(&self) -> &std::path::Path {
        &self.dir
    }
}

/// The head goes last: until it is there, its length field is zero and recovery sees no batch.
fn write_batch(
    file: &File,
    position: u64,
    (base_offset, epoch): (i64, i32),
    batch: &[u8],
) -> io::Result<()> {
    let mut head = [0; OWN_HEAD];
    head[..8].copy_from_slice(&base_offset.to_be_bytes());
    head[8..12].copy_from_slice(&batch[8..12]);
    head[12..].copy_from_slice(&epoch.to_be_bytes());
    file.write_all_at(&batch[OWN_HEAD..], position + OWN_HEAD as u64)?;
    file.write_all_at(&head, position)
}
