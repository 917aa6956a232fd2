//! How a simulation shows what came of it.

use clap::Args;
use std::path::{Path, PathBuf};

/// Tables, JSON, plots.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// Print JSON instead of tables
    #[arg(long)]
    pub json: bool,
    /// Write plots (PNG and SVG) into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl OutputArgs {
    /// Has plots written if they are wanted; `write` gives how many.
    pub fn plots(&self, write: impl FnOnce(&Path) -> anyhow::Result<usize>) -> anyhow::Result<()> {
        let Some(dir) = &self.out else { return Ok(()) };
        let written = write(dir)?;
        eprintln!("{written} plots are in {}", dir.display());
        Ok(())
    }
}
