//! Files that are read at the start, and again whenever they change.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest file that is read: certificates, tokens and policies have a few kilobytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The system says why.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// It is larger than anything that belongs there.
    #[error("{}: it has {bytes} bytes, and may have {MAX_BYTES}", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
}

/// Files that belong together, e.g. a certificate and its key, and what they held when they were
/// last read.
///
/// Contents are compared, not times: a mounted ConfigMap or Secret is exchanged by a symbolic link.
#[derive(Clone)]
pub struct WatchedFiles {
    paths: Vec<PathBuf>,
    seen: Result<Vec<Vec<u8>>, FileError>,
}

/// Names alone: the contents may be keys.
impl std::fmt::Debug for WatchedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchedFiles").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl WatchedFiles {
    /// Reads the files for the first time.
    #[must_use]
    pub fn read(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let paths: Vec<PathBuf> = paths.into_iter().collect();
        let seen = contents(&paths);
        Self { paths, seen }
    }

    /// Which files these are.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// What they held when they were last read, in their order.
    ///
    /// # Errors
    /// The first file that could not be read then.
    pub fn seen(&self) -> Result<&[Vec<u8>], &FileError> {
        self.seen.as_deref()
    }

    /// Reads them again and again until something is different, be it that they cannot be read any
    /// more; [`Self::seen`] tells what. Nothing is lost when the future is dropped early.
    pub async fn changed(&mut self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let paths = self.paths.clone();
            // it fails only when the runtime ends
            let Ok(now) = tokio::task::spawn_blocking(move || contents(&paths)).await else {
                continue;
            };
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }
}

fn contents(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, FileError> {
    paths.iter().map(|path| content(path)).collect()
}

fn content(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |error: std::io::Error| FileError::Unreadable {
        path: path.to_owned(),
        why: error.to_string(),
    };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_BYTES {
        return Err(FileError::TooLong { path: path.to_owned(), bytes });
    }
    std::fs::read(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_seen_and_so_is_a_file_that_goes() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        std::fs::write(&one, "1").unwrap();
        std::fs::write(&other, "2").unwrap();
        let mut files = WatchedFiles::read([one.clone(), other.clone()]);
        assert_eq!(files.seen().unwrap(), [b"1", b"2"]);
        let often = Duration::from_millis(1);
        std::fs::write(&other, "3").unwrap();
        files.changed(often).await;
        assert_eq!(files.seen().unwrap(), [b"1", b"3"]);
        std::fs::remove_file(&one).unwrap();
        files.changed(often).await;
        assert!(files.seen().unwrap_err().to_string().contains("one: No such file"));
        std::fs::write(&one, vec![b'x'; MAX_BYTES as usize + 1]).unwrap();
        files.changed(often).await;
        assert!(matches!(files.seen(), Err(FileError::TooLong { .. })));
    }
}
