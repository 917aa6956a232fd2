//! How a simulation shows what came of it.

use clap::Args;
use std::path::PathBuf;

/// Tables, JSON, plots.
#[derive(Args, Debug)]
pub(crate) struct OutputArgs {
    /// Print JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Write plots (PNG and SVG) into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
