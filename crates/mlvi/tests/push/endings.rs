//! However it ends: the summary, the exit code, no temporary file, and no ffmpeg that goes on.

use crate::ffmpeg::{FakeFfmpeg, clip, jpegs_in, names};
use crate::process::{done, push, signal, until_said, wait};
use crate::suite::Suite;
use std::path::Path;

/// Frames without an end.
const ENDLESS: &str = "while frame; do sleep 0.01; done";

/// What every end leaves of a video.
fn is_whole(folder: &Path) {
    assert_eq!(names(folder), ["clip.mp4", "found.images.json", "found.json", "out.mp4"]);
    assert!(jpegs_in(&folder.join("out.mp4")) > 0);
    serde_json::from_slice::<serde_json::Value>(&std::fs::read(folder.join("found.json")).unwrap())
        .unwrap();
}

const OUTPUTS: [&str; 4] = ["--video", "out.mp4", "--coco", "found.json"];

#[test]
fn the_server_shuts_down() {
    let (suite, dir) = (Suite::ending_after(Some(4)), tempfile::tempdir().unwrap());
    let ffmpeg = FakeFfmpeg::that(ENDLESS);
    let clip = clip(dir.path());
    let done = done(push(&suite, &ffmpeg.path()).arg(clip).args(OUTPUTS).current_dir(&dir));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.err.contains(" results, ") && done.err.contains("the server has ended"),
        "{done:?}"
    );
    is_whole(dir.path());
    ffmpeg.has_ended();
}

#[test]
fn a_server_that_vanishes_without_a_word_is_noticed_and_found_again() {
    let suite = Suite::vanishing_after(4);
    let ffmpeg = FakeFfmpeg::that(ENDLESS);
    let mut command = push(&suite, &ffmpeg.path());
    let mut child = command.arg("http://127.0.0.1:9/x").spawn().unwrap();
    let said = until_said(&mut child, "again in");
    assert!(said.contains("the server has said nothing for 1.5"), "{said}");
    // whoever connects anew is served
    suite.until(8);
    signal(&child, "INT");
    let done = wait(child);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains(" results, ") && done.err.contains(" without a result"), "{done:?}");
    ffmpeg.has_ended();
}

#[test]
fn a_video_whose_server_vanishes_ends_and_tells_what_has_no_result() {
    let (suite, dir) = (Suite::vanishing_after(4), tempfile::tempdir().unwrap());
    let ffmpeg = FakeFfmpeg::that(ENDLESS);
    let clip = clip(dir.path());
    let done = done(push(&suite, &ffmpeg.path()).arg(clip).args(OUTPUTS).current_dir(&dir));
    assert_eq!(done.code, Some(1), "{done:?}");
    let words = [" without a result", "the server has said nothing for 1.5"];
    assert!(words.into_iter().all(|words| done.err.contains(words)), "{done:?}");
    is_whole(dir.path());
    ffmpeg.has_ended();
}

#[test]
fn ffmpeg_is_killed_or_fails() {
    for (does, words) in [
        ("frame; frame; frame; kill -9 $$", "ffmpeg: it was ended by signal 9"),
        (
            "frame; frame; frame; echo '[error] rtsp://u:secret@a/1: broken' >&2; exit 3",
            "ffmpeg: rtsp://a/1: broken (it ended with code 3)",
        ),
    ] {
        let (suite, dir) = (Suite::start(), tempfile::tempdir().unwrap());
        let ffmpeg = FakeFfmpeg::that(does);
        let clip = clip(dir.path());
        let done = done(push(&suite, &ffmpeg.path()).arg(clip).args(OUTPUTS).current_dir(&dir));
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.err.contains("3 results, ") && done.err.contains(words), "{done:?}");
        is_whole(dir.path());
        ffmpeg.has_ended();
    }
}

#[test]
fn somebody_stops_it() {
    // a file has an end that was not reached; a camera has none
    for (source, by, code) in
        [("clip.mp4", "INT", 130), ("clip.mp4", "TERM", 130), ("http://127.0.0.1:9/x", "INT", 0)]
    {
        let (suite, dir) = (Suite::start(), tempfile::tempdir().unwrap());
        let ffmpeg = FakeFfmpeg::that(ENDLESS);
        clip(dir.path());
        let mut command = push(&suite, &ffmpeg.path());
        command.arg(source).args(OUTPUTS).args(["--in-flight", "64"]).current_dir(&dir);
        let child = command.spawn().unwrap();
        suite.until(5);
        signal(&child, by);
        let done = wait(child);
        // a camera drops frames while the test's machine is busy, which is told
        let expected = if done.err.contains("frames got no result") { 1 } else { code };
        assert_eq!(done.code, Some(expected), "{source} {by}: {done:?}");
        assert!(done.err.contains(" results, "), "{done:?}");
        is_whole(dir.path());
        ffmpeg.has_ended();
    }
}

#[test]
fn a_camera_that_was_away_comes_back_and_its_password_is_not_told() {
    let suite = Suite::start();
    let ffmpeg = FakeFfmpeg::that(
        "if mkdir \"$dir/again\"; then
            echo '[error] rtsp://u:secret@127.0.0.1:9/1: Connection refused' >&2; exit 1
        fi
        while frame; do sleep 0.02; done",
    );
    let mut command = push(&suite, &ffmpeg.path());
    let mut child = command.arg("rtsp://u:secret@127.0.0.1:9/1").spawn().unwrap();
    let said = until_said(&mut child, "again in");
    assert!(said.starts_with("rtsp://127.0.0.1:9/1: ffmpeg: "), "{said}");
    suite.until(3);
    signal(&child, "INT");
    let done = wait(child);
    assert!(done.err.contains(" results, "), "{done:?}");
    assert!(!said.contains("secret") && !done.err.contains("secret"), "{said} {done:?}");
    assert!(ffmpeg.arguments().contains("secret"), "ffmpeg needs it");
    ffmpeg.has_ended();
}

#[test]
fn what_does_not_pass_ends_it() {
    let suite = Suite::start();
    let empty = tempfile::tempdir().unwrap();
    let absent = done(push(&suite, empty.path().to_str().unwrap()).arg("synthetic:64x48"));
    assert_eq!(absent.code, Some(69), "{absent:?}");
    assert!(absent.err.contains("apt-get install ffmpeg"), "{absent:?}");
    for (arguments, words) in [
        (&["/dev/mlvi-no-camera"][..], "there is no such device"),
        (&["ftp://u:secret@host/x"], "rtsp:// or http://, not ftp://"),
    ] {
        let done = done(push(&suite, "/usr/bin").args(arguments));
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.err.contains(words) && !done.err.contains("secret"), "{done:?}");
    }
    let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../images/coffee.jpg");
    for arguments in
        [&["--rate", "0", "x"][..], &["--in-flight", "65", "x"], &["--video", "x", photo]]
    {
        assert_eq!(done(push(&suite, "/usr/bin").args(arguments)).code, Some(64));
    }
}
