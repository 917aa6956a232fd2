//! A map that holds the latest entries only.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A map of at most so many entries: when one more is put in, the one that was put in first goes.
#[derive(Debug)]
pub struct BoundedMap<K, V> {
    max: usize,
    /// Each value with the number of its entry.
    values: HashMap<K, (u64, V)>,
    /// The keys by those numbers: the lowest one is the oldest.
    oldest_first: BTreeMap<u64, K>,
    next: u64,
}

impl<K: Copy + Eq + Hash, V> BoundedMap<K, V> {
    /// An empty map that will hold at most `max` entries.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, values: HashMap::new(), oldest_first: BTreeMap::new(), next: 0 }
    }

    /// Puts a value in, and gives the one that was there under this key. A key that is there
    /// already keeps its age.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some((_, before)) = self.values.get_mut(&key) {
            return Some(std::mem::replace(before, value));
        }
        self.values.insert(key, (self.next, value));
        self.oldest_first.insert(self.next, key);
        self.next += 1;
        while self.values.len() > self.max {
            let Some((_, oldest)) = self.oldest_first.pop_first() else { break };
            self.values.remove(&oldest);
        }
        None
    }

    /// The value under this key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(_, value)| value)
    }

    /// The value under this key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.values.get_mut(key).map(|(_, value)| value)
    }

    /// Whether there is a value under this key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.values.contains_key(key)
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (number, value) = self.values.remove(key)?;
        self.oldest_first.remove(&number);
        Some(value)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_goes_first() {
        let mut map = BoundedMap::new(2);
        assert_eq!(map.insert("a", 1), None);
        assert_eq!(map.insert("b", 2), None);
        assert_eq!(map.insert("a", 3), Some(1), "which keeps its age");
        assert_eq!(map.insert("c", 4), None);
        assert_eq!((map.get(&"a"), map.get(&"b"), map.get(&"c")), (None, Some(&2), Some(&4)));
        assert_eq!(map.remove(&"b"), Some(2));
        assert_eq!(map.insert("b", 5), None);
        assert_eq!(map.insert("d", 6), None);
        assert!(!map.contains_key(&"c"), "what was taken out and put in again is younger");
        assert_eq!((map.len(), map.oldest_first.len(), map.is_empty()), (2, 2, false));
    }

    #[test]
    fn a_map_without_room_holds_nothing() {
        let mut map = BoundedMap::new(0);
        assert_eq!(map.insert(1, ()), None);
        assert!(map.is_empty() && map.oldest_first.is_empty());
    }
}
