use crate::{described, detect, photos};
use detector::{Calibrator, Detector, LoadOptions, ModelError, Precision, RangeRule};
use frame::Detection;
use requires::reference_dir;

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
