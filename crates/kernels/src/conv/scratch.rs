//! Memory that a thread keeps from run to run.

use std::cell::RefCell;

thread_local! {
    static KEPT: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of a line of the cache: a vector that lies across two takes twice as long to load.
const LINE: usize = 64;

/// Lends so many numbers, which have any values and begin where a line of the cache does, and keeps
/// the memory for the next time; what is lent within the work, too.
pub(super) fn with<T>(length: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    let mut kept = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
    let room = length + LINE / size_of::<f32>();
    if kept.len() < room {
        kept.resize(room, 0.0);
    }
    let first = kept.as_ptr().align_offset(LINE);
    let answer = work(&mut kept[first..][..length]);
    KEPT.with_borrow_mut(|all| all.push(kept));
    answer
}
