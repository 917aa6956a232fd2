//! A stand-in for ffmpeg: a script that writes frames, or keeps those that it is given.

use crate::suite::SIZE;
use frame::RgbImage;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// As a reader it does what its folder's file `does` says, as a writer it writes what it reads.
const SCRIPT: &str = r#"#!/bin/sh
dir=$(dirname "$0")
echo $$ >>"$dir/pids"
for last; do :; done
if [ "$last" != pipe:1 ]; then
    cat >"${last#file:}"
    exit
fi
echo "$*" >>"$dir/arguments"
frame() { cat "$dir/part"; }
{
    echo "[info] Output #0, mpjpeg, to 'pipe:1':"
    echo "[info]   Stream #0:0: Video: mjpeg, yuvj420p(pc), 64x48, q=2-31, 200 kb/s, 10 fps, 10 tbn"
} >&2
. "$dir/does"
"#;

/// The folder with the script.
pub(crate) struct FakeFfmpeg(TempDir);

impl FakeFfmpeg {
    /// `does` is in the language of the shell; `frame` writes a frame.
    pub(crate) fn that(does: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
        let jpeg = jpeg();
        let head = format!(
            "--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: {}\r\n\r\n",
            jpeg.len()
        );
        write("part", &[head.as_bytes(), &jpeg, b"\r\n"].concat());
        write("does", does.as_bytes());
        write("pids", b"");
        write("ffmpeg", SCRIPT.as_bytes());
        let script = dir.path().join("ffmpeg");
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    /// Where it is found, before everything else.
    pub(crate) fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.0.path().display())
    }

    /// With what it was started to read.
    pub(crate) fn arguments(&self) -> String {
        std::fs::read_to_string(self.0.path().join("arguments")).unwrap()
    }

    /// Panics if one of those that were started still runs, or none was.
    #[track_caller]
    pub(crate) fn has_ended(&self) {
        let pids = std::fs::read_to_string(self.0.path().join("pids")).unwrap();
        assert!(!pids.is_empty());
        for pid in pids.lines() {
            let runs = Command::new("kill").args(["-0", pid]).output().unwrap().status.success();
            assert!(!runs, "ffmpeg {pid} runs");
        }
    }
}

/// A picture of one colour.
pub(crate) fn jpeg() -> Vec<u8> {
    let pixels = vec![90; (SIZE.width * SIZE.height * 3) as usize];
    vision::encode_jpeg(&RgbImage::new(SIZE, pixels).unwrap(), 90).unwrap()
}

/// The JPEGs of a file that the stand-in has written: each begins and ends as one.
pub(crate) fn jpegs_in(file: &Path) -> usize {
    let bytes = std::fs::read(file).unwrap();
    assert!(bytes.starts_with(b"\xFF\xD8\xFF") && bytes.ends_with(b"\xFF\xD9"));
    bytes.windows(4).filter(|window| *window == b"\xFF\xD8\xFF\xE0").count()
}

/// The names of a folder's files.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A file that passes for a video.
pub(crate) fn clip(folder: &Path) -> PathBuf {
    let clip = folder.join("clip.mp4");
    std::fs::write(&clip, "a video").unwrap();
    clip
}
