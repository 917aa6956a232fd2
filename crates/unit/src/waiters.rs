//! Those who wait for something by its key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Who waits for what; clones share it. Bounded by the number of those who wait.
#[derive(Debug)]
pub struct Waiters<K, T> {
    senders: Arc<Mutex<Senders<K, T>>>,
}

type Senders<K, T> = HashMap<K, Vec<oneshot::Sender<T>>>;

/// Waits for one key; leaves nothing behind when it is dropped.
#[derive(Debug)]
pub struct Waiter<K: Copy + Eq + Hash, T> {
    waiters: Waiters<K, T>,
    key: K,
    receiver: oneshot::Receiver<T>,
}

impl<K, T> Clone for Waiters<K, T> {
    fn clone(&self) -> Self {
        Self { senders: Arc::clone(&self.senders) }
    }
}

impl<K, T> Default for Waiters<K, T> {
    fn default() -> Self {
        Self { senders: Arc::default() }
    }
}

impl<K: Copy + Eq + Hash, T> Waiters<K, T> {
    /// Begins to wait for a key.
    #[must_use]
    pub fn wait_for(&self, key: K) -> Waiter<K, T> {
        let (sender, receiver) = oneshot::channel();
        self.lock().entry(key).or_default().push(sender);
        Waiter { waiters: self.clone(), key, receiver }
    }

    /// Tells everybody who waits for this key.
    pub fn tell(&self, key: K, value: &T)
    where
        T: Clone,
    {
        for sender in self.lock().remove(&key).unwrap_or_default() {
            // one that has stopped waiting meanwhile does not want it
            drop(sender.send(value.clone()));
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Senders<K, T>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash, T> Waiter<K, T> {
    /// Waits for what is told. Cancel-safe.
    pub async fn told(&mut self) -> T {
        match (&mut self.receiver).await {
            Ok(value) => value,
            // the senders are held by `self`, so somebody who was told before asks again
            Err(_) => std::future::pending().await,
        }
    }
}

impl<K: Copy + Eq + Hash, T> Drop for Waiter<K, T> {
    fn drop(&mut self) {
        self.receiver.close();
        let mut waiting = self.waiters.lock();
        if let Some(senders) = waiting.get_mut(&self.key) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_for_a_key_is_told() {
        let waiters = Waiters::default();
        let (mut first, mut second) = (waiters.wait_for(1), waiters.wait_for(1));
        let other = waiters.wait_for(2);
        waiters.tell(1, &"done");
        assert_eq!((first.told().await, second.told().await), ("done", "done"));
        assert_eq!(waiters.len(), 1);
        drop(other);
        assert!(waiters.is_empty(), "whoever stops waiting leaves nothing behind");
    }
}
