//! Against Darknet's own answers and ONNX Runtime's tensors, within the tolerances of the reference
//! data's README.
//!
//! The data are found through `MLVI_REFERENCE_DIR`; without it these tests are skipped, with it and
//! incomplete they fail.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic and print as tests do")]

use detector::{
    Description, Detector, Fork, ImageDetections, Kernels, LoadOptions, NmsRule, Resize, Session,
};
use frame::{BoundingBox, Detection, RgbImage};
use requires::reference_dir;
use std::path::Path;

const MODELS: [&str; 3] = ["yolov3-tiny", "yolo-fastest-1.1-xl", "yolov3-tiny-416-heads"];

/// How far an answer may be from the reference.
#[derive(Clone, Copy)]
struct Tolerance {
    confidence: f32,
    pixels: f32,
    /// Weaker detections need not be found on both sides.
    from_confidence: f32,
}

const SAME_PIXELS: Tolerance = Tolerance { confidence: 0.005, pixels: 1.0, from_confidence: 0.25 };
const OTHER_JPEG_DECODER: Tolerance =
    Tolerance { confidence: 0.03, pixels: 3.0, from_confidence: 0.3 };

fn load(reference: &Path, model: &str, max_batch: usize) -> Detector {
    load_with(reference, model, LoadOptions { max_batch, ..LoadOptions::default() })
}

fn load_with(reference: &Path, model: &str, options: LoadOptions) -> Detector {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let description = Description::load(&models, model).unwrap();
    let weights = reference.join("../models").join(description.weights().path.file_name().unwrap());
    // the answers of all models were made with pjreddie's Darknet, which letterboxes
    let description = description.with_darknet(Fork::Pjreddie).with_resize(Resize::Letterbox);
    Detector::load(&description.with_weights_at(weights), options).unwrap()
}

fn image(reference: &Path, name: &str) -> RgbImage {
    let path = reference.join("images").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    vision::decode(&bytes, &vision::Limits::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The values of a float32 array in numpy's format: magic, version, length of the header, header,
/// data.
fn tensor(reference: &Path, name: &str) -> Vec<f32> {
    let path = reference.join("tensors").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let data = &bytes[10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))..];
    assert!(
        String::from_utf8_lossy(&bytes[10..bytes.len() - data.len()])
            .contains("'<f4', 'fortran_order': False")
    );
    data.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// Darknet's detections; of the ONNX file those of the network that it was made from.
fn expected(reference: &Path, model: &str, image: &str) -> Vec<Detection> {
    let model = model.strip_suffix("-416-heads").unwrap_or(model);
    let path = reference.join("darknet").join(model).join(format!("{image}.json"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let detection = |entry: &serde_json::Value| {
        let number = |key: &str| entry[key].as_f64().unwrap() as f32;
        let (x, y, width, height) =
            (number("center_x"), number("center_y"), number("width"), number("height"));
        Detection {
            class: entry["class"].as_str().unwrap().to_owned(),
            class_id: entry["class_id"].as_u64().unwrap() as u32,
            confidence: number("confidence"),
            bounding_box: BoundingBox::from_center(x, y, width, height),
            zones: None,
        }
    };
    file["detections"].as_array().unwrap().iter().map(detection).collect()
}

fn alike(a: &Detection, b: &Detection, tolerance: Tolerance) -> bool {
    let edges = |of: &BoundingBox| [of.x, of.y, of.x + of.width, of.y + of.height];
    let close = edges(&a.bounding_box)
        .iter()
        .zip(edges(&b.bounding_box))
        .all(|(a, b)| (a - b).abs() <= tolerance.pixels);
    (&a.class, a.class_id) == (&b.class, b.class_id)
        && (a.confidence - b.confidence).abs() <= tolerance.confidence
        && close
}

/// Whether each of `these` has one of its own among `those`.
fn all_among(
    these: &[Detection],
    those: &[Detection],
    tolerance: Tolerance,
) -> Result<(), Detection> {
    let mut free: Vec<&Detection> = those.iter().collect();
    for this in these.iter().filter(|this| this.confidence >= tolerance.from_confidence) {
        let place = free
            .iter()
            .position(|that| alike(this, that, tolerance))
            .ok_or_else(|| this.clone())?;
        free.swap_remove(place);
    }
    Ok(())
}

fn assert_found(found: &[Detection], expected: &[Detection], tolerance: Tolerance, what: &str) {
    assert!(!expected.is_empty(), "{what}: the reference is empty");
    all_among(expected, found, tolerance)
        .unwrap_or_else(|missed| panic!("{what}: {missed:?} is missed; found were {found:#?}"));
    all_among(found, expected, tolerance)
        .unwrap_or_else(|extra| panic!("{what}: {extra:?} is no detection of Darknet's"));
    assert!(
        found.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence),
        "{what}: not sorted"
    );
}

fn detect(session: &mut Session, image: &RgbImage) -> Vec<Detection> {
    session.detect(&[image]).unwrap().remove(0).detections
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn letterbox_is_darknets() {
    let Some(reference) = reference_dir() else { return };
    let mut session = load(&reference, "yolov3-tiny", 1).session().unwrap();
    let found = session.input_tensor(&image(&reference, "dog-decoded.png")).unwrap();
    let difference = largest_difference(&found, &tensor(&reference, "dog_letterbox_416.npy"));
    println!("letterbox: largest difference {difference}");
    assert!(difference <= 2.0 / 255.0, "{difference}");
}

/// How far the heads of both models are from ONNX Runtime's at most.
fn largest_of_heads(reference: &Path, kernels: Kernels, threads: usize) -> f32 {
    let input = tensor(reference, "dog_letterbox_416.npy");
    let mut largest = 0.0f32;
    for model in ["yolov3-tiny", "yolov3-tiny-416-heads"] {
        let options = LoadOptions { max_batch: 1, threads, kernels };
        let detector = load_with(reference, model, options);
        let outputs = detector.session().unwrap().raw_outputs(&input).unwrap();
        assert_eq!(
            outputs.iter().map(|output| output.shape.as_slice()).collect::<Vec<_>>(),
            [[255, 13, 13], [255, 26, 26]]
        );
        for (output, name) in outputs.iter().zip(["dog_head_13.npy", "dog_head_26.npy"]) {
            let difference = largest_difference(&output.values, &tensor(reference, name));
            largest = largest.max(difference);
        }
    }
    largest
}

#[test]
fn heads_are_those_of_onnx_runtime() {
    let Some(reference) = reference_dir() else { return };
    for kernels in [Kernels::Small, Kernels::Tract] {
        let difference = largest_of_heads(&reference, kernels, 1);
        assert!(difference <= 1e-3, "{kernels:?}: {difference}");
    }
}

#[test]
fn heads_by_winograds_filtering_are_nearly_those_of_onnx_runtime() {
    let Some(reference) = reference_dir() else { return };
    for (kernels, threads) in [(Kernels::Auto, 1), (Kernels::Table, 2)] {
        let difference = largest_of_heads(&reference, kernels, threads);
        assert!(difference <= 5e-3, "{kernels:?}: {difference}");
    }
}

#[test]
fn detections_from_the_same_pixels_are_darknets() {
    let Some(reference) = reference_dir() else { return };
    for model in MODELS {
        let mut session = load(&reference, model, 1).session().unwrap();
        let found = detect(&mut session, &image(&reference, "dog-decoded.png"));
        assert_found(&found, &expected(&reference, model, "dog"), SAME_PIXELS, model);
    }
}

#[test]
fn detections_from_the_jpegs_are_darknets() {
    let Some(reference) = reference_dir() else { return };
    for model in MODELS {
        let mut session = load(&reference, model, 1).session().unwrap();
        for name in ["dog", "person", "horses"] {
            let found = detect(&mut session, &image(&reference, &format!("{name}.jpg")));
            assert_found(
                &found,
                &expected(&reference, model, name),
                OTHER_JPEG_DECODER,
                &format!("{model} {name}"),
            );
        }
    }
}

#[test]
fn a_batch_gives_what_single_runs_give() {
    let Some(reference) = reference_dir() else { return };
    let images = ["dog.jpg", "person.jpg", "horses.jpg", "dog-decoded.png"]
        .map(|name| image(&reference, name));
    let images: Vec<&RgbImage> = images.iter().collect();
    for model in MODELS {
        let single = load(&reference, model, 1).session().unwrap().detect(&images).unwrap();
        let batched = load(&reference, model, 3).session().unwrap().detect(&images).unwrap();
        assert_eq!(single.len(), batched.len());
        let rounding = Tolerance { confidence: 1e-3, pixels: 0.1, from_confidence: 0.0 };
        for (
            ImageDetections { detections: single, .. },
            ImageDetections { detections: batched, .. },
        ) in single.iter().zip(&batched)
        {
            assert_found(batched, single, rounding, model);
        }
    }
}

#[test]
fn weak_detections_come_beside_the_others_and_change_none() {
    let Some(reference) = reference_dir() else { return };
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    for rule in [NmsRule::Objectness, NmsRule::Class] {
        let description = Description::load(&ours, "yolov3-tiny").unwrap().with_nms(rule);
        let description =
            description.with_weights_at(reference.join("../models/yolov3-tiny.weights"));
        let (confidence, weak) = (description.confidence(), description.weak().unwrap());
        let session = |description: &Description| {
            Detector::load(description, LoadOptions::default()).unwrap().session().unwrap()
        };
        let mut with_weak = session(&description);
        // a threshold that leaves the weak ones no room, and the model's own
        let mut without =
            session(&description.clone().with_confidence(weak).with_confidence(confidence));
        let mut all = session(&description.with_confidence(weak));
        for name in ["dog.jpg", "person.jpg", "horses.jpg"] {
            let image = image(&reference, name);
            let detect = |session: &mut Session| session.detect(&[&image]).unwrap().remove(0);
            let (both, strong_only, all) =
                (detect(&mut with_weak), detect(&mut without), detect(&mut all));
            assert!(!both.weak.is_empty() && strong_only.weak.is_empty(), "{name}");
            assert_eq!(both.detections, strong_only.detections, "{name}");
            assert!(
                both.weak
                    .iter()
                    .all(|found| found.confidence > weak && found.confidence <= confidence),
                "{name}"
            );
            assert_eq!([both.detections, both.weak].concat(), all.detections, "{name}");
        }
    }
}

#[test]
fn the_same_weights_run_at_other_input_sizes() {
    let Some(reference) = reference_dir() else { return };
    for (model, input) in
        [("yolov3-tiny-320", "320x320"), ("yolov3-tiny", "416x416"), ("yolov3-tiny-608", "608x608")]
    {
        let detector = load(&reference, model, 1);
        assert_eq!((detector.info().name.as_str(), detector.info().input.as_str()), (model, input));
        let found = detect(&mut detector.session().unwrap(), &image(&reference, "dog.jpg"));
        let sure = &expected(&reference, "yolov3-tiny", "dog")[0];
        let close = |found: &Detection| {
            found.class_id == sure.class_id && found.bounding_box.iou(&sure.bounding_box) > 0.5
        };
        assert!(found.iter().any(close), "{model} misses {sure:?}: {found:?}");
    }
}

/// `darknet_yolov3_tiny_416.json` was made with suppression class by class and a threshold of
/// 0.005; a sample of its photos is enough to hold our form of that rule against Darknet's.
#[test]
fn suppression_by_class_finds_what_darknet_finds_in_coco_photos() {
    let Some(reference) = reference_dir() else { return };
    let coco = reference.join("../coco128");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let description = Description::load(&ours, "yolov3-tiny")
        .unwrap()
        .with_confidence(0.005)
        .with_nms(NmsRule::Class);
    let description = description.with_weights_at(reference.join("../models/yolov3-tiny.weights"));
    let mut session =
        Detector::load(&description, LoadOptions::default()).unwrap().session().unwrap();

    let json = |name: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(coco.join(name)).unwrap()).unwrap()
    };
    let (photos, all) = (json("annotations.json"), json("darknet_yolov3_tiny_416.json"));
    for photo in photos["images"].as_array().unwrap().iter().step_by(16) {
        let expected =
            all.as_array().unwrap().iter().filter(|entry| entry["image_id"] == photo["id"]);
        let expected: Vec<Detection> =
            expected.map(|entry| coco_detection(&description, entry)).collect();
        let name = photo["file_name"].as_str().unwrap();
        let found = detect(&mut session, &image(&coco, name));
        assert!(
            found.len().abs_diff(expected.len()) <= 2 + expected.len() / 20,
            "{name}: {} {}",
            found.len(),
            expected.len()
        );
        assert_found(&found, &expected, OTHER_JPEG_DECODER, name);
    }
}

fn coco_detection(description: &Description, entry: &serde_json::Value) -> Detection {
    let class_id = entry["category_id"].as_u64().unwrap() as u32;
    let side = |index: usize| entry["bbox"][index].as_f64().unwrap() as f32;
    Detection {
        class: description.names()[class_id as usize].clone(),
        class_id,
        confidence: entry["score"].as_f64().unwrap() as f32,
        bounding_box: BoundingBox { x: side(0), y: side(1), width: side(2), height: side(3) },
        zones: None,
    }
}
