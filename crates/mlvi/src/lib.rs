//! The command line of MLVI, and the whole suite in one process that it runs.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks to the person at the terminal"
)]

pub mod autoscale;
pub mod bench;
pub mod check;
pub mod credentials;
pub mod models;
mod output;
mod plot;
pub mod push;
mod scrape;
pub mod simulate;
pub mod status;
pub mod suite;
mod table;
pub mod topics;
pub mod up;
mod usage;

pub use usage::UsageError;
