//! The frames that wait.

use super::FleetSetup;
use super::assignment::assign;
use std::collections::VecDeque;
use virtual_time::Random;

/// A topic's partitions with who consumes each, or the one queue of a unit that consumes nothing.
#[derive(Debug)]
pub(super) struct Partitions {
    queues: Vec<VecDeque<usize>>,
    owners: Vec<Option<usize>>,
    /// Every member takes from everywhere.
    shared: bool,
    keys: Keys,
}

/// In which partition the next frame goes.
#[derive(Debug)]
struct Keys {
    random: Random,
    /// Where each camera's frames go; empty: in turn.
    cameras: Vec<usize>,
    turn: usize,
}

impl Partitions {
    pub(super) fn new(setup: &FleetSetup) -> Self {
        let count = setup.partitions.unwrap_or(1).max(1);
        // a camera's name is hashed: several may share a partition while others are empty
        let mut hash = Random::new(setup.seed, "keys");
        let cameras = (0..setup.cameras).map(|_| hash.below(count) as usize).collect();
        Self {
            queues: vec![VecDeque::new(); count as usize],
            owners: vec![None; count as usize],
            shared: setup.partitions.is_none(),
            keys: Keys { random: Random::new(setup.seed, "cameras"), cameras, turn: 0 },
        }
    }

    pub(super) const fn is_shared(&self) -> bool {
        self.shared
    }

    /// A frame comes in; gives who consumes it, if anybody does.
    pub(super) fn push(&mut self, frame: usize) -> Option<usize> {
        let partition = self.keys.next(self.queues.len());
        self.queues[partition].push_back(frame);
        self.owners[partition]
    }

    /// The oldest frame that `member` may take. Frames are numbered as they came in.
    pub(super) fn take(&mut self, member: usize) -> Option<usize> {
        let own = |partition: &usize| self.shared || self.owners[*partition] == Some(member);
        let oldest = (0..self.queues.len())
            .filter(own)
            .filter_map(|partition| Some((*self.queues[partition].front()?, partition)));
        let (_, partition) = oldest.min()?;
        self.queues[partition].pop_front()
    }

    /// What a rebalance among `members` comes to. Until it is over nobody consumes the partitions
    /// that move.
    pub(super) fn revoke(&mut self, members: &[usize]) -> Vec<Option<usize>> {
        let next = assign(&self.owners, members);
        for (owner, next) in self.owners.iter_mut().zip(&next) {
            if owner != next {
                *owner = None;
            }
        }
        next
    }

    /// The rebalance is over.
    pub(super) fn settle(&mut self, owners: Vec<Option<usize>>) {
        self.owners = owners;
    }

    /// How many members consume something.
    pub(super) fn consuming(&self) -> usize {
        let mut owners: Vec<usize> = self.owners.iter().flatten().copied().collect();
        owners.sort_unstable();
        owners.dedup();
        owners.len()
    }
}

impl Keys {
    fn next(&mut self, partitions: usize) -> usize {
        if self.cameras.is_empty() {
            self.turn = (self.turn + 1) % partitions;
            self.turn
        } else {
            self.cameras[self.random.below(self.cameras.len() as u32) as usize]
        }
    }
}
