//! `mlvi models`: which models there are, and getting their weights.

mod calibrate;
mod command;
mod download;
mod ensure;
mod fetch;
mod pip;
mod place;
mod progress;
mod receive;
#[cfg(test)]
mod tests;

pub use command::{ModelsCommand, run};
pub use ensure::ensure;
pub use fetch::{FetchError, Source, fetch, fetch_data, in_place};
pub use place::place;
