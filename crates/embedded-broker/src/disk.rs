//! Whether there is space left for new records.

use crate::files::lock;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tracing::{error, info};

/// What records leave free, in bytes, for committed offsets and what else is written down beside
/// them.
const SPARED: u64 = 1 << 20;

/// Knows whether the disk is full, and says so once.
pub(crate) struct Disk {
    dir: PathBuf,
    limit: Option<u64>,
    full: Mutex<bool>,
}

/// Whether a failed write means that there is no space.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Disk {
    pub(crate) fn new(dir: &Path, limit: Option<u64>) -> Self {
        Self { dir: dir.to_owned(), limit, full: Mutex::new(false) }
    }

    /// Whether this many bytes may be added to those that `used` counts.
    ///
    /// # Errors
    /// As of a disk that is full.
    pub(crate) fn check(&self, more: usize, used: impl FnOnce() -> u64) -> io::Result<()> {
        let over = self.limit.is_some_and(|limit| used().saturating_add(more as u64) > limit);
        let scarce = || self.free().is_some_and(|free| free < SPARED.saturating_add(more as u64));
        if over || scarce() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// A write has failed for want of space.
    pub(crate) fn is_full_now(&self) {
        let mut full = lock(&self.full);
        if !std::mem::replace(&mut *full, true) {
            let free_bytes = self.free();
            error!(dir = %self.dir.display(), free_bytes, "no space left on the disk: new records \
                are refused until there is some");
        }
    }

    /// A write has succeeded.
    pub(crate) fn has_space(&self) {
        let mut full = lock(&self.full);
        if std::mem::replace(&mut *full, false) {
            info!(dir = %self.dir.display(), free_bytes = self.free(), "there is space on the disk \
                again");
        }
    }

    pub(crate) fn was_full(&self) -> bool {
        *lock(&self.full)
    }

    /// Bytes that may still be written; `None` when the system does not say.
    fn free(&self) -> Option<u64> {
        rustix::fs::statvfs(&self.dir)
            .ok()
            .filter(|stat| stat.f_blocks > 0)
            .map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
