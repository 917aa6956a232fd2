//! What this process logs, kept for assertions.

use std::io;
use std::sync::{Mutex, Once, PoisonError};
use tracing_subscriber::fmt::MakeWriter;

static TEXT: Mutex<String> = Mutex::new(String::new());

/// The lines of this level in which all of these words stand.
pub(crate) fn lines(level: &str, words: &[&str]) -> Vec<String> {
    let text = TEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |line: &&str| {
        line.contains(&format!(" {level} ")) && words.iter().all(|word| line.contains(word))
    };
    text.lines().filter(fits).map(str::to_owned).collect()
}

/// Whether these words stand anywhere.
pub(crate) fn holds(words: &str) -> bool {
    TEXT.lock().unwrap_or_else(PoisonError::into_inner).contains(words)
}

/// From now on it is kept, all that is logged at any level.
pub(crate) fn keep() {
    static KEPT: Once = Once::new();
    KEPT.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(Keeper)
            .init();
    });
}

struct Keeper;

impl io::Write for Keeper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TEXT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Keeper {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
