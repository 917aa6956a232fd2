//! The command line of MLVI, and the whole suite in one process that it runs.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line speaks to the person at the terminal"
)]

pub mod annotated;
pub mod bench;
mod certificate;
pub mod command;
pub mod doctor;
pub mod external;
pub mod manual;
pub mod models;
pub mod policy;
pub mod push;
mod server;
pub mod simulate;
mod status_line;
pub mod suite;
pub mod token;
pub mod topics;
pub mod up;
