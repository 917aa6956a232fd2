//! The log of a partition: segment files of record batches, and what is known about them in memory.

mod checkpoint;
mod compaction;
mod epochs;
mod filler;
mod find_time;
mod mend;
mod partition;
mod producer_state;
mod record_batch;
mod records;
mod recovery;
mod retention;
mod segment;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod wake;

pub(crate) use checkpoint::topic_id_of;
pub(crate) use find_time::FoundTime;
pub(crate) use partition::{AppendError, LogOptions, OutOfRange, Partition};
pub(crate) use producer_state::SequenceError;
pub(crate) use record_batch::BatchError;
pub(crate) use segment::Stretch;
pub(crate) use wake::{Waiter, now_ms};
