//! How much room the file takes, and a bound for it.
//!
//! What is removed leaves free pages, which later results fill again; a file that was made with
//! `auto_vacuum = incremental` can give them back to the disk, too.

use super::write;
use crate::Forgotten;
use frame::FrameId;
use rusqlite::Connection;

/// How many pages are given back at a time: 4 MiB, a few milliseconds of the writer's lock.
const PAGES_AT_ONCE: u64 = 1_024;
/// This part of the bound, a twentieth, is kept free for what is stored until it is looked again.
const SLACK: u64 = 20;

/// How many frames go before it is looked again whether that is enough.
const PART: u32 = 20;

/// Pages of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Room {
    pages: u64,
    free: u64,
    page_bytes: u64,
}

impl Room {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let number = |name| {
            let value = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            value.map(|value| u64::try_from(value).unwrap_or(0))
        };
        let (pages, free) = (number("page_count")?, number("freelist_count")?);
        Ok(Self { pages, free, page_bytes: number("page_size")? })
    }

    /// Bytes on the disk.
    pub(super) const fn file(self) -> u64 {
        self.pages * self.page_bytes
    }

    /// Bytes that hold something.
    const fn used(self) -> u64 {
        (self.pages - self.free) * self.page_bytes
    }
}

/// Removes the oldest frames, about `at_most`, as long as more than so many bytes hold something,
/// and gives pages back as far as the file is longer.
pub(super) fn forget_beyond(
    connection: &mut Connection,
    bytes: u64,
    at_most: u32,
) -> rusqlite::Result<Forgotten> {
    let mut forgotten = Forgotten { frames: 0, is_all: true };
    while Room::of(connection)?.used() > bytes - bytes / SLACK {
        if forgotten.frames >= at_most.into() {
            forgotten.is_all = false;
            break;
        }
        let part = write::forget_oldest(connection, FrameId::from_then_on(u64::MAX), PART)?;
        forgotten.frames += part.frames;
        if part.is_all {
            break;
        }
    }
    let after = Room::of(connection)?;
    let beyond = after.file().saturating_sub(bytes).div_ceil(after.page_bytes);
    let pages = beyond.min(after.free).min(PAGES_AT_ONCE);
    if pages > 0 {
        give_back(connection, pages)?;
    }
    let now = Room::of(connection)?;
    let is_all = forgotten.is_all && (now.file() <= bytes || now.pages == after.pages);
    Ok(Forgotten { is_all, ..forgotten })
}

/// Nothing in a file that was made without `auto_vacuum`: that one keeps its length.
fn give_back(connection: &Connection, pages: u64) -> rusqlite::Result<()> {
    // each step gives one page back
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query(())?;
    while rows.next()?.is_some() {}
    Ok(())
}
