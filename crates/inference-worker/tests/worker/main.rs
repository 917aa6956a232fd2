//! The worker on a real bus, with models that behave, fail, panic and hang on command.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic is the verdict; clippy knows helper functions of tests only in \
        libraries"
)]

mod cascade;
mod frames;
mod stage;
mod tasks;
