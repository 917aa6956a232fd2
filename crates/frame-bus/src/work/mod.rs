//! Receive, handle, acknowledge, commit: what every working unit does, in parallel and in order per
//! key.

pub(crate) mod control;
pub(crate) mod handle;
mod in_hand;
pub(crate) mod lanes;
mod run;
