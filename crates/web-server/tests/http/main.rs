//! The whole web-server against an embedded broker; the tests themselves play the rest of the
//! suite.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the verdict; clippy knows helper functions of tests only in \
        libraries"
)]

mod access;
mod away;
mod cascade;
mod client;
mod descriptors;
mod encoding;
mod held;
mod intake;
mod journey;
mod lapse;
mod limits;
mod made_again;
mod pictures;
mod policy;
mod refused;
mod replicas;
mod socket;
mod streams;
mod suite;
mod tasks;
mod video;
