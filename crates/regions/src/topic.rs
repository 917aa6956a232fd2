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

    /// It is there, or it cannot be had; whether that is news.
    pub(crate) fn is_there(&self, there: bool) -> bool {
        let mut seen = self.lock();
        let is_known = match (there, *seen) {
            (true, Seen::There) | (false, Seen::AbsentSince(_)) => true,
            (_, Seen::Nothing) | (true, Seen::AbsentSince(_)) | (false, Seen::There) => false,
        };
        if !is_known {
            *seen = if there { Seen::There } else { Seen::AbsentSince(Instant::now()) };
        }
        !is_known
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
