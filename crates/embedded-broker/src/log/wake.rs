//! Wakes those who wait for new records in a partition.

use crate::files::lock;
use std::sync::{Arc, Mutex, Weak};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// Someone who waits for records, perhaps of many partitions at once. A wake-up that comes before
/// the wait is not lost.
#[derive(Clone, Default)]
pub(crate) struct Waiter(Arc<Notify>);

impl Waiter {
    /// Returns when a partition that this waiter is registered with has new records.
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Those who wait for records of one partition.
#[derive(Default)]
pub(super) struct Waiters(Mutex<Vec<Weak<Notify>>>);

impl Waiters {
    /// Adds a waiter for the next [`Self::wake`] only.
    pub(super) fn register(&self, waiter: &Waiter) {
        let mut waiting = lock(&self.0);
        waiting.retain(|other| other.strong_count() > 0);
        if !waiting.iter().any(|other| std::ptr::eq(other.as_ptr(), Arc::as_ptr(&waiter.0))) {
            waiting.push(Arc::downgrade(&waiter.0));
        }
    }

    pub(super) fn wake(&self) {
        for waiter in std::mem::take(&mut *lock(&self.0)).iter().filter_map(Weak::upgrade) {
            waiter.notify_one();
        }
    }
}

/// Milliseconds since the epoch, as Kafka counts time.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
