//! The unit that takes frames over HTTP, puts them on the bus, and gives their results back.
//!
//! Every request passes `access` (may it do that?). A frame passes `routes` → `upload` (reads the
//! body under limits) → `intake` (is it an image that we take?) → `accept` (onto the bus, and only
//! an acknowledged frame is accepted). Results come back through `results` (reads the whole results
//! topic) into `jobs` (the bounded store), which wakes waiting requests (`wait`) and streams
//! (`sse`). Whole videos come in through `streams`, which cuts them into frames. What people look at
//! is made by `pictures`, and `stats` counts results by the second.

mod about;
mod accept;
mod access;
mod app;
mod backlog;
mod config;
mod encoding;
mod expiry;
mod frame_trace;
mod history;
mod intake;
mod jobs;
mod metrics;
mod moment;
mod negotiate;
mod observe;
mod pace;
mod pending;
mod pictures;
mod problem;
mod query;
mod results;
mod routes;
mod run;
mod sequences;
mod settings_board;
mod settings_topic;
mod sse;
mod stats;
mod streams;
#[cfg(test)]
mod testing;
mod upload;
mod wait;

pub use about::{ABOUT, config};
pub use access::{
    AccessConfig, Hash, Hosts, InvalidHash, InvalidHost, InvalidOrigin, NoRandomness, Origins,
    Rights, Secret, Tokens, TokensError, UnknownRight,
};
pub use backlog::Groups;
pub use config::{Config, Limits};
pub use run::run;

/// The unit's name.
pub const UNIT: &str = "web-server";
