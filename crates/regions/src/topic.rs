//! Whether there is a settings topic, where masks may be set.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A topic that cannot be had may be made meanwhile: it must be missing for so long.
const ABSENT_FOR: Duration = Duration::from_secs(3);

/// What is known of the topic.
#[derive(Debug)]
pub(crate) struct Topic {
    absent_for: Duration,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Debug)]
enum Seen {
    /// Nobody could say yet.
    Nothing,
    There,
    AbsentSince(Instant),
}

impl Default for Topic {
    fn default() -> Self {
        Self::patient_for(ABSENT_FOR)
    }
}

impl Topic {
    pub(crate) fn patient_for(absent_for: Duration) -> Self {
        Self { absent_for, seen: Mutex::new(Seen::Nothing) }
    }

    /// It is there, or it cannot be had.
    pub(crate) fn is_there(&self, there: bool) {
        let mut seen = self.lock();
        *seen = match (there, *seen) {
            (true, _) => Seen::There,
            (false, Seen::AbsentSince(since)) => Seen::AbsentSince(since),
            (false, Seen::Nothing | Seen::There) => Seen::AbsentSince(Instant::now()),
        };
    }

    /// How long it has to be missing from now on to count as absent: nothing once it does, `None`
    /// while it is not known to be missing.
    pub(crate) fn absent_in(&self) -> Option<Duration> {
        match *self.lock() {
            Seen::AbsentSince(since) => Some(self.absent_for.saturating_sub(since.elapsed())),
            Seen::Nothing | Seen::There => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
