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

/// The right half of each picture.
const MASKED: &str = "{\"camera\":\"gate\",\"masks\":[{\"points\":[[0.5,0],[1,0],[1,1],[0.5,1]]}],\
    \"zones\":[],\"source\":\"file\"}";

/// How bright a picture is on the left and on the right.
fn halves(jpeg: &[u8]) -> [u8; 2] {
    let picture = vision::decode(jpeg, &vision::Limits { max_pixels: 1_000_000 }).unwrap();
    let (width, row) = (picture.width() as usize, picture.height() as usize - 2);
    [2, width - 2].map(|column| picture.data()[(row * width + column) * 3])
}

#[test]
fn what_is_masked_is_black_in_what_is_saved() {
    let (suite, dir) = (Suite::with_regions(MASKED), tempfile::tempdir().unwrap());
    let ffmpeg = FakeFfmpeg::that("frame; frame; frame");
    let clip = clip(dir.path());
    let outputs = ["--save-annotated", "pictures", "--video", "out.mp4"];
    for (more, right) in [(&[][..], 0..20), (&["--unmasked"], 80..100)] {
        let done = done(
            push(&suite, &ffmpeg.path()).arg(&clip).args(outputs).args(more).current_dir(&dir),
        );
        assert_eq!(done.code, Some(0), "{done:?}");
        let picture = std::fs::read(dir.path().join("pictures/push-000002.jpg")).unwrap();
        let film = std::fs::read(dir.path().join("out.mp4")).unwrap();
        let last = film.windows(3).rposition(|window| window == b"\xFF\xD8\xFF").unwrap();
        for jpeg in [&picture[..], &film[last..]] {
            let found = halves(jpeg);
            assert!((80..100).contains(&found[0]) && right.contains(&found[1]), "{found:?}");
        }
    }
}

#[test]
fn where_masks_cannot_be_read_nothing_is_saved_and_it_is_said_how_to_save_all() {
    let (suite, dir) = (Suite::with_regions(""), tempfile::tempdir().unwrap());
    let ffmpeg = FakeFfmpeg::that("frame; frame; frame");
    let clip = clip(dir.path());
    let saves = |more: &[&str]| {
        let mut command = push(&suite, &ffmpeg.path());
        done(command.arg(&clip).args(["--video", "out.mp4"]).args(more).current_dir(&dir))
    };
    let refused = saves(&[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("--unmasked") && refused.err.contains("404"), "{refused:?}");
    assert_eq!(names(dir.path()), ["clip.mp4"]);
    let all = saves(&["--unmasked"]);
    assert_eq!(all.code, Some(0), "{all:?}");
    assert_eq!(jpegs_in(&dir.path().join("out.mp4")), 3);
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
