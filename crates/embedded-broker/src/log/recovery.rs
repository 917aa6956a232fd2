//! Opening a log: reads every batch, checks it, and cuts off what a crash has left behind.

use super::partition::START_FILE;
use super::producer_state::ProducerStates;
use super::record_batch::{BatchHeader, HEADER_LEN};
use super::segment::{Segment, base_of};
use super::wake::now_ms;
use crate::files;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tracing::warn;

/// Small batches are read many at a time.
const READ_AHEAD: usize = 256 * 1024;

/// What a directory holds.
pub(super) struct Recovered {
    pub(super) segments: VecDeque<Segment>,
    pub(super) start: i64,
    pub(super) producers: ProducerStates,
}

/// Reads all segments of `dir`. The log ends before the first batch that is torn, corrupt or out of place;
/// what lies behind it is removed, so that offsets never have holes.
pub(super) fn recover(dir: &Path) -> io::Result<Recovered> {
    let mut producers = ProducerStates::default();
    let mut segments = VecDeque::<Segment>::new();
    let mut dropped = 0_u64;
    let mut broken = false;
    for (base, path) in segment_files(dir)? {
        if broken || segments.back().is_some_and(|previous| previous.end != base) {
            broken = true;
            dropped += fs::metadata(&path)?.len();
            fs::remove_file(&path)?;
            continue;
        }
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let len = file.metadata()?.len();
        let segment = scan(path, file, base, &mut producers)?;
        if segment.size < len {
            broken = true;
            dropped += len - segment.size;
            segment.file.set_len(segment.size)?;
        }
        segments.push_back(segment);
    }
    if dropped > 0 {
        let end = segments.back().map(|segment| segment.end);
        warn!(dir = %dir.display(), dropped_bytes = dropped, end_offset = end, "cut a torn or corrupt tail off a log");
    }
    let kept_start = start_offset(dir)?;
    if segments.is_empty() {
        segments.push_back(Segment::create(dir, kept_start, now_ms())?);
    }
    let first = segments.front().map_or(0, |segment| segment.base);
    let end = segments.back().map_or(0, |segment| segment.end);
    // records may have been deleted that a crash then took anyway: the start never lies beyond the end
    Ok(Recovered { segments, start: kept_start.clamp(first, end), producers })
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

/// Builds the index of a segment from its file, up to the first batch that is not whole and in place.
fn scan(path: PathBuf, file: File, base: i64, producers: &mut ProducerStates) -> io::Result<Segment> {
    let metadata = file.metadata()?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let appended_ms = modified.map_or_else(now_ms, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let mut segment = Segment::over(path, file, base, appended_ms);
    let file = std::sync::Arc::clone(&segment.file);
    let mut reader = BufReader::with_capacity(READ_AHEAD, &*file);
    let mut batch = Vec::new();
    while segment.size + HEADER_LEN as u64 <= metadata.len() {
        batch.resize(HEADER_LEN, 0);
        reader.read_exact(&mut batch)?;
        let Ok(header) = BatchHeader::parse(&batch) else { break };
        let Some(end) = header.end_offset() else { break };
        let in_place = header.base_offset == segment.end && segment.can_index(end);
        if !in_place || segment.size + header.len as u64 > metadata.len() {
            break;
        }
        batch.resize(header.len, 0);
        reader.read_exact(&mut batch[HEADER_LEN..])?;
        if header.check_crc(&batch).is_err() {
            break;
        }
        segment.push(&header, header.base_offset, appended_ms);
        producers.record(&header, header.base_offset);
    }
    Ok(segment)
}

/// The start that [`Partition::delete_before`](super::Partition::delete_before) has written down; 0 without one.
fn start_offset(dir: &Path) -> io::Result<i64> {
    let path = dir.join(START_FILE);
    let Some(text) = files::read_if_there(&path)? else { return Ok(0) };
    match text.trim().parse() {
        Ok(start) if start >= 0 => Ok(start),
        _ => {
            warn!(path = %path.display(), "ignored a start offset that is not a number");
            Ok(0)
        }
    }
}
