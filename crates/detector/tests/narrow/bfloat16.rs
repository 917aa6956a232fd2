use crate::{described, detect, photos};
use detector::{Detector, Kernels, LoadOptions, Precision};
use frame::Detection;
use requires::reference_dir;

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
