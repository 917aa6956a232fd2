//! What is remembered of each idempotent producer, so that a batch sent twice is kept once.
//!
//! The rules are those of Kafka's `ProducerStateManager`: the last five batches of a producer can
//! be recognised as duplicates (a client has at most five requests in flight), and the next one has
//! to continue the sequence.

use super::record_batch::BatchHeader;
use std::collections::{HashMap, VecDeque};

/// As many batches as an idempotent producer may have in flight.
const REMEMBERED_BATCHES: usize = 5;
/// Each start of a client is a new producer; beyond this many the one that has been silent longest
/// is forgotten.
const MAX_PRODUCERS: usize = 4096;

/// Why a batch does not fit to what its producer has sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SequenceError {
    #[error("the batch does not continue its producer's sequence")]
    OutOfOrder,
    #[error("a newer epoch of this producer has written already")]
    OldEpoch,
}

/// Whether a batch is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    New,
    /// It was appended before, at this offset.
    Duplicate {
        base_offset: i64,
    },
}

#[derive(Clone, Copy)]
struct Remembered {
    first: i32,
    last: i32,
    base_offset: i64,
}

struct Producer {
    epoch: i16,
    /// Batches of it may have been lost: the next one may leave a gap.
    gap: bool,
    recent: VecDeque<Remembered>,
}

/// The producers of a partition.
#[derive(Default)]
pub(super) struct ProducerStates {
    producers: HashMap<i64, Producer>,
    largest_id: i64,
}

/// Sequence numbers count from 0 to `i32::MAX` and start over.
fn advance(sequence: i32, by: i32) -> i32 {
    sequence.wrapping_add(by) & i32::MAX
}

impl ProducerStates {
    /// Judges a batch before it is appended.
    pub(super) fn check(&self, batch: &BatchHeader) -> Result<Novelty, SequenceError> {
        // a producer that is not known may start anywhere: its earlier batches may have left with
        // an old segment
        let Some(producer) =
            self.producers.get(&batch.producer_id).filter(|_| batch.producer_id >= 0)
        else {
            return Ok(Novelty::New);
        };
        if batch.producer_epoch < producer.epoch {
            return Err(SequenceError::OldEpoch);
        }
        if batch.producer_epoch > producer.epoch {
            return if batch.base_sequence == 0 {
                Ok(Novelty::New)
            } else {
                Err(SequenceError::OutOfOrder)
            };
        }
        let last = advance(batch.base_sequence, batch.last_offset_delta);
        if let Some(same) = producer
            .recent
            .iter()
            .find(|known| known.first == batch.base_sequence && known.last == last)
        {
            return Ok(Novelty::Duplicate { base_offset: same.base_offset });
        }
        match producer.recent.back() {
            Some(newest) if !producer.gap && batch.base_sequence != advance(newest.last, 1) => {
                Err(SequenceError::OutOfOrder)
            }
            _ => Ok(Novelty::New),
        }
    }

    /// Remembers a batch that was appended at `base_offset`.
    pub(super) fn record(&mut self, batch: &BatchHeader, base_offset: i64) {
        if batch.producer_id < 0 {
            return;
        }
        if self.producers.len() >= MAX_PRODUCERS && !self.producers.contains_key(&batch.producer_id)
        {
            self.forget_oldest();
        }
        self.largest_id = self.largest_id.max(batch.producer_id);
        let epoch = batch.producer_epoch;
        let unknown = || Producer { epoch, gap: false, recent: VecDeque::new() };
        let producer = self.producers.entry(batch.producer_id).or_insert_with(unknown);
        producer.gap = false;
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.recent.clear();
        }
        if producer.recent.len() == REMEMBERED_BATCHES {
            producer.recent.pop_front();
        }
        let last = advance(batch.base_sequence, batch.last_offset_delta);
        producer.recent.push_back(Remembered { first: batch.base_sequence, last, base_offset });
    }

    /// Records at the end may have been lost: what producers send next need not continue what is
    /// left.
    pub(super) fn allow_gaps(&mut self) {
        self.producers.values_mut().for_each(|producer| producer.gap = true);
    }

    /// A filler stands before this offset: batches of producers that were seen before it may have
    /// gone with what it stands for.
    pub(super) fn allow_gaps_before(&mut self, filler: i64) {
        for producer in self.producers.values_mut() {
            if producer.recent.back().is_some_and(|newest| newest.base_offset < filler) {
                producer.gap = true;
            }
        }
    }

    /// The largest id of a producer that has written here; 0 when none has.
    pub(super) fn largest_id(&self) -> i64 {
        self.largest_id
    }

    fn forget_oldest(&mut self) {
        let newest_of =
            |producer: &Producer| producer.recent.back().map_or(-1, |batch| batch.base_offset);
        if let Some(id) =
            self.producers.iter().min_by_key(|(_, producer)| newest_of(producer)).map(|(id, _)| *id)
        {
            self.producers.remove(&id);
        }
    }
}
