//! Receiving: as a member of a group whose finished offsets are committed, or one message at a
//! place.

pub(crate) mod consumer;
pub(crate) mod delivery;
mod join;
mod log_change;
mod marks;
pub(crate) mod message_at;
pub(crate) mod offsets;
mod poll_thread;
mod rebalance;
mod take_notes;
