//! Annotated pictures as files.

use anyhow::Context;
use frame::CameraId;
use std::path::PathBuf;

/// A folder with more is of little use, and a camera has no end.
const MOST: u64 = 100_000;

/// The pictures of one camera.
pub(crate) struct Pictures {
    dir: PathBuf,
    saved: u64,
}

impl Pictures {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, saved: 0 }
    }

    /// Keeps a picture under the camera's name and the frame's number.
    pub(super) fn save(
        &mut self,
        camera: &CameraId,
        number: u64,
        jpeg: &[u8],
    ) -> anyhow::Result<()> {
        anyhow::ensure!(self.saved < MOST, "{MOST} pictures are saved; no further one is");
        self.saved += 1;
        let path = self.dir.join(name(camera, number));
        std::fs::create_dir_all(&self.dir)
            .and_then(|()| std::fs::write(&path, jpeg))
            .with_context(|| path.display().to_string())
    }
}

/// The name of a frame's picture; names sort in the order of capture.
pub(super) fn name(camera: &CameraId, number: u64) -> String {
    format!("{camera}-{number:06}.jpg")
}
