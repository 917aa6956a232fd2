//! Programs that some commands use.

use super::finding::Finding;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The first line that a program prints, if it is there and ends well.
pub(super) fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Where a program is in `PATH`.
pub(super) fn in_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file())
}

pub(super) fn ffmpeg() -> Finding {
    match first_line("ffmpeg", &["-version"]) {
        Some(version) => {
            let version = version.split(" Copyright").next().unwrap_or_default().to_owned();
            Finding::fine("ffmpeg", version)
        }
        None => Finding::doubtful(
            "ffmpeg",
            "not here: videos and cameras cannot be read (photos can)",
            "apt-get install ffmpeg, or your system's package of that name",
        ),
    }
}
