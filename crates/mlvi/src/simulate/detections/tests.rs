//! The detector's precision on real photos against Darknet's, and what the cascade wins on them.

use super::*;
use crate::models::Source;

pub(in crate::simulate) fn models_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

/// Both models on the labelled photos, whose weights are in place then; `None` when the test is
/// skipped.
pub(in crate::simulate) fn on_photos(edge: &str, cloud: &str) -> Option<DetectionsArgs> {
    let reference = requires::reference_dir()?;
    let description = Description::load(&models_dir(), "yolov3-tiny").unwrap();
    if !description.weights().path.is_file() {
        models::fetch(&description, &Source::File(reference.join("../models/yolov3-tiny.weights")))
            .unwrap();
    }
    let coco = reference.join("../coco128");
    Some(DetectionsArgs {
        edge_model: edge.into(),
        cloud_model: cloud.into(),
        images: coco.join("images"),
        labels: LabelArgs { labels: Some(coco.join("labels")), annotations: None },
        out: PathBuf::new(),
        confidence: 0.005,
        nms: None,
        threads: 2,
    })
}

/// Darknet's own figure is pycocotools' for what Darknet finds, class by class.
#[test]
fn yolov3_tiny_is_as_precise_as_darknets() {
    let Some(args) = on_photos("yolov3-tiny-320", "yolov3-tiny") else { return };
    let args = DetectionsArgs { nms: Some("class".into()), ..args };
    let file = find(&args, &models_dir()).unwrap();
    assert_eq!(file.images.len(), 128);
    let quality = Quality::of(&file, &args.labels).unwrap().unwrap();
    println!("{:?} {:?}", quality.edge, quality.cloud);
    assert!((quality.cloud.map50 * 100.0 - 28.63).abs() <= 0.5, "{:?}", quality.cloud);
    assert!((quality.cloud.map * 100.0 - 13.39).abs() <= 0.5, "{:?}", quality.cloud);
    assert!(
        quality.edge.map50 < quality.cloud.map50,
        "a smaller input finds less in the same photos"
    );
}

/// What is written down below the units' thresholds changes nothing above them.
#[test]
fn the_file_tells_what_the_units_would_find() {
    let Some(args) = on_photos("yolov3-tiny-320", "yolov3-tiny-320") else { return };
    let dir = tempfile::tempdir().unwrap();
    let photos = ["000000000009.jpg", "000000000036.jpg", "000000000049.jpg"];
    for photo in photos {
        std::fs::copy(args.images.join(photo), dir.path().join(photo)).unwrap();
    }
    std::fs::write(dir.path().join("notes.txt"), "no image").unwrap();
    let out = dir.path().join("detections.jsonl");
    let args = DetectionsArgs { images: dir.path().into(), out, ..args };
    run(&args, &models_dir()).unwrap();
    let file = read(&args.out).unwrap();
    assert_eq!(file.images.iter().map(|image| image.file.as_str()).collect::<Vec<_>>(), photos);
    let description = Description::load(&models_dir(), "yolov3-tiny-320").unwrap();
    let mut session =
        Detector::load(&description, LoadOptions::default()).unwrap().session().unwrap();
    for image in &file.images {
        let pixels = vision::decode(
            &std::fs::read(dir.path().join(&image.file)).unwrap(),
            &Limits::default(),
        )
        .unwrap();
        let found = session.detect(&[&pixels]).unwrap().remove(0);
        let seen = seen_at_edge(&file.header, image);
        assert_eq!(
            (seen.confident, seen.weak),
            (&found.detections[..], &found.weak[..]),
            "{}",
            image.file
        );
        assert!(
            image.edge.detections.len() > seen.confident.len() + seen.weak.len(),
            "more is written down than units tell"
        );
    }
}

#[test]
fn photos_that_cannot_be_used_are_named() {
    let Some(args) = on_photos("yolov3-tiny-320", "yolov3-tiny-320") else { return };
    let refused = |args: &DetectionsArgs| format!("{:#}", find(args, &models_dir()).unwrap_err());
    let good = || on_photos("yolov3-tiny-320", "yolov3-tiny-320").expect("the variable is set");
    assert!(
        refused(&DetectionsArgs { confidence: 0.1, ..good() }).contains("0.05"),
        "above the weak threshold"
    );
    assert!(refused(&DetectionsArgs { confidence: f32::NAN, ..good() }).contains("--confidence"));
    assert!(
        refused(&DetectionsArgs { images: args.labels.labels.expect("they were given"), ..good() })
            .contains("no images")
    );
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("broken.jpg"), b"\xff\xd8\xff and no more").unwrap();
    assert!(
        refused(&DetectionsArgs { images: dir.path().into(), ..good() }).contains("broken.jpg")
    );
}
