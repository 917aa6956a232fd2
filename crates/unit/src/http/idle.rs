//! Which connections idle, the longest first: when all places are taken, the one that has idled
//! longest makes room.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// The idle connections of a server; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct IdleOnes(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// By the number that each got when it began to idle.
    tokens: BTreeMap<u64, CancellationToken>,
}

/// One connection that idles, until this is dropped.
#[derive(Debug)]
pub(super) struct Idling {
    ones: IdleOnes,
    number: u64,
}

impl IdleOnes {
    /// A connection begins to idle; the token is cancelled when it has to make room.
    pub(super) fn begin(&self) -> (Idling, CancellationToken) {
        let token = CancellationToken::new();
        let mut waiting = self.waiting();
        let number = waiting.next;
        waiting.next += 1;
        waiting.tokens.insert(number, token.clone());
        (Idling { ones: self.clone(), number }, token)
    }

    /// Tells the one that has idled longest to make room; `false` when none idles.
    pub(super) fn displace_longest(&self) -> bool {
        let longest = self.waiting().tokens.pop_first();
        longest.inspect(|(_, token)| token.cancel()).is_some()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Idling {
    fn drop(&mut self) {
        self.ones.waiting().tokens.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_one_goes_first() {
        let ones = IdleOnes::default();
        let (first, first_token) = ones.begin();
        let (_second, second_token) = ones.begin();
        drop(first);
        let (_third, third_token) = ones.begin();
        assert!(ones.displace_longest());
        assert!(
            !first_token.is_cancelled()
                && second_token.is_cancelled()
                && !third_token.is_cancelled()
        );
        assert!(ones.displace_longest());
        assert!(third_token.is_cancelled());
        assert!(!ones.displace_longest());
    }
}
