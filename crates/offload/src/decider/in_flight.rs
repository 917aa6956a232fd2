//! The frames that were sent to a tier and are not finished.

use crate::{Choice, End, FrameFacts, Measured, Outcome, Snapshot};
use frame::{Destination, PerTier};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Frames that a tier never answers are forgotten beyond this number, oldest first.
pub(super) const MAX_IN_FLIGHT: usize = 65_536;

/// A frame that was sent to a tier.
pub(super) struct Pending {
    pub(super) frame: FrameFacts,
    pub(super) load: Snapshot,
    pub(super) choice: Choice,
    pub(super) first: Destination,
    /// When it was decided on, in milliseconds.
    pub(super) decided: f64,
    /// The flight to each tier.
    pub(super) flights: PerTier<Option<u64>>,
    /// What was taken from the budget and may be given back.
    pub(super) reserved: Option<f64>,
    /// The edge has answered, the cloud was asked as well.
    pub(super) provisional: bool,
    /// What the edge measured of it.
    pub(super) measured: Option<Measured>,
    /// How far the edge's answer was from the cloud's.
    pub(super) loss: Option<f64>,
    /// How many boxes the edge got wrong or missed by it.
    pub(super) wrong: Option<f64>,
    /// The policy has been told what became of it.
    pub(super) learned: bool,
    /// Its place in the order of decisions.
    number: u64,
}

impl Pending {
    /// A frame that is sent to `first` as flight `number`.
    pub(super) fn new(
        (frame, load, choice): (&FrameFacts, Snapshot, &Choice),
        first: Destination,
        reserved: Option<f64>,
        number: u64,
        at: f64,
    ) -> Self {
        Self {
            frame: frame.clone(),
            load,
            choice: choice.clone(),
            first,
            decided: at,
            flights: PerTier::from_fn(|tier| (tier == first).then_some(number)),
            reserved,
            provisional: false,
            measured: None,
            loss: None,
            wrong: None,
            learned: false,
            number,
        }
    }

    /// What the policy is told of it.
    pub(super) fn outcome(&self, end: End, at: f64) -> Outcome {
        Outcome {
            frame: self.frame.clone(),
            load: self.load,
            choice: self.choice.clone(),
            tier: self.first,
            end,
            took_ms: at - self.decided,
            measured: self.measured,
            loss: self.loss,
            wrong: self.wrong,
        }
    }
}

/// All of them. `K` names frames.
pub(super) struct InFlight<K> {
    frames: HashMap<K, Pending>,
    in_order: BTreeMap<u64, K>,
    next_flight: u64,
}

impl<K: Copy + Eq + Hash> InFlight<K> {
    pub(super) fn new() -> Self {
        Self { frames: HashMap::new(), in_order: BTreeMap::new(), next_flight: 0 }
    }

    /// A number for a flight that begins now.
    pub(super) fn next_flight(&mut self) -> u64 {
        let flight = self.next_flight;
        self.next_flight += 1;
        flight
    }

    /// Takes a frame in. Gives those that are not waited for any more: the same one as it was
    /// before, and the oldest where there are too many.
    #[must_use]
    pub(super) fn insert(&mut self, key: K, pending: Pending) -> Vec<Pending> {
        let number = pending.number;
        let mut forgotten = Vec::new();
        if let Some(before) = self.frames.insert(key, pending) {
            self.in_order.remove(&before.number);
            forgotten.push(before);
        }
        self.in_order.insert(number, key);
        while self.in_order.len() > MAX_IN_FLIGHT {
            let Some((_, oldest)) = self.in_order.pop_first() else { break };
            forgotten.extend(self.frames.remove(&oldest));
        }
        forgotten
    }

    pub(super) fn remove(&mut self, key: K) -> Option<Pending> {
        let pending = self.frames.remove(&key)?;
        self.in_order.remove(&pending.number);
        Some(pending)
    }

    pub(super) fn get(&self, key: K) -> Option<&Pending> {
        self.frames.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut Pending> {
        self.frames.get_mut(&key)
    }

    /// What was reserved cannot be given back any more.
    pub(super) fn forget_reservations(&mut self) {
        self.frames.values_mut().for_each(|pending| pending.reserved = None);
    }
}

impl<K> InFlight<K> {
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }
}
