//! Loading a model: what is refused, with which words, and the output of current YOLO exports.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use detector::{Description, Detector, ImageDetections, LoadOptions, ModelError};
use frame::{BoundingBox, ImageSize, RgbImage};
use std::path::Path;
use tempfile::TempDir;

const DESCRIPTION: &str = "name = \"tiny\"\nformat = \"darknet\"\nconfig = \"tiny.cfg\"\n\
                           names = \"tiny.names\"\n\
                           [weights]\nfile = \"tiny.weights\"\nsize_bytes = 116\n";
const CONFIG: &str = "[net]\nwidth=32\nheight=32\n[convolutional]\nfilters=6\nactivation=linear\n\
                      [yolo]\nclasses=1\nnum=1\nanchors=8,8\n";

/// A folder with a model of one convolution, which is sure of every cell.
fn models() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write =
        |name: &str, content: &[u8]| std::fs::write(dir.path().join(name), content).unwrap();
    write("tiny.toml", DESCRIPTION.as_bytes());
    write("tiny.cfg", CONFIG.as_bytes());
    write("tiny.names", b"thing\n");
    let header = [0u32, 2, 0, 0, 0].into_iter().flat_map(u32::to_le_bytes);
    let biases = [0.0f32, 0.0, 0.0, 0.0, 5.0, 5.0];
    let kernel = [0.0f32; 18];
    let numbers = biases.into_iter().chain(kernel).flat_map(f32::to_le_bytes);
    write("tiny.weights", &header.chain(numbers).collect::<Vec<u8>>());
    dir
}

fn rewritten(dir: &TempDir, from: &str, to: &str) -> Result<Description, ModelError> {
    assert!(DESCRIPTION.contains(from));
    std::fs::write(dir.path().join("tiny.toml"), DESCRIPTION.replace(from, to)).unwrap();
    Description::load(dir.path(), "tiny")
}

fn load(description: &Description) -> Result<Detector, ModelError> {
    Detector::load(description, LoadOptions::default())
}

fn plain_image(width: u32, height: u32, colour: [u8; 3]) -> RgbImage {
    RgbImage::new(ImageSize { width, height }, colour.repeat((width * height) as usize)).unwrap()
}

fn ours() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

#[test]
fn an_unknown_model_is_answered_with_the_known_ones() {
    let dir = models();
    for name in ["yolov9", "", "../tiny", "tiny.toml", "/etc/passwd"] {
        let error = Description::load(dir.path(), name).unwrap_err();
        assert!(
            matches!(&error, ModelError::UnknownModel { available, .. } if *available == ["tiny"]),
            "{error}"
        );
    }
    let nowhere = Description::load(&dir.path().join("nowhere"), "tiny").unwrap_err();
    assert!(nowhere.to_string().ends_with("available: none"), "{nowhere}");
}

#[test]
fn every_description_of_ours_is_sound() {
    for name in Description::available(&ours()) {
        let description = Description::load(&ours(), &name).unwrap();
        assert_eq!(description.names().len(), 80, "{name}");
        // the weights are not part of the repository: without them everything else must already be
        // right
        match load(&description.clone().with_weights_at(ours().join("not-there"))) {
            Err(ModelError::WeightsMissing { model, .. }) => assert_eq!(model, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_wrong_field_is_named_with_what_is_allowed() {
    let dir = models();
    let cases = [
        ("\"darknet\"", "\"caffe\"", "onnx"),
        ("name = \"tiny\"", "name = \"other\"", "'tiny'"),
        ("config = \"tiny.cfg\"\n", "", "config"),
        ("format =", "fromat =", "format"),
        ("size_bytes = 116", "size_bytes = -1", "size_bytes"),
        ("size_bytes = 116", "sha256 = \"12\"", "64 hexadecimal digits"),
        ("[weights]", "[thresholds]\nconfidence = 1.5\n[weights]", "0 to 1"),
        ("[weights]", "[thresholds]\nnms = \"soft\"\n[weights]", "objectness"),
        ("[weights]", "[thresholds]\nweak = 0.25\n[weights]", "below `thresholds.confidence`"),
        ("[weights]", "[thresholds]\nweak = nan\n[weights]", "thresholds.weak"),
        ("[weights]", "[input]\nwidth = 0\nheight = 32\n[weights]", "input.width"),
        ("[weights]", "[onnx]\noutput = \"yolov8\"\n[weights]", "onnx"),
        ("\"darknet\"\nconfig = \"tiny.cfg\"", "\"onnx\"", "onnx.output"),
        ("[weights]", "resize = \"crop\"\n[weights]", "letterbox"),
        ("[weights]", "darknet = \"hank\"\n[weights]", "alexeyab"),
        (
            "\"darknet\"\nconfig = \"tiny.cfg\"",
            "\"onnx\"\ndarknet = \"alexeyab\"",
            "`darknet` is only for",
        ),
        ("size_bytes = 116", "data = [{ file = \"a.data\" }]", "`weights.data` is only for"),
    ];
    for (from, to, word) in cases {
        let error = rewritten(&dir, from, to).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, ModelError::Description { .. })
                && text.contains("tiny.toml")
                && text.contains(word),
            "{text}"
        );
    }
}

#[test]
fn an_onnx_description_is_checked_for_its_heads() {
    let dir = models();
    let onnx = |rest: &str| {
        let to = format!("[input]\nwidth = 32\nheight = 32\n[onnx]\n{rest}\n[weights]");
        let text = DESCRIPTION
            .replace("\"darknet\"\nconfig = \"tiny.cfg\"", "\"onnx\"")
            .replace("[weights]", &to);
        std::fs::write(dir.path().join("tiny.toml"), text).unwrap();
        Description::load(dir.path(), "tiny").map_err(|error| error.to_string())
    };
    assert!(onnx("output = \"yolov8\"").is_ok());
    assert!(onnx("output = \"yolo-heads\"\nheads = [{ anchors = [[1, 2]] }]").is_ok());
    for (rest, word) in [
        ("output = \"yolo-heads\"", "onnx.heads"),
        ("output = \"yolov8\"\nheads = [{ anchors = [[1, 2]] }]", "yolo-heads"),
        ("output = \"yolo-heads\"\nheads = [{ anchors = [] }]", "anchors"),
        ("output = \"yolo-heads\"\nheads = [{ anchors = [[0, 2]] }]", "anchors"),
        ("output = \"yolo-heads\"\nheads = [{ anchors = [[1, 2]], scale_x_y = 0 }]", "scale_x_y"),
        ("output = \"ssd\"", "yolo-heads"),
    ] {
        assert!(onnx(rest).unwrap_err().contains(word), "{rest}");
    }
}

#[test]
fn missing_weights_say_how_to_get_them() {
    let dir = models();
    std::fs::remove_file(dir.path().join("tiny.weights")).unwrap();
    let error = load(&Description::load(dir.path(), "tiny").unwrap()).unwrap_err();
    assert!(
        matches!(&error, ModelError::WeightsMissing { path, .. } if path.ends_with("tiny.weights"))
    );
    assert!(error.to_string().contains("`mlvi models fetch tiny --from FILE`"), "{error}");
    let size = "size_bytes = 116\n";
    let source = format!("{size}url = \"https://example.org/tiny.weights\"\n");
    let error = load(&rewritten(&dir, size, &source).unwrap()).unwrap_err();
    assert!(error.to_string().contains("`mlvi models fetch tiny`"), "{error}");
}

#[test]
fn weights_of_another_size_or_checksum_are_refused() {
    let dir = models();
    let version =
        load(&Description::load(dir.path(), "tiny").unwrap()).unwrap().info().version.clone();
    let right = rewritten(&dir, "size_bytes = 116", "size_bytes = 117").unwrap();
    assert!(matches!(load(&right), Err(ModelError::WrongSize { expected: 117, actual: 116, .. })));
    let wrong = "0".repeat(64);
    let right = rewritten(&dir, "size_bytes = 116", &format!("sha256 = \"{wrong}\"")).unwrap();
    match load(&right) {
        Err(ModelError::WrongChecksum { expected, actual, .. }) => {
            assert!(expected == wrong && actual.starts_with(&version))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_is_needed_for_every_class() {
    let dir = models();
    std::fs::write(dir.path().join("tiny.names"), "one\ntwo\n").unwrap();
    let error = load(&Description::load(dir.path(), "tiny").unwrap()).unwrap_err().to_string();
    assert!(error.contains("2 names") && error.contains("1 classes"), "{error}");
    std::fs::write(dir.path().join("tiny.names"), "\n").unwrap();
    assert!(Description::load(dir.path(), "tiny").unwrap_err().to_string().contains("tiny.names"));
}

#[test]
fn a_darknet_model_finds_its_boxes_alone_and_in_batches() {
    let dir = models();
    let description = Description::load(dir.path(), "tiny").unwrap();
    let images =
        [plain_image(64, 64, [9; 3]), plain_image(32, 64, [0; 3]), plain_image(64, 64, [200; 3])];
    let images: Vec<&RgbImage> = images.iter().collect();
    let detector = load(&description).unwrap();
    assert_eq!(detector.info().input, "32x32");
    let single = detector.session().unwrap().detect(&images).unwrap();
    // boxes of 8 pixels around each of the input's 32 × 32 cells, thinned out
    assert!(
        single[0]
            .detections
            .iter()
            .all(|found| found.class == "thing" && found.bounding_box.width == 16.0)
    );
    assert!(single[0].detections.len() > 9);
    let batched =
        Detector::load(&description, LoadOptions { max_batch: 2, ..LoadOptions::default() })
            .unwrap()
            .session()
            .unwrap()
            .detect(&images)
            .unwrap();
    let detections = |found: &[ImageDetections]| {
        found.iter().map(|found| found.detections.clone()).collect::<Vec<_>>()
    };
    assert_eq!(detections(&batched), detections(&single));
    assert!(detector.session().unwrap().detect(&[]).unwrap().is_empty());
}

#[test]
fn a_stretched_picture_has_its_boxes_all_over_it() {
    let dir = models();
    let find = |line: &str, net: &str| {
        std::fs::write(
            dir.path().join("tiny.cfg"),
            CONFIG.replacen("[net]", &format!("[net]\n{net}"), 1),
        )
        .unwrap();
        let detector =
            load(&rewritten(&dir, "[weights]", &format!("{line}\n[weights]")).unwrap()).unwrap();
        let found =
            detector.session().unwrap().detect(&[&plain_image(32, 64, [9; 3])]).unwrap().remove(0);
        (detector.resize(), detector.remarks().to_vec(), found.detections)
    };
    let (letterbox, stretch) = (detector::Resize::Letterbox, detector::Resize::Stretch);
    for (line, net, resize, width) in [
        ("", "", letterbox, 16.0),
        ("resize = \"stretch\"", "", stretch, 8.0),
        ("darknet = \"alexeyab\"", "", stretch, 8.0),
        ("darknet = \"pjreddie\"", "mosaic=1", letterbox, 16.0),
        ("", "mosaic=1", stretch, 8.0),
        ("", "letter_box=1", letterbox, 16.0),
        ("resize = \"stretch\"", "letter_box=1", stretch, 8.0),
        ("darknet = \"alexeyab\"\nresize = \"letterbox\"", "", letterbox, 16.0),
    ] {
        let (found, remarks, detections) = find(line, net);
        assert_eq!(found, resize, "{line} {net}");
        assert!(remarks[1].contains(resize.word()), "{remarks:?}");
        // boxes of 8 by 8 pixels in an input of 32 by 32
        assert!(
            detections
                .iter()
                .map(|found| found.bounding_box)
                .all(|found| { found.width == width && found.height == 16.0 }),
            "{line} {net}"
        );
        let right = detections
            .iter()
            .map(|found| found.bounding_box.x + found.bounding_box.width / 2.0)
            .fold(0.0, f32::max);
        assert_eq!(
            right > 32.0,
            resize == letterbox,
            "cells in the bars are beyond the picture: {right}"
        );
    }
}

#[test]
fn marks_and_line_ends_of_windows_are_no_part_of_any_text() {
    let dir = models();
    let sign = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), format!("\u{feff}{}", text.replace('\n', "\r\n")))
            .unwrap()
    };
    sign("tiny.toml", DESCRIPTION);
    sign("tiny.cfg", CONFIG);
    sign("tiny.names", "thing\n");
    let description = Description::load(dir.path(), "tiny").unwrap();
    assert_eq!(description.names(), ["thing"]);
    load(&description).unwrap();
    std::fs::write(dir.path().join("tiny.names"), b"caf\xe9\n").unwrap();
    assert_eq!(Description::load(dir.path(), "tiny").unwrap().names(), ["café"]);
    for name in ["tiny.cfg", "tiny.names", "tiny.toml"] {
        std::fs::write(dir.path().join(name), b"\xff\xfe[\0n\0").unwrap();
        let error = Description::load(dir.path(), "tiny")
            .and_then(|description| load(&description))
            .unwrap_err()
            .to_string();
        assert!(error.contains(name) && error.contains("UTF-16"), "{error}");
    }
}

#[test]
fn sessions_and_detectors_go_to_other_threads() {
    fn send<T: Send>() {}
    fn shared<T: Send + Sync + Clone>() {}
    send::<detector::Session>();
    shared::<Detector>();
}

#[test]
fn a_profile_tells_how_long_each_operator_took() {
    let dir = models();
    let mut session =
        load(&Description::load(dir.path(), "tiny").unwrap()).unwrap().session().unwrap();
    let times = session.profile(&plain_image(8, 8, [1; 3])).unwrap();
    assert!(times.iter().any(|time| time.node.starts_with("layer0") && !time.operator.is_empty()));
    assert!(times.iter().all(|time| time.milliseconds >= 0.0));
}

#[test]
fn a_session_refuses_a_tensor_of_another_length() {
    let dir = models();
    let mut session =
        load(&Description::load(dir.path(), "tiny").unwrap()).unwrap().session().unwrap();
    assert!(session.raw_outputs(&[0.0; 7]).is_err());
    assert_eq!(session.raw_outputs(&[0.0; 3 * 32 * 32]).unwrap()[0].shape, [6, 32, 32]);
}

#[test]
fn the_output_of_current_yolo_exports_is_read() {
    let dir = models();
    let description = "name = \"tiny\"\nformat = \"onnx\"\nnames = \"tiny.names\"\n[input]\n\
                       width = 32\nheight = 32\n\
                       [onnx]\noutput = \"yolov8\"\n[weights]\nfile = \"tiny.onnx\"\n";
    std::fs::write(dir.path().join("tiny.toml"), description).unwrap();
    std::fs::write(dir.path().join("tiny.names"), "red\ngreen\nblue\n").unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-yolov8.onnx");
    let description = Description::load(dir.path(), "tiny").unwrap().with_weights_at(fixture);
    // the file is for one image at a time; asking for batches still works, one by one
    let detector =
        Detector::load(&description, LoadOptions { max_batch: 2, ..LoadOptions::default() })
            .unwrap();
    let (red, blue) = (plain_image(64, 32, [255, 0, 0]), plain_image(64, 32, [0, 0, 255]));
    let found = detector.session().unwrap().detect(&[&red, &blue]).unwrap();
    for (found, class) in found.iter().zip(["red", "blue"]) {
        // half of the input is the image, half grey: mean 0.75; the box that overlaps the first one
        // is gone
        let [first, second] = &found.detections[..] else { panic!("{found:?}") };
        assert_eq!((first.class.as_str(), second.class.as_str()), (class, class));
        assert!(
            (first.confidence - 0.675).abs() < 1e-3 && (second.confidence - 0.375).abs() < 1e-3,
            "{found:?}"
        );
        assert_eq!(first.bounding_box, BoundingBox { x: 8.0, y: -8.0, width: 16.0, height: 16.0 });
        assert_eq!(second.bounding_box, BoundingBox { x: 44.0, y: 20.0, width: 8.0, height: 8.0 });
    }
}

#[test]
fn weak_detections_are_those_between_both_thresholds() {
    let dir = models();
    let description = "name = \"tiny\"\nformat = \"onnx\"\nnames = \"tiny.names\"\n[input]\n\
                       width = 32\nheight = 32\n\
                       [thresholds]\nconfidence = 0.5\nweak = 0.3\n[onnx]\noutput = \"yolov8\"\n\
                       [weights]\nfile = \"tiny.onnx\"\n";
    std::fs::write(dir.path().join("tiny.toml"), description).unwrap();
    std::fs::write(dir.path().join("tiny.names"), "red\ngreen\nblue\n").unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-yolov8.onnx");
    let description = Description::load(dir.path(), "tiny").unwrap().with_weights_at(fixture);
    let red = plain_image(64, 32, [255, 0, 0]);
    let detect = |description: &Description| {
        load(description).unwrap().session().unwrap().detect(&[&red]).unwrap().remove(0)
    };
    let confidences = |found: &[frame::Detection]| {
        found.iter().map(|found| (found.confidence * 1000.0).round()).collect::<Vec<_>>()
    };
    let found = detect(&description);
    assert_eq!(
        (confidences(&found.detections), confidences(&found.weak)),
        (vec![675.0], vec![375.0])
    );
    let all = detect(&description.clone().with_confidence(0.3));
    assert_eq!(
        (confidences(&all.detections), confidences(&all.weak)),
        (vec![675.0, 375.0], vec![])
    );
    assert_eq!(description.with_confidence(f32::INFINITY).confidence(), 1.0);
}

#[test]
fn an_onnx_file_that_is_none_is_refused() {
    let dir = models();
    let description = "name = \"tiny\"\nformat = \"onnx\"\nnames = \"tiny.names\"\n[input]\n\
                       width = 32\nheight = 32\n\
                       [onnx]\noutput = \"yolov8\"\n[weights]\nfile = \"tiny.weights\"\n";
    std::fs::write(dir.path().join("tiny.toml"), description).unwrap();
    let error = load(&Description::load(dir.path(), "tiny").unwrap()).unwrap_err();
    assert!(matches!(error, ModelError::Network { .. }), "{error}");
}
