//! A model in bfloat16 against itself in float32, on the reference's photos. Without
//! `MLVI_REFERENCE_DIR` this is skipped.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic and print as tests do")]

use detector::{Description, Detector, Kernels, LoadOptions, Precision};
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
fn darknet_and_onnx_models_find_in_bfloat16_what_they_are_sure_of_in_float32() {
    let Some(reference) = reference_dir() else { return };
    let photos = photos(&reference);
    for model in ["yolov3-tiny", "yolov3-tiny-416-heads", "yolo-fastest-1.1-xl"] {
        let described = described(&reference, model);
        let bfloat16 = described.clone().with_precision(Precision::Bfloat16);
        let (version, expected) = detect(&described, &photos);
        let (narrow_version, found) = detect(&bfloat16, &photos);
        assert_eq!(narrow_version, format!("{version}-bfloat16"));
        let mut sure = 0;
        for (found, expected) in found.iter().zip(&expected) {
            for wanted in expected.iter().filter(|wanted| wanted.confidence > 0.4) {
                sure += 1;
                let close = |found: &&Detection| {
                    found.class_id == wanted.class_id
                        && found.bounding_box.iou(&wanted.bounding_box) > 0.8
                        && (found.confidence - wanted.confidence).abs() < 0.1
                };
                assert!(found.iter().any(|found| close(&found)), "{wanted:?} not in {found:?}");
            }
        }
        assert!(sure > 3, "{model}: only {sure} detections are sure");
    }
}

#[test]
fn bfloat16_is_not_for_tracts_own_kernels() {
    let Some(reference) = reference_dir() else { return };
    let described = described(&reference, "yolov3-tiny").with_precision(Precision::Bfloat16);
    let options = LoadOptions { kernels: Kernels::Tract, ..LoadOptions::default() };
    let refused = Detector::load(&described, options).unwrap_err().to_string();
    assert!(refused.contains("bfloat16") && refused.contains("tract"), "{refused}");
}
