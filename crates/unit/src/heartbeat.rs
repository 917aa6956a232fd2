//! Signs of life of a loop that must never stand still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A loop's sign of life; clones share it.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    name: &'static str,
    limit: Duration,
    started: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Heartbeat {
    pub(crate) fn new(name: &'static str, limit: Duration) -> Self {
        Self { name, limit, started: Instant::now(), last_ms: Arc::default() }
    }

    /// The loop is alive now.
    pub fn beat(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn overdue(&self) -> Option<String> {
        let silent = Duration::from_millis(
            self.now_ms().saturating_sub(self.last_ms.load(Ordering::Relaxed)),
        );
        (silent > self.limit)
            .then(|| format!("{} gave no sign of life for {} s", self.name, silent.as_secs()))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_overdue_and_a_beat_mends_it() {
        let heartbeat = Heartbeat::new("loop", Duration::from_millis(1));
        while heartbeat.overdue().is_none() {
            std::thread::yield_now();
        }
        let patient = Heartbeat { limit: Duration::from_secs(3600), ..heartbeat };
        patient.beat();
        assert_eq!(patient.overdue(), None);
    }
}
