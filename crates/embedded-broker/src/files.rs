//! Small files that are replaced as a whole, and locks that outlive a panic.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Replaces `path` by `contents` so that a crash leaves either the old file or the new one.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace_and_open(path, contents)?;
    match path.parent() {
        Some(dir) => sync_dir(dir),
        None => Ok(()),
    }
}

/// As [`replace`], and gives the new file, to be appended to. Until its directory is synced a crash
/// may bring the old one back. After an error the old file is still in place: nothing can fail once
/// the new one has the name.
pub(crate) fn replace_and_open(path: &Path, contents: &[u8]) -> io::Result<File> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    let file = OpenOptions::new().append(true).open(&temporary)?;
    fs::rename(&temporary, path)?;
    Ok(file)
}

/// Makes the names in a directory durable: a file is lost with its name.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The text of a file, or `None` when there is no such file.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Adds a last line with a checksum, so that damage is told from contents.
pub(crate) fn seal(mut text: String) -> String {
    let crc = crc32c::crc32c(text.as_bytes());
    text += &format!("crc {crc:08x}\n");
    text
}

/// What [`seal`] has sealed; `None` when it is not whole.
pub(crate) fn unseal(text: &str) -> Option<&str> {
    let at = text.strip_suffix('\n')?.rfind('\n')? + 1;
    let (contents, last) = text.split_at(at);
    (last == format!("crc {:08x}\n", crc32c::crc32c(contents.as_bytes()))).then_some(contents)
}

/// Locks, also after a thread has panicked with the lock held: every holder changes the shared
/// state last, in steps that cannot panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
