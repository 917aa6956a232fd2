//! JPEGs of every coding and every orientation, made by a script, against what Pillow shows of
//! them.
//!
//! Needs a Python that can import Pillow and numpy (`MLVI_PYTHON`); without, it says that it is
//! skipped.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use vision::{Limits, VisionError, decode, probe};

fn say(what: &str) {
    // what a passing test prints is not shown; standard error itself is
    writeln!(std::io::stderr(), "{what}").expect("standard error can be written");
}

/// What became of the files of one kind.
#[derive(Default)]
struct Tally {
    equal: usize,
    refused: usize,
}

/// A line of the script's index.
struct Specimen<'a> {
    kind: &'a str,
    whole: bool,
    name: &'a str,
    pillow: &'a str,
    size: (u32, u32),
}

impl<'a> Specimen<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        let [kind, state, name, pillow] =
            [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
        let size = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { kind, whole: state == "whole", name, pillow, size })
    }

    /// Whether it was refused; an error when it shows another picture than Pillow, or is refused
    /// although it is whole.
    fn judge(&self, folder: &Path) -> Result<bool> {
        let bytes = std::fs::read(folder.join(format!("{}.jpg", self.name)))?;
        match decode(&bytes, &Limits::default()) {
            Ok(image) => {
                ensure!(
                    self.pillow != "nothing",
                    "Pillow shows nothing, ours is {:?}",
                    image.size()
                );
                ensure!(
                    (image.width(), image.height()) == self.size,
                    "{:?} instead of {:?}",
                    image.size(),
                    self.size
                );
                let theirs = std::fs::read(folder.join(format!("{}.rgb", self.name)))?;
                let different = image
                    .data()
                    .iter()
                    .zip(&theirs)
                    .filter(|(ours, theirs)| ours != theirs)
                    .count();
                ensure!(different == 0, "{different} of {} values differ", theirs.len());
                ensure!(
                    probe(&bytes, &Limits::default()).is_ok(),
                    "the probe refuses what can be decoded"
                );
                Ok(false)
            }
            Err(
                error @ (VisionError::Truncated
                | VisionError::Corrupt(_)
                | VisionError::TooManyPixels { .. }),
            ) => {
                ensure!(!(self.whole && self.pillow == "pixels"), "refused: {error}");
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn corpus(python: &Path, folder: &Path) -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/corpus.py");
    let output = Command::new(python)
        .arg("-B")
        .arg(script)
        .arg(folder)
        .output()
        .context("MLVI_PYTHON cannot be run")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(std::fs::read_to_string(folder.join("index"))?)
}

#[test]
fn every_picture_is_pillows_or_an_error() -> Result<()> {
    let Some(python) = std::env::var_os("MLVI_PYTHON").map(PathBuf::from) else {
        requires::skip(requires::Requirement::Pillow, "MLVI_PYTHON is not set");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let index = corpus(&python, folder.path())?;
    let mut tallies = BTreeMap::<&str, Tally>::new();
    let mut wrong = Vec::new();
    for line in index.lines() {
        let specimen = Specimen::parse(line).with_context(|| format!("the index says {line:?}"))?;
        let tally = tallies.entry(specimen.kind).or_default();
        match specimen.judge(folder.path()) {
            Ok(true) => tally.refused += 1,
            Ok(false) => tally.equal += 1,
            Err(error) => wrong.push(format!("{} ({}): {error}", specimen.kind, specimen.name)),
        }
    }
    for (kind, Tally { equal, refused }) in &tallies {
        say(&format!("{kind}: {equal} equal to Pillow, {refused} refused"));
    }
    ensure!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
    for kind in KINDS {
        let equal = tallies.get(kind).map_or(0, |tally| tally.equal);
        ensure!(equal > 0, "no file of the kind {kind:?} was compared");
    }
    let compared: usize = tallies.values().map(|tally| tally.equal).sum();
    ensure!(compared > 4_000, "only {compared} files were compared");
    Ok(())
}

/// Of each of these at least one file must have been compared: a script that leaves out a kind
/// would pass otherwise.
const KINDS: [&str; 20] = [
    "pillow",
    "pillow-optimize",
    "pillow-progressive",
    "pillow-restart_marker_blocks",
    "pillow-restart_marker_rows",
    "grey",
    "cmyk",
    "rgb",
    "scans apart",
    "scans apart with restarts",
    "progressive by bands",
    "restarts and stray bytes",
    "no Huffman tables",
    "spectrum of a scan",
    "stray bytes before the scan",
    "stray bytes between segments",
    "stray bytes before the end",
    "sampling 4:1:0",
    "exif: plain",
    "xmp alone",
];
