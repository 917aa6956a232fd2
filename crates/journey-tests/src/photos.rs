//! Photos and models that the journeys use.

use mlvi::models::{self, Source};
use std::path::PathBuf;

fn top() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// One of the project's own photos.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn photo(name: &str) -> Vec<u8> {
    let path = top().join("images").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One of the reference photos; `None` when the test is skipped, since `MLVI_REFERENCE_DIR` is not
/// set.
///
/// # Panics
/// When it is set and the photo is missing.
#[must_use]
pub fn reference_photo(name: &str) -> Option<Vec<u8>> {
    let path = requires::reference_dir()?.join("images").join(name);
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn reference_dir() -> Option<PathBuf> {
    std::env::var_os("MLVI_REFERENCE_DIR").map(PathBuf::from)
}

/// The folder of models, with the weights of tiny-YOLOv3 in place: copied from the reference data
/// where that is at hand, else fetched as a user would.
///
/// # Panics
/// When the weights cannot be had.
#[must_use]
pub fn models_dir() -> PathBuf {
    let dir = top().join("models");
    let description =
        detector::Description::load(&dir, "yolov3-tiny").unwrap_or_else(|error| panic!("{error}"));
    if !description.weights().path.is_file() {
        let source = match reference_dir() {
            Some(reference) => Source::File(reference.join("../models/yolov3-tiny.weights")),
            None => Source::Network,
        };
        models::fetch(&description, &source).unwrap_or_else(|error| panic!("{error}"));
    }
    dir
}
