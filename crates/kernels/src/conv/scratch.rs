//! Memory that a thread keeps from run to run.

use std::cell::Cell;

thread_local! {
    static KEPT: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Lends so many numbers, which have any values, and keeps the memory for the next time.
///
/// Within the work no more than new memory is lent.
pub(super) fn with<T>(length: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    let mut kept = KEPT.take();
    if kept.len() < length {
        kept.resize(length, 0.0);
    }
    let answer = work(&mut kept[..length]);
    KEPT.set(kept);
    answer
}
