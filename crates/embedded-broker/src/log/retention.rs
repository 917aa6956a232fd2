//! What goes when a log is too large or too old: whole segments, oldest first.

use super::partition::{Partition, Writer};
use super::segment::Segment;
use crate::files::lock;
use std::io;

/// When the newest record of a segment was written. A producer's clock may run ahead, so its time
/// counts only up to ours.
fn newest(segment: &Segment) -> i64 {
    if segment.max_timestamp < 0 {
        segment.appended_ms
    } else {
        segment.max_timestamp.min(segment.appended_ms)
    }
}

impl Partition {
    /// Drops what size and time allow to be dropped. Blocks.
    pub(crate) fn enforce_retention(&self, now_ms: i64) -> io::Result<()> {
        if self.options.compact {
            return self.compact(now_ms);
        }
        let mut writer = lock(&self.writer);
        self.roll_if_expired(&mut writer, now_ms)?;
        self.retain(&mut writer, now_ms)
    }

    /// Only closed segments can be dropped: one whose records are all too old is closed even if it
    /// has room.
    fn roll_if_expired(&self, writer: &mut Writer, now_ms: i64) -> io::Result<()> {
        let expired = {
            let view = lock(&self.view);
            view.active().size > 0 && self.expired(view.active(), now_ms)
        };
        if expired { self.roll(writer) } else { Ok(()) }
    }

    fn expired(&self, segment: &Segment, now_ms: i64) -> bool {
        self.options
            .retention_ms
            .is_some_and(|limit| now_ms.saturating_sub(newest(segment)) > limit)
    }

    pub(super) fn retain(&self, writer: &mut Writer, now_ms: i64) -> io::Result<()> {
        while !self.options.compact && self.oldest_is_due(now_ms) && self.drop_oldest(writer)? {}
        Ok(())
    }

    fn oldest_is_due(&self, now_ms: i64) -> bool {
        let view = lock(&self.view);
        let Some(oldest) = view.segments.front() else { return false };
        let after = || view.segments.iter().skip(1).map(|segment| segment.size).sum::<u64>();
        self.expired(oldest, now_ms)
            || self.options.retention_bytes.is_some_and(|limit| after() >= limit && oldest.size > 0)
    }

    /// When the oldest segment's newest record was written, in ms since the epoch; `None` for an
    /// empty log, and for one whose records do not age.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        if self.options.compact {
            return None;
        }
        lock(&self.view).segments.front().filter(|oldest| oldest.size > 0).map(newest)
    }

    /// Drops what every group has finished, which lies before `offset`, whole segments at a time.
    /// Blocks.
    pub(crate) fn free_before(&self, offset: i64) -> io::Result<()> {
        let mut writer = lock(&self.writer);
        // what is written from now on must not keep what is finished
        self.roll(&mut writer)?;
        while lock(&self.view).segments.front().is_some_and(|oldest| oldest.end <= offset)
            && self.drop_oldest(&mut writer)?
        {}
        Ok(())
    }

    /// Drops the oldest segment, whatever its age, to make room for others. Blocks.
    pub(crate) fn shrink(&self) -> io::Result<()> {
        let mut writer = lock(&self.writer);
        if lock(&self.view).segments.len() == 1 {
            self.roll(&mut writer)?;
        }
        self.drop_oldest(&mut writer).map(drop)
    }
}
