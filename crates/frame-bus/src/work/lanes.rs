//! Order per key while work runs in parallel.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// One lane for each key: whoever enters a lane gets a [`Turn`], and turns of one key come one
/// after the other.
///
/// A key is remembered only while somebody holds a turn of it.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    lanes: Arc<Mutex<HashMap<String, Lane>>>,
}

#[derive(Debug, Default)]
struct Lane {
    next: u64,
    /// The turns that are held, by ticket; the first is the one whose turn it is.
    turns: BTreeMap<u64, Arc<Notify>>,
}

/// A place in a key's lane; dropping it lets the next one go.
#[derive(Debug)]
pub struct Turn {
    lanes: Lanes,
    key: String,
    ticket: u64,
    come: Arc<Notify>,
}

impl Lanes {
    /// No lanes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next place in the key's lane. Call it in the order that is to be kept.
    #[must_use]
    pub fn enter(&self, key: &str) -> Turn {
        let come = Arc::new(Notify::new());
        let mut lanes = self.lock();
        let lane = lanes.entry(key.to_owned()).or_default();
        let ticket = lane.next;
        lane.next += 1;
        lane.turns.insert(ticket, Arc::clone(&come));
        drop(lanes);
        Turn { lanes: self.clone(), key: key.to_owned(), ticket, come }
    }

    /// How many keys have a turn that is held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nobody holds a turn.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Lane>> {
        // every change below is complete before anything could panic
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until every earlier turn of the same key was dropped. Cancel-safe.
    pub async fn wait(&mut self) {
        while !self.is_first() {
            self.come.notified().await;
        }
    }

    /// Whether every earlier turn of the same key was dropped, so that [`Turn::wait`] returns at
    /// once.
    #[must_use]
    pub fn is_first(&self) -> bool {
        let lanes = self.lanes.lock();
        lanes
            .get(&self.key)
            .and_then(|lane| lane.turns.first_key_value())
            .is_none_or(|(first, _)| *first == self.ticket)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lanes = self.lanes.lock();
        let Some(lane) = lanes.get_mut(&self.key) else { return };
        lane.turns.remove(&self.ticket);
        match lane.turns.first_key_value() {
            // a notification to one that was told before is kept and does no harm: `wait` checks
            // again
            Some((_, come)) => come.notify_one(),
            None => {
                lanes.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[tokio::test]
    async fn keys_do_not_wait_for_each_other() {
        let lanes = Lanes::new();
        let (mut a, mut b) = (lanes.enter("a"), lanes.enter("b"));
        a.wait().await;
        b.wait().await;
    }

    #[tokio::test]
    async fn a_turn_that_is_given_up_does_not_let_the_next_overtake() {
        let lanes = Lanes::new();
        let (first, second, mut third) = (lanes.enter("k"), lanes.enter("k"), lanes.enter("k"));
        drop(second);
        assert!(tokio::time::timeout(Duration::from_millis(20), third.wait()).await.is_err());
        drop(first);
        third.wait().await;
        drop(third);
        assert!(lanes.is_empty());
    }

    #[tokio::test]
    async fn a_wait_that_was_cancelled_can_be_taken_up_again() {
        let lanes = Lanes::new();
        let (first, mut second) = (lanes.enter("k"), lanes.enter("k"));
        assert!(tokio::time::timeout(Duration::from_millis(5), second.wait()).await.is_err());
        drop(first);
        second.wait().await;
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Work of random length on several threads: per key it comes out in the order of entering.
        #[test]
        fn order_per_key_is_kept(
            work in prop::collection::vec((0u8..4, 0u32..4, any::<bool>()), 1..60),
        ) {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).build().unwrap();
            let lanes = Lanes::new();
            let out = Arc::new(Mutex::new(Vec::new()));
            runtime.block_on(async {
                let mut tasks = Vec::new();
                for (index, (key, yields, give_up)) in work.iter().copied().enumerate() {
                    let mut turn = lanes.enter(&key.to_string());
                    let out = Arc::clone(&out);
                    tasks.push(tokio::spawn(async move {
                        for _ in 0..yields {
                            tokio::task::yield_now().await;
                        }
                        if !give_up {
                            turn.wait().await;
                            out.lock().unwrap().push((key, index));
                        }
                    }));
                }
                for task in tasks {
                    task.await.unwrap();
                }
            });
            prop_assert!(lanes.is_empty());
            let out = out.lock().unwrap();
            prop_assert_eq!(out.len(), work.iter().filter(|(_, _, give_up)| !give_up).count());
            for key in 0..4 {
                let of_key = out.iter().filter(|(k, _)| *k == key);
                let order: Vec<usize> = of_key.map(|(_, index)| *index).collect();
                prop_assert!(order.is_sorted());
            }
        }
    }
}
