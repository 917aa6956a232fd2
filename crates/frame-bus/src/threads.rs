//! How the background threads of a bus are started.

use std::fmt;
use std::io;
use std::sync::Arc;

/// What a thread does. It returns when its owner lets go of it; a panic is a failure.
pub type ThreadWork = Box<dyn FnOnce() + Send>;

type Start = dyn Fn(&'static str, ThreadWork) -> io::Result<()> + Send + Sync;

/// Starts named threads. By default nobody watches them; a unit has its supervisor start them, so
/// that a panic is seen.
#[derive(Clone)]
pub struct Threads {
    start: Arc<Start>,
}

impl Threads {
    /// Has `start` start each thread, by its name.
    pub fn started_by(
        start: impl Fn(&'static str, ThreadWork) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { start: Arc::new(start) }
    }

    pub(crate) fn start(
        &self,
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        (self.start)(name, Box::new(work))
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::started_by(|name, work| {
            std::thread::Builder::new().name(name.into()).spawn(work).map(drop)
        })
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").finish_non_exhaustive()
    }
}
