//! What trials have shown on this machine, kept in a file for the next process; whoever holds the
//! file's lock is the only process that tries anything.

use kernels::conv::{Method, Sides};
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The file's first line; another number when the kernels are no longer those that were tried.
const HEADER: &str = "mlvi kernels 1";
/// What is read of a file, in bytes: a thousand convolutions.
const MAX_BYTES: u64 = 128 * 1024;
/// Between two attempts to get the lock.
const PAUSE: Duration = Duration::from_millis(5);

static FILE: OnceLock<PathBuf> = OnceLock::new();

/// Has the trials of this process remembered in `file`, and those found there believed. The first
/// call counts.
pub fn remember_trials(file: PathBuf) {
    if FILE.set(file).is_err() {
        tracing::debug!("trials are remembered in a file already");
    }
}

/// The file that trials are remembered in, if any.
pub(crate) fn file() -> Option<&'static Path> {
    FILE.get().map(PathBuf::as_path)
}

/// The file of trials, locked: no other process tries anything meanwhile.
#[derive(Debug)]
pub(crate) struct Remembered(File);

impl Remembered {
    /// Opens the file, or makes it, and waits for its lock. `None` when another process holds it
    /// for longer than `patience`.
    ///
    /// # Errors
    /// When there is no place for the file, or no right to it.
    pub(crate) fn lock(path: &Path, patience: Duration) -> std::io::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let until = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The methods that were found, by the names of their convolutions; none in a file of another
    /// version or of something else.
    pub(crate) fn read(&mut self) -> std::io::Result<HashMap<String, Method>> {
        let mut text = String::new();
        self.0.seek(SeekFrom::Start(0))?;
        (&mut self.0).take(MAX_BYTES).read_to_string(&mut text)?;
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Ok(HashMap::new());
        }
        let method = |name: &str| {
            [Method::Winograd2, Method::Winograd4].into_iter().find(|method| method.name() == name)
        };
        let found = lines.filter_map(|line| {
            let (name, by) = line.rsplit_once(" = ")?;
            Some((name.to_owned(), method(by)?))
        });
        Ok(found.collect())
    }

    /// Adds a method. A file of something else, or a full one, begins anew.
    pub(crate) fn add(&mut self, name: &str, method: Method) -> std::io::Result<()> {
        let mut head = [0; HEADER.len()];
        self.0.seek(SeekFrom::Start(0))?;
        let ours = self.0.read_exact(&mut head).is_ok() && head == *HEADER.as_bytes();
        let line = format!("{name} = {}\n", method.name());
        if !ours || self.0.metadata()?.len() + line.len() as u64 > MAX_BYTES {
            self.0.set_len(0)?;
            self.0.seek(SeekFrom::Start(0))?;
            self.0.write_all(format!("{HEADER}\n").as_bytes())?;
        }
        self.0.seek(SeekFrom::End(0))?;
        self.0.write_all(line.as_bytes())
    }
}

/// What a trial depends on, on one line: processor, instructions, sides, images at once, threads.
pub(crate) fn name(isa: &str, sides: &Sides, batch: usize, threads: usize) -> String {
    let Sides { height, width, channels, filters, before, after, .. } = sides;
    format!(
        "{} | {isa} | {height}x{width}x{channels} to {filters}, zeros {before:?} {after:?} | \
         {batch} at once | {threads} threads",
        processor()
    )
}

/// The processor's name, as Linux tells it; elsewhere its architecture.
fn processor() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let names = ["model name", "CPU part", "uarch"];
        let name = names.into_iter().find_map(|field| {
            let line = told.lines().find(|line| line.starts_with(field))?;
            line.split_once(':').map(|(_, name)| name.trim().replace('|', "/"))
        });
        name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn locked(path: &Path) -> Remembered {
        Remembered::lock(path, SHORT).unwrap().expect("nobody else holds it")
    }

    #[test]
    fn what_was_found_is_there_for_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder").join("kernels");
        let mut first = locked(&path);
        assert!(first.read().unwrap().is_empty());
        first.add("a = b | c", Method::Winograd4).unwrap();
        first.add("d", Method::Winograd2).unwrap();
        // one at a time
        assert!(Remembered::lock(&path, SHORT).unwrap().is_none());
        drop(first);
        let found = locked(&path).read().unwrap();
        assert_eq!(found.get("a = b | c"), Some(&Method::Winograd4));
        assert_eq!(found.get("d"), Some(&Method::Winograd2));
    }

    #[test]
    fn a_file_of_something_else_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kernels");
        for other in ["", "x", "mlvi kernels 0\na = winograd F(4,3)\n", "\u{0}\u{1}"] {
            std::fs::write(&path, other).unwrap();
            let mut file = locked(&path);
            assert!(file.read().unwrap().is_empty(), "{other:?}");
            file.add("a", Method::Winograd2).unwrap();
            assert_eq!(file.read().unwrap().len(), 1, "{other:?}");
        }
        // unknown methods and broken lines are passed over
        std::fs::write(&path, format!("{HEADER}\na = quick\nb\nc = winograd F(4,3)\n")).unwrap();
        let found = locked(&path).read().unwrap();
        assert_eq!(found, HashMap::from([("c".to_owned(), Method::Winograd4)]));
        std::fs::write(&path, vec![b'x'; MAX_BYTES as usize]).unwrap();
        locked(&path).add("a", Method::Winograd2).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 100);
    }

    #[test]
    fn there_may_be_no_place_for_it() {
        assert!(Remembered::lock(Path::new("/proc/none/kernels"), SHORT).is_err());
    }
}
