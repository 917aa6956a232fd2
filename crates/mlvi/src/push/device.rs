//! A webcam as the system has it.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Why a device cannot be read, with the next step.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeviceError {
    #[error("there is no such device; {0}")]
    Absent(String),
    #[error("it may not be read: `sudo usermod -aG video $USER`, and log in again")]
    Forbidden,
    #[error("another program uses it")]
    Busy,
    #[error("it is no device")]
    NoDevice,
    #[error("it cannot be opened")]
    Unopenable(#[source] std::io::Error),
}

/// Whether it can be opened.
pub(super) fn check(path: &Path) -> Result<(), DeviceError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => DeviceError::Absent(there_are(&webcams(Path::new("/dev")))),
        ErrorKind::PermissionDenied => DeviceError::Forbidden,
        ErrorKind::ResourceBusy => DeviceError::Busy,
        _ => DeviceError::Unopenable(error),
    })?;
    let kind = file.metadata().map_err(DeviceError::Unopenable)?.file_type();
    if kind.is_char_device() { Ok(()) } else { Err(DeviceError::NoDevice) }
}

fn there_are(webcams: &[PathBuf]) -> String {
    if webcams.is_empty() {
        return "this system shows no webcam (/dev/video*): plug one in, or pass it to the \
            container (docker run --device /dev/video0)"
            .into();
    }
    let names: Vec<String> = webcams.iter().map(|path| path.display().to_string()).collect();
    format!("there are {}", names.join(", "))
}

fn webcams(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_webcam = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
            let number = name.strip_prefix("video").unwrap_or_default();
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_webcam).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_device_is_told_with_the_next_step() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["video2", "video10", "videos", "v4l"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = webcams(dir.path());
        assert_eq!(found, [dir.path().join("video10"), dir.path().join("video2")]);
        assert!(there_are(&found).starts_with("there are "), "{}", there_are(&found));
        assert!(there_are(&[]).contains("plug one in"));
        assert!(matches!(check(&dir.path().join("video0")), Err(DeviceError::Absent(_))));
        assert!(matches!(check(&found[0]), Err(DeviceError::NoDevice)));
        check(Path::new("/dev/null")).unwrap();
    }
}
