//! Sending: until the broker has acknowledged, through outages, and what cannot be processed as a
//! dead letter.

pub(crate) mod dead_letter;
mod delivery_report;
pub(crate) mod persistence;
pub(crate) mod producer;
pub(crate) mod record;
