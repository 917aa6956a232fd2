//! How often a message was taken up without an end.
//!
//! Beside each committed offset a group keeps a short note, in the metadata that Kafka stores with
//! it: whether somebody has the partition *open*, up to which offset messages may be in hand, which
//! messages are *suspects* since a process ended without closing, and how often one was taken up
//! alone. So the count survives processes, pods and nodes, and whoever gets the partition next goes
//! on with it. Normal operation costs no commit more than the regular ones: a note announces some
//! messages ahead.

pub(crate) mod note;
pub(crate) mod tracker;

#[cfg(test)]
mod tests;
