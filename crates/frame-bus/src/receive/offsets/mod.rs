//! Which offset may be committed: the low-water mark of each partition.

use std::collections::{BTreeSet, HashMap};

/// One assignment of a partition to this member; a later assignment of the same partition has
/// another epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// Keeps, for each assigned partition, what was delivered and is not finished.
///
/// The *mark* of a partition is the lowest offset that was delivered and is not finished, or the
/// offset after the last delivered one when everything is finished. It is the offset to commit: it
/// never passes an unfinished message, whatever the order in which work ends, and offsets that do
/// not exist (compacted, or control records) do not hold it up.
///
/// Memory: one number for each unfinished message.
#[derive(Debug, Default)]
pub struct OffsetTracker {
    next_epoch: u64,
    partitions: HashMap<i32, Partition>,
}

#[derive(Debug)]
struct Partition {
    epoch: Epoch,
    unfinished: BTreeSet<i64>,
    /// The offset after the last delivered one.
    next: Option<i64>,
    /// The mark that was handed out last; at first where delivery began, because the broker would
    /// begin there anyway.
    taken: Option<i64>,
}

impl Partition {
    fn mark(&self) -> Option<i64> {
        self.unfinished.first().copied().or(self.next)
    }
}

impl OffsetTracker {
    /// Nothing is assigned yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The partition was assigned (again): what an earlier assignment left open is forgotten, the
    /// broker sends it again.
    pub fn assign(&mut self, partition: i32) -> Epoch {
        let epoch = Epoch(self.next_epoch);
        self.next_epoch += 1;
        self.partitions.insert(
            partition,
            Partition { epoch, unfinished: BTreeSet::new(), next: None, taken: None },
        );
        epoch
    }

    /// The partition was revoked: from now on nothing that belongs to it counts.
    pub fn revoke(&mut self, partition: i32) {
        self.partitions.remove(&partition);
    }

    /// A message was delivered; assigns the partition if nobody did. Offsets of a partition come in
    /// ascending order; one that comes a second time (after a seek) is unfinished again unless
    /// the mark has passed it.
    pub fn delivered(&mut self, partition: i32, offset: i64) -> Epoch {
        if !self.partitions.contains_key(&partition) {
            self.assign(partition);
        }
        let entry = self.partitions.get_mut(&partition).expect("it was inserted above");
        if entry.taken.is_none_or(|taken| offset >= taken) {
            entry.unfinished.insert(offset);
        }
        entry.taken.get_or_insert(offset);
        entry.next = entry.next.max(Some(offset + 1));
        entry.epoch
    }

    /// A message is finished. One of an earlier assignment, or one that was finished before,
    /// changes nothing.
    pub fn finished(&mut self, partition: i32, epoch: Epoch, offset: i64) {
        if let Some(entry) =
            self.partitions.get_mut(&partition).filter(|entry| entry.epoch == epoch)
        {
            entry.unfinished.remove(&offset);
        }
    }

    /// Whether this is the assignment that counts.
    #[must_use]
    pub fn is_current(&self, partition: i32, epoch: Epoch) -> bool {
        self.partitions.get(&partition).is_some_and(|entry| entry.epoch == epoch)
    }

    /// Whether a message with a higher offset of this assignment was delivered.
    #[must_use]
    pub fn is_past(&self, partition: i32, offset: i64) -> bool {
        self.partitions.get(&partition).is_some_and(|entry| entry.next > Some(offset))
    }

    /// How many messages are delivered and not finished.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.partitions.values().map(|entry| entry.unfinished.len()).sum()
    }

    /// The offset that may be committed for a partition, and the one after the last delivered
    /// message; `None` when nothing was delivered.
    #[must_use]
    pub fn span(&self, partition: i32) -> Option<(i64, i64)> {
        let entry = self.partitions.get(&partition)?;
        Some((entry.mark()?, entry.next?))
    }

    /// `(partition, mark)` of every partition whose mark has moved since it was last taken.
    pub fn take_marks(&mut self) -> Vec<(i32, i64)> {
        self.partitions
            .iter_mut()
            .filter_map(|(partition, entry)| Self::take(*partition, entry))
            .collect()
    }

    /// The same, for one partition.
    pub fn take_mark(&mut self, partition: i32) -> Option<(i32, i64)> {
        self.partitions.get_mut(&partition).and_then(|entry| Self::take(partition, entry))
    }

    fn take(partition: i32, entry: &mut Partition) -> Option<(i32, i64)> {
        let mark = entry.mark().filter(|mark| entry.taken < Some(*mark))?;
        entry.taken = Some(mark);
        Some((partition, mark))
    }
}

#[cfg(test)]
mod tests;
