//! Opening a log: reads every batch, checks it, cuts off what a crash has left half-written, keeps
//! what is intact behind damage, and sees to it that no offset is given twice.

use super::checkpoint::{Checkpoint, Reach, Reading};
use super::epochs::Epochs;
use super::filler::fillers;
use super::mend::{self, Damage, Piece};
use super::partition::{RESERVED_AHEAD, START_FILE};
use super::producer_state::ProducerStates;
use super::record_batch::{BatchHeader, HEADER_LEN};
use super::segment::{Segment, base_of};
use super::wake::now_ms;
use crate::files;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tracing::{info, warn};
use uuid::Uuid;

/// Small batches are read many at a time.
const READ_AHEAD: usize = 256 * 1024;
/// So many losses of one log are named.
const NAMED_LOSSES: usize = 10;

/// What a directory holds.
pub(super) struct Recovered {
    pub(super) segments: VecDeque<Segment>,
    pub(super) start: i64,
    pub(super) producers: ProducerStates,
    pub(super) checkpoint: Checkpoint,
}

/// What is not there any more.
#[derive(Debug, Default)]
struct Losses {
    cut_bytes: u64,
    offsets: Vec<Range<i64>>,
    /// Batches whose offset or epoch was wrong, which the checksum does not cover.
    mended: usize,
}

impl Losses {
    fn any(&self) -> bool {
        self.cut_bytes > 0 || !self.offsets.is_empty()
    }

    fn lose(&mut self, offsets: Range<i64>) {
        match self.offsets.last_mut() {
            Some(last) if (last.start..=last.end).contains(&offsets.start) => {
                last.end = last.end.max(offsets.end)
            }
            _ if !offsets.is_empty() => self.offsets.push(offsets),
            _ => {}
        }
    }

    fn tell(&self, dir: &Path, end: i64, next: i64) {
        let dir = dir.display();
        if self.any() {
            let records: i64 = self.offsets.iter().map(|lost| lost.end - lost.start).sum();
            let named = self
                .offsets
                .iter()
                .take(NAMED_LOSSES)
                .map(|lost| format!("{}..{}", lost.start, lost.end));
            let mut offsets = named.collect::<Vec<_>>().join(", ");
            if self.offsets.len() > NAMED_LOSSES {
                offsets += ", ...";
            }
            let (cut_bytes, next_offset) = (self.cut_bytes, next);
            warn!(%dir, cut_bytes, lost_records = records, lost_offsets = offsets, end_offset = end, next_offset,
                "a log has lost records; what is intact is kept, and no offset is given again");
        } else if next > end {
            info!(%dir, end_offset = end, next_offset = next, "a log was not closed; no offset is \
                given again");
        }
        if self.mended > 0 {
            warn!(%dir, batches = self.mended, "mended offsets or epochs of batches that are \
                intact otherwise");
        }
    }
}

/// Reads all segments of `dir`. Batches that are torn, corrupt or out of place are lost. Where
/// something intact follows, a filler stands for their offsets; a tail is cut off. If the log may
/// have been longer, it goes on above every offset that it has given.
pub(super) fn recover(dir: &Path, topic_id: Uuid, compact: bool) -> io::Result<Recovered> {
    let mut scan = Scan { compact, ..Scan::begin(dir)? };
    let files = segment_files(dir)?;
    let limits: Vec<_> =
        files.iter().skip(1).map(|(base, _)| *base).chain([scan.limit()]).collect();
    let fresh = files.is_empty() && scan.reach.is_none() && !scan.damaged;
    for ((base, path), limit) in files.into_iter().zip(limits) {
        scan.file(base, path, limit)?;
    }
    let kept_start = start_offset(dir)?;
    let next = scan.next(fresh);
    if scan.segments.is_empty() {
        scan.segments.push_back(Segment::create(dir, kept_start.max(next), now_ms())?);
    }
    let end = scan.end();
    let next = next.max(end);
    if scan.reach.is_some_and(|reach| matches!(reach, Reach::Closed(closed) if closed > end)) {
        scan.losses.lose(end..next);
    }
    scan.losses.tell(dir, end, next);
    if let Some(filler) = scan.last_filler {
        scan.producers.allow_gaps_before(filler);
    }
    if next > end || scan.losses.any() {
        scan.fill(end..next)?;
        scan.epochs.bump(next, 0);
        scan.producers.allow_gaps();
        scan.reach = Some(Reach::Closed(next));
        Checkpoint { topic_id, reach: Reach::Closed(next), epochs: scan.epochs.clone() }
            .write(dir)?;
    }
    let first = scan.segments.front().map_or(0, |segment| segment.base);
    let checkpoint = Checkpoint {
        topic_id,
        reach: scan.reach.unwrap_or(Reach::Closed(next)),
        epochs: scan.epochs,
    };
    // records may have been deleted that a crash then took anyway: the start never lies beyond the
    // end
    let start = kept_start.clamp(first, next);
    Ok(Recovered { segments: scan.segments, start, producers: scan.producers, checkpoint })
}

/// A log while it is being read.
struct Scan<'a> {
    dir: &'a Path,
    segments: VecDeque<Segment>,
    producers: ProducerStates,
    epochs: Epochs,
    /// `None` when nothing was written down, or it cannot be read.
    reach: Option<Reach>,
    damaged: bool,
    losses: Losses,
    /// Where the last batch is that stands for others.
    last_filler: Option<i64>,
    /// Whether segments are compacted, several into one.
    compact: bool,
}

impl<'a> Scan<'a> {
    fn begin(dir: &'a Path) -> io::Result<Self> {
        let (epochs, reach, damaged) = match Checkpoint::read(dir)? {
            Reading::Checkpoint(checkpoint) => (checkpoint.epochs, Some(checkpoint.reach), false),
            Reading::Nothing => (Epochs::default(), None, false),
            Reading::Damaged => {
                warn!(dir = %dir.display(), "the checkpoint of a log is damaged; what it says is \
                    taken from the log itself");
                (Epochs::default(), None, true)
            }
        };
        let (segments, producers, losses) = Default::default();
        let (last_filler, compact) = (None, false);
        Ok(Self { dir, segments, producers, epochs, reach, damaged, losses, last_filler, compact })
    }

    /// No offset at or above this has been given.
    fn limit(&self) -> i64 {
        match self.reach {
            Some(Reach::Below(limit) | Reach::Closed(limit)) => limit,
            None => i64::MAX,
        }
    }

    fn end(&self) -> i64 {
        self.segments.back().map_or(0, |segment| segment.end)
    }

    /// The offset that the next record may have.
    fn next(&self, fresh: bool) -> i64 {
        let end = self.end();
        match self.reach {
            Some(Reach::Below(limit) | Reach::Closed(limit)) => end.max(limit),
            // how far the log had come is not known: as far as it can have without a checkpoint of
            // its own
            None if !fresh && (self.damaged || self.losses.any()) => {
                end.saturating_add(RESERVED_AHEAD)
            }
            None => end,
        }
    }

    fn file(&mut self, base: i64, path: PathBuf, limit: i64) -> io::Result<()> {
        if self.segments.back().is_some_and(|previous| previous.end > base) {
            // of a compacted log, the segment before it took up what was worth keeping
            if !self.compact {
                self.losses.cut_bytes += fs::metadata(&path)?.len();
            }
            return fs::remove_file(&path);
        }
        if !self.segments.is_empty() {
            let hole = self.end()..base;
            self.losses.lose(hole.clone());
            self.fill(hole)?;
        }
        let mut segment = open(path.clone(), base)?;
        if !self.read(&mut segment)? && self.mend(&segment, limit)? {
            segment = open(path, base)?;
            self.read(&mut segment)?;
        }
        let len = segment.file.metadata()?.len();
        if segment.size < len {
            self.note_tail(&segment, len)?;
            segment.file.set_len(segment.size)?;
        }
        self.segments.push_back(segment);
        Ok(())
    }

    /// What is cut off may tell by its head how many records it was.
    fn note_tail(&mut self, segment: &Segment, len: u64) -> io::Result<()> {
        self.losses.cut_bytes += len - segment.size;
        let mut head =
            vec![0; HEADER_LEN.min(usize::try_from(len - segment.size).unwrap_or(HEADER_LEN))];
        segment.file.read_exact_at(&mut head, segment.size)?;
        if let Ok(header) = BatchHeader::parse(&head)
            && header.base_offset == segment.end
            && let Some(end) = header.end_offset()
        {
            self.losses.lose(segment.end..end);
        }
        Ok(())
    }

    /// Builds the index of a segment from its file, up to the first batch that is not whole. False
    /// when there is more.
    fn read(&mut self, segment: &mut Segment) -> io::Result<bool> {
        let len = segment.file.metadata()?.len();
        let file = std::sync::Arc::clone(&segment.file);
        let mut reader = BufReader::with_capacity(READ_AHEAD, &*file);
        let mut batch = Vec::new();
        while segment.size + HEADER_LEN as u64 <= len {
            batch.resize(HEADER_LEN, 0);
            reader.read_exact(&mut batch)?;
            let Ok(header) = BatchHeader::parse(&batch) else { break };
            if segment.size + header.len as u64 > len {
                break;
            }
            batch.resize(header.len, 0);
            reader.read_exact(&mut batch[HEADER_LEN..])?;
            if header.check_crc(&batch).is_err() || !self.take(segment, header)? {
                break;
            }
        }
        Ok(segment.size == len)
    }

    /// Takes a batch whose checksum is right into the index.
    fn take(&mut self, segment: &mut Segment, header: BatchHeader) -> io::Result<bool> {
        let base = segment.end;
        let Some(end) = base.checked_add(i64::from(header.last_offset_delta) + 1) else {
            return Ok(false);
        };
        if !segment.can_index(end) {
            return Ok(false);
        }
        if self.reach.is_none()
            && header.base_offset == base
            && header.leader_epoch > self.epochs.latest()
        {
            self.epochs.bump(base, header.leader_epoch);
        }
        let epoch = self.epochs.at(base);
        // the checksum does not cover them, and whoever stands directly behind a batch can have no
        // other
        if (header.base_offset, header.leader_epoch) != (base, epoch) {
            segment.file.write_all_at(&base.to_be_bytes(), segment.size)?;
            segment.file.write_all_at(&epoch.to_be_bytes(), segment.size + 12)?;
            self.losses.mended += 1;
        }
        segment.push(&header, base, segment.appended_ms);
        if header.is_filler() {
            self.last_filler = Some(base);
        }
        self.producers.record(&header, base);
        Ok(true)
    }

    /// Searches for what is intact behind the end of the index; false when that is nothing.
    fn mend(&mut self, segment: &Segment, limit: i64) -> io::Result<bool> {
        let damage = Damage { position: segment.size, offset: segment.end, limit };
        let len = segment.file.metadata()?.len();
        let mut rest = vec![0; usize::try_from(len - segment.size).map_err(io::Error::other)?];
        segment.file.read_exact_at(&mut rest, segment.size)?;
        let pieces = mend::survey(&rest, damage);
        let Some(Piece::Keep(last)) = pieces.last() else { return Ok(false) };
        let kept: usize = pieces
            .iter()
            .map(|piece| if let Piece::Keep(range) = piece { range.len() } else { 0 })
            .sum();
        self.losses.cut_bytes += (last.end - kept) as u64;
        for piece in &pieces {
            if let Piece::Lost(offsets) = piece {
                self.losses.lose(offsets.clone());
            }
        }
        // a tail stays, to be cut off as any other
        let tail = Piece::Keep(last.end..rest.len());
        let pieces: Vec<_> = pieces.iter().cloned().chain([tail]).collect();
        mend::rewrite(
            &segment.path,
            &segment.file,
            damage,
            &rest,
            &pieces,
            self.epochs.at(segment.end),
        )?;
        files::sync_dir(self.dir)?;
        Ok(true)
    }

    /// Has fillers stand for lost offsets at the end of what was read.
    fn fill(&mut self, offsets: Range<i64>) -> io::Result<()> {
        let epoch = self.epochs.at(offsets.start);
        for (header, batch) in fillers(offsets.start, offsets.end, epoch) {
            let end = header.base_offset + i64::from(header.last_offset_delta) + 1;
            if self.segments.back().is_none_or(|active| !active.can_index(end)) {
                self.segments.push_back(Segment::create(self.dir, header.base_offset, now_ms())?);
            }
            let Some(active) = self.segments.back_mut() else { continue };
            active.file.write_all_at(&batch, active.size)?;
            active.push(&header, header.base_offset, active.appended_ms);
        }
        Ok(())
    }
}

fn open(path: PathBuf, base: i64) -> io::Result<Segment> {
    let file: File = OpenOptions::new().read(true).write(true).open(&path)?;
    let modified =
        file.metadata()?.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let appended_ms =
        modified.map_or_else(now_ms, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    Ok(Segment::over(path, file, base, appended_ms))
}

fn segment_files(dir: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(base) = base_of(&path) {
            files.push((base, path));
        }
    }
    files.sort();
    Ok(files)
}

/// The start that [`Partition::delete_before`](super::Partition::delete_before) has written down; 0
/// without one.
fn start_offset(dir: &Path) -> io::Result<i64> {
    let path = dir.join(START_FILE);
    let text = match files::read_if_there(&path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(String::new()),
        read => read?,
    };
    let Some(text) = text else { return Ok(0) };
    match text.trim().parse() {
        Ok(start) if start >= 0 => Ok(start),
        _ => {
            warn!(path = %path.display(), "ignored a start offset that is not a number: deleted \
                records may be read again");
            Ok(0)
        }
    }
}
