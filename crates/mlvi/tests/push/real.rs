//! With ffmpeg itself.

use crate::process::{done, push, signal, wait};
use crate::suite::Suite;
use std::path::Path;
use std::process::Command;

/// Frames and frames a second of a video; it can be read to its end.
fn read(video: &Path) -> (u64, String) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-of", "csv=p=0", "-show_entries"])
        .arg("stream=nb_read_frames,avg_frame_rate")
        .arg(video)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (rate, frames) = text.trim().split_once(',').unwrap();
    (frames.parse().unwrap(), rate.to_owned())
}

fn path() -> String {
    std::env::var("PATH").unwrap()
}

#[test]
fn a_video_is_written_at_the_rate_that_it_has() {
    if !requires::ffmpeg() {
        return;
    }
    let (suite, dir) = (Suite::start(), tempfile::tempdir().unwrap());
    // an odd height, which most codings do not have
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x49:rate=7"])
        .args(["-frames:v", "9", "-c:v", "mpeg4", "./-a b.mp4"])
        .current_dir(&dir)
        .status()
        .unwrap();
    assert!(made.success());
    let done =
        done(push(&suite, &path()).args(["--video", "out.mp4", "./-a b.mp4"]).current_dir(&dir));
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("9 results, "), "{done:?}");
    assert_eq!(read(&dir.path().join("out.mp4")), (9, "7/1".into()));
}

#[test]
fn a_video_that_was_stopped_can_be_played() {
    if !requires::ffmpeg() {
        return;
    }
    let (suite, dir) = (Suite::start(), tempfile::tempdir().unwrap());
    let child = push(&suite, &path())
        .args(["--video", "out.mp4", "--rate", "40", "synthetic:64x48"])
        .current_dir(&dir)
        .spawn()
        .unwrap();
    suite.until(10);
    signal(&child, "INT");
    let done = wait(child);
    assert!(done.err.contains(" results, "), "{done:?}");
    let (frames, rate) = read(&dir.path().join("out.mp4"));
    assert!(frames >= 10 && rate == "40/1", "{frames} at {rate}: {done:?}");
}

#[test]
fn what_ffmpeg_cannot_read_is_told_in_its_words() {
    if !requires::ffmpeg() {
        return;
    }
    let (suite, dir) = (Suite::start(), tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("clip.mp4"), "no video").unwrap();
    let done = done(push(&suite, &path()).arg("clip.mp4").current_dir(&dir));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("Invalid data found"), "{done:?}");
}
