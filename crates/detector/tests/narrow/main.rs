//! Models in narrow numbers against themselves in float32, on the reference's photos. Without
//! `MLVI_REFERENCE_DIR` these are skipped.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic and print as tests do")]

mod bfloat16;
mod int8;

use detector::{Description, Detector, LoadOptions};
use frame::{Detection, RgbImage};
use std::path::Path;

fn described(reference: &Path, model: &str) -> Description {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let description = Description::load(&models, model).unwrap();
    let weights = reference.join("../models").join(description.weights().path.file_name().unwrap());
    description.with_weights_at(weights)
}

fn photos(reference: &Path) -> Vec<RgbImage> {
    let entries = std::fs::read_dir(reference.join("images")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let photo = |path: std::path::PathBuf| {
        vision::decode(&std::fs::read(path).unwrap(), &vision::Limits::default()).ok()
    };
    paths.filter_map(photo).collect()
}

fn detect(description: &Description, photos: &[RgbImage]) -> (String, Vec<Vec<Detection>>) {
    let detector = Detector::load(description, LoadOptions::default()).unwrap();
    let mut session = detector.session().unwrap();
    let found = photos.iter().map(|photo| session.detect(&[photo]).unwrap().remove(0).detections);
    (detector.info().version.clone(), found.collect())
}
