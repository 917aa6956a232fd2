//! What is kept of a video.

use crate::ffmpeg::{FakeFfmpeg, clip, jpeg, jpegs_in, names};
use crate::process::{done, push};
use crate::suite::Suite;
use serde_json::{Value, json};

#[test]
fn pictures_a_video_and_cocos_results_come_in_the_order_of_capture() {
    let (suite, dir) = (Suite::start(), tempfile::tempdir().unwrap());
    let ffmpeg = FakeFfmpeg::that("for n in 1 2 3 4 5 6 7; do frame; done");
    let clip = clip(dir.path());
    let done = done(
        push(&suite, &ffmpeg.path())
            .arg(&clip)
            .args(["--camera", "gate", "--json", "--in-flight", "2"])
            .args(["--save-annotated", "pictures", "--video", "out.mp4", "--coco", "found.json"])
            .current_dir(&dir),
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("7 results, ") && done.err.contains("edge 100 %"), "{done:?}");

    let pictures: Vec<String> = (0..7).map(|n| format!("gate-{n:06}.jpg")).collect();
    assert_eq!(names(&dir.path().join("pictures")), pictures);
    let picture = std::fs::read(dir.path().join("pictures/gate-000003.jpg")).unwrap();
    assert_ne!(picture, jpeg(), "a box is drawn on it");
    assert_eq!(jpegs_in(&dir.path().join("out.mp4")), 7);

    let numbers: Vec<u64> = suite.frames().into_iter().map(|(_, number)| number).collect();
    let printed: Vec<Value> =
        done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let printed: Vec<u64> =
        printed.iter().map(|result| result["sequence"].as_u64().unwrap()).collect();
    assert_eq!(printed, numbers);
    assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "{numbers:?}");

    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(dir.path().join(name)).unwrap()).unwrap()
    };
    let found = |image: u64| json!({"image_id": image, "category_id": 1, "bbox": [8.0, 6.0, 20.0, 30.0], "score": 0.75});
    assert_eq!(read("found.json"), json!((1..=7).map(found).collect::<Vec<_>>()));
    let images = read("found.images.json");
    assert_eq!(images["images"][6]["file_name"], "gate-000006.jpg");
    assert_eq!(images["images"][6]["id"], 7);

    let left = ["clip.mp4", "found.images.json", "found.json", "out.mp4", "pictures"];
    assert_eq!(names(dir.path()), left, "nothing else is left");
    ffmpeg.has_ended();
}

#[test]
fn several_videos_are_sent_at_once_and_have_files_of_their_own() {
    let (suite, dir) = (Suite::start(), tempfile::tempdir().unwrap());
    // each waits for the other one
    let ffmpeg = FakeFfmpeg::that(
        "frame; touch \"$dir/came-$$\"
        until [ $(ls \"$dir\" | grep -c came-) = 2 ]; do sleep 0.01; done
        frame",
    );
    let clip = clip(dir.path());
    let done = done(
        push(&suite, &ffmpeg.path())
            .args([&clip, &clip])
            .args(["--camera", "gate", "--video", "out.mkv"])
            .current_dir(&dir),
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(names(dir.path()), ["clip.mp4", "out-gate-2.mkv", "out-gate.mkv"]);
    assert!(names(dir.path())[1..].iter().all(|name| jpegs_in(&dir.path().join(name)) == 2));
    assert_eq!(suite.frames().iter().filter(|(camera, _)| camera == "gate-2").count(), 2);
}

#[test]
fn a_video_that_cannot_be_written_is_an_error_and_the_frames_are_sent_all_the_same() {
    let (suite, dir) = (Suite::start(), tempfile::tempdir().unwrap());
    let ffmpeg = FakeFfmpeg::that("frame; frame; frame");
    let clip = clip(dir.path());
    let done = done(
        push(&suite, &ffmpeg.path()).arg(clip).args(["--video", "no/folder.mp4"]).current_dir(&dir),
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("3 results, ") && done.err.contains("no: "), "{done:?}");
}
