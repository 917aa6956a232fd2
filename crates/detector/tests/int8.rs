//! A model in int8 against itself in float32, on the reference's photos. Without
//! `MLVI_REFERENCE_DIR` this is skipped.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic and print as tests do")]

use detector::{Calibrator, Description, Detector, LoadOptions, ModelError, Precision, RangeRule};
use frame::{Detection, RgbImage};
use requires::reference_dir;
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

#[test]
fn int8_finds_what_float32_is_sure_of() {
    let Some(reference) = reference_dir() else { return };
    let photos = photos(&reference);
    let described = described(&reference, "yolov3-tiny");
    let mut calibrator = Calibrator::new(&described).unwrap();
    for photo in &photos {
        calibrator.observe(photo).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("small.calibration");
    let int8 = described.clone().with_precision(Precision::Int8).with_calibration_at(&file);
    let missing = Detector::load(&int8, LoadOptions::default()).unwrap_err();
    assert!(matches!(missing, ModelError::Calibration(_)), "{missing}");
    let text = calibrator.calibration(RangeRule::Extremes).to_text();
    std::fs::write(&file, &text).unwrap();

    let (version, expected) = detect(&described, &photos);
    let (int8_version, found) = detect(&int8, &photos);
    assert_eq!(int8_version, format!("{version}-int8"));
    let mut sure = 0;
    for (found, expected) in found.iter().zip(&expected) {
        for wanted in expected.iter().filter(|wanted| wanted.confidence > 0.5) {
            sure += 1;
            let close = |found: &&Detection| {
                found.class_id == wanted.class_id
                    && found.bounding_box.iou(&wanted.bounding_box) > 0.7
                    && (found.confidence - wanted.confidence).abs() < 0.2
            };
            assert!(found.iter().any(|found| close(&found)), "{wanted:?} is not in {found:?}");
        }
    }
    assert!(sure > 3, "only {sure} detections are sure");

    // the weights of another file
    let digest = text.lines().find(|line| line.starts_with("weights")).unwrap();
    let other = text.replace(digest, &format!("weights = \"{}\"", "0".repeat(64)));
    std::fs::write(&file, other).unwrap();
    let foreign = Detector::load(&int8, LoadOptions::default()).unwrap_err().to_string();
    assert!(foreign.contains("another model") && foreign.contains("calibrate"), "{foreign}");
}

#[test]
fn what_cannot_run_in_int8_says_so() {
    let Some(reference) = reference_dir() else { return };
    let onnx = described(&reference, "yolov3-tiny-416-heads").with_precision(Precision::Int8);
    let refused = Detector::load(&onnx, LoadOptions::default()).unwrap_err().to_string();
    assert!(refused.contains("int8") && refused.contains("Darknet"), "{refused}");
}
