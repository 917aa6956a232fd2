//! What the command lines share: bad usage and its exit code, tables, plots, metrics read back,
//! and the way to a suite over HTTP.

#![allow(clippy::print_stderr, reason = "a command line speaks to the person at the terminal")]

mod exit;
mod models_dir;
mod output;
pub mod plot;
mod rows;
mod scrape;
mod server;
pub mod table;
mod usage;

pub use exit::{EXIT_UNAVAILABLE, exit_code, parse};
pub use models_dir::ModelsDir;
pub use output::OutputArgs;
pub use rows::Rows;
pub use scrape::Scrape;
pub use server::ServerArgs;
pub use usage::UsageError;
