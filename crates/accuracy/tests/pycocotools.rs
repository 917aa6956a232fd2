//! Against pycocotools itself, and against what it says of Darknet's own detections in real photos.
//!
//! The first needs a Python that can import pycocotools (`MLVI_PYTHON`, else `python3`), the second
//! `MLVI_REFERENCE_DIR`; what is not there is a skip.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use accuracy::{Labels, Map, Object, Truth, evaluate};
use frame::{BoundingBox, Detection, ImageSize};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use requires::{Requirement, reference_dir, skip};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// What the peer's script ends with where pycocotools is not installed.
const NOT_INSTALLED: i32 = 3;

/// A set of images with what is in them and what was found, by image.
#[derive(Clone, Debug)]
struct Case {
    classes: usize,
    images: Vec<(Truth, Vec<Detection>)>,
}

impl Case {
    fn ours(&self) -> Option<Map> {
        evaluate(
            &self.images.iter().map(|(truth, found)| (truth, found.as_slice())).collect::<Vec<_>>(),
        )
    }

    fn json(&self) -> Value {
        let sides = |b: &BoundingBox| [b.x, b.y, b.width, b.height].map(f64::from);
        let truth = self.images.iter().enumerate().flat_map(|(image, (truth, _))| {
            truth.objects.iter().map(move |object| {
                let [x, y, w, h] = sides(&object.bounding_box);
                json!([image, object.class_id, x, y, w, h, u8::from(object.crowd)])
            })
        });
        let found = self.images.iter().enumerate().flat_map(|(image, (_, found))| {
            found.iter().map(move |found| {
                let [x, y, w, h] = sides(&found.bounding_box);
                json!([image, found.class_id, f64::from(found.confidence), x, y, w, h])
            })
        });
        let (truth, found) = (truth.collect::<Vec<_>>(), found.collect::<Vec<_>>());
        let images = self.images.len();
        json!({ "images": images, "classes": self.classes, "truth": truth, "found": found })
    }
}

/// Precision by pycocotools: COCO's AP50 and AP, -1 where there is nothing to find. `None` where it
/// is not installed.
fn peers(cases: &[Value]) -> Option<Vec<(f64, f64)>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cases.json");
    std::fs::write(&path, serde_json::to_vec(cases).unwrap()).unwrap();
    let python = std::env::var_os("MLVI_PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pycocotools_peer.py");
    let Ok(output) = Command::new(&python).arg(script).arg(&path).output() else {
        skip(Requirement::Pycocotools, &format!("{} cannot be run", python.display()));
        return None;
    };
    if output.status.code() == Some(NOT_INSTALLED) {
        let why = format!("{} cannot import pycocotools", python.display());
        skip(Requirement::Pycocotools, &why);
        return None;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let number = |word: &str| word.parse::<f64>().unwrap();
    let pair =
        |line: &str| line.split_once(' ').map(|(ap50, ap)| (number(ap50), number(ap))).unwrap();
    Some(String::from_utf8(output.stdout).unwrap().lines().map(pair).collect())
}

/// Boxes on a coarse grid, so that overlaps on a threshold and equal overlaps are frequent;
/// confidences that are often equal.
fn any_box() -> impl Strategy<Value = BoundingBox> {
    (0u8..8, 0u8..8, 1u8..8, 1u8..8).prop_map(|(x, y, width, height)| BoundingBox {
        x: f32::from(x) * 4.0,
        y: f32::from(y) * 4.0,
        width: f32::from(width) * 4.0,
        height: f32::from(height) * 4.0,
    })
}

fn any_case() -> impl Strategy<Value = Case> {
    let classes = 4usize;
    let object = (0..classes as u32, any_box(), prop::bool::weighted(0.15))
        .prop_map(|(class_id, bounding_box, crowd)| Object { class_id, bounding_box, crowd });
    let found = (0..classes as u32, any_box(), 0u8..=20).prop_map(
        |(class_id, bounding_box, confidence)| Detection {
            class: String::new(),
            class_id,
            confidence: f32::from(confidence) / 20.0,
            bounding_box,
            zones: None,
        },
    );
    // some of the objects are found nearly where they are
    let image = (
        prop::collection::vec(object, 0..8),
        prop::collection::vec(found, 0..12),
        prop::collection::vec((0u8..3, 0u8..=20), 8),
    )
        .prop_map(|(objects, mut found, near)| {
            for (object, (aside, confidence)) in
                objects.iter().zip(near).filter(|(_, (aside, _))| *aside < 2)
            {
                let bounding_box = BoundingBox {
                    x: object.bounding_box.x + f32::from(aside),
                    ..object.bounding_box
                };
                let confidence = f32::from(confidence) / 20.0;
                found.push(Detection {
                    class: String::new(),
                    class_id: object.class_id,
                    confidence,
                    bounding_box,
                    zones: None,
                });
            }
            (Truth { objects }, found)
        });
    prop::collection::vec(image, 1..12).prop_map(move |images| Case { classes, images })
}

/// More of one class in an image than count.
fn crowded(runner: &mut TestRunner) -> Case {
    let found =
        prop::collection::vec((any_box(), 0.0f32..1.0), 260).new_tree(runner).unwrap().current();
    let detection = |(bounding_box, confidence)| Detection {
        class: String::new(),
        class_id: 1,
        confidence,
        bounding_box,
        zones: None,
    };
    let detections: Vec<Detection> = found.into_iter().map(detection).collect();
    let objects = detections.iter().step_by(9).map(|found| Object {
        class_id: 1,
        bounding_box: found.bounding_box,
        crowd: false,
    });
    Case { classes: 2, images: vec![(Truth { objects: objects.collect() }, detections)] }
}

#[test]
fn random_cases_come_out_as_by_pycocotools() {
    let mut runner = TestRunner::deterministic();
    let mut cases: Vec<Case> =
        (0..200).map(|_| any_case().new_tree(&mut runner).unwrap().current()).collect();
    cases.push(crowded(&mut runner));
    // pycocotools takes no empty list of detections
    cases.retain(|case| case.images.iter().any(|(_, found)| !found.is_empty()));
    let Some(peers) = peers(&cases.iter().map(Case::json).collect::<Vec<_>>()) else { return };
    assert_eq!(peers.len(), cases.len());
    let mut compared = 0;
    for (case, (ap50, ap)) in cases.iter().zip(peers) {
        match case.ours() {
            None => assert!(ap50 < 0.0, "nothing to find: {case:?}"),
            Some(ours) => {
                let close = (ours.map50 - ap50).abs() < 1e-6 && (ours.map - ap).abs() < 1e-6;
                assert!(close, "{ours:?}, by pycocotools {ap50} and {ap}: {case:?}");
                compared += usize::from(ap50 > 0.0 && ap50 < 1.0);
            }
        }
    }
    assert!(compared > 150, "only {compared} cases were worth comparing");
}

/// The photos with their labels, by `labels`, and Darknet's detections.
fn coco128(dir: &Path, labels: impl Fn(&[String]) -> Labels) -> Case {
    let json = |name: &str| -> Value {
        let path = dir.join(name);
        serde_json::from_str(
            &std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        )
        .unwrap()
    };
    let (annotations, found) = (json("annotations.json"), json("darknet_yolov3_tiny_416.json"));
    let classes: Vec<String> = annotations["categories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect();
    let labels = labels(&classes);
    let side = |value: &Value| value.as_f64().unwrap() as f32;
    let image = |image: &Value| {
        let size = |key: &str| image[key].as_u64().unwrap() as u32;
        let size = ImageSize { width: size("width"), height: size("height") };
        let truth = labels.of(image["file_name"].as_str().unwrap(), size).unwrap();
        let of_image =
            found.as_array().unwrap().iter().filter(|entry| entry["image_id"] == image["id"]);
        let detection = |entry: &Value| Detection {
            class: String::new(),
            class_id: entry["category_id"].as_u64().unwrap() as u32,
            confidence: side(&entry["score"]),
            bounding_box: BoundingBox {
                x: side(&entry["bbox"][0]),
                y: side(&entry["bbox"][1]),
                width: side(&entry["bbox"][2]),
                height: side(&entry["bbox"][3]),
            },
            zones: None,
        };
        (truth, of_image.map(detection).collect())
    };
    Case {
        classes: classes.len(),
        images: annotations["images"].as_array().unwrap().iter().map(image).collect(),
    }
}

#[test]
fn precision_in_coco_photos_is_that_of_pycocotools() {
    let Some(reference) = reference_dir() else { return };
    let dir = reference.join("../coco128");
    let yolo = coco128(&dir, |_| Labels::yolo(&dir.join("labels"), 80).unwrap());
    let coco =
        coco128(&dir, |classes| Labels::coco(&dir.join("annotations.json"), classes).unwrap());
    for case in [&yolo, &coco] {
        let map = case.ours().unwrap();
        println!("mAP@.5 {:.3}, mAP@.5:.95 {:.3}", map.map50 * 100.0, map.map * 100.0);
        assert!(
            (map.map50 * 100.0 - 28.63).abs() < 0.01 && (map.map * 100.0 - 13.39).abs() < 0.01,
            "{map:?}"
        );
    }
    let Some(peers) = peers(&[coco.json()]) else { return };
    let map = coco.ours().unwrap();
    assert!(
        (map.map50 - peers[0].0).abs() < 1e-6 && (map.map - peers[0].1).abs() < 1e-6,
        "{map:?} {peers:?}"
    );
}
