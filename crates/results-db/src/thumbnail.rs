//! Small pictures of frames.

use frame::{CameraId, FrameId};

/// The version of the tables from which on there are pictures: a reader may come before the writer
/// that brings older ones up to date.
pub(crate) const SINCE_VERSION: u32 = 2;

/// Removes the oldest ones, of so many bytes together at least.
pub(crate) const REMOVE_OLDEST: &str = "DELETE FROM thumbnails WHERE frame_id <= \
    (SELECT frame_id FROM (SELECT frame_id, sum(size) OVER (ORDER BY frame_id) AS running \
    FROM thumbnails) AS sums WHERE running >= $1 ORDER BY frame_id LIMIT 1)";

/// A small picture of a frame.
#[derive(Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Of which frame; there is one for each at most.
    pub frame_id: FrameId,
    /// Of which camera.
    pub camera: CameraId,
    /// The picture, as a JPEG, without what was masked when it was made.
    pub jpeg: Vec<u8>,
}

impl std::fmt::Debug for Thumbnail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { frame_id, camera, jpeg } = self;
        write!(f, "Thumbnail({frame_id} of {camera}, {} bytes)", jpeg.len())
    }
}

/// What became of pictures that were to be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pictured {
    /// How many were not there before.
    pub new: u64,
    /// How many old ones had to go.
    pub removed: u64,
    /// What all of them take together now, in bytes.
    pub bytes: u64,
}
