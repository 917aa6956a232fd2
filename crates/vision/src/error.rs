//! What can be wrong with an image.

use frame::Problem;

/// Why an image cannot be read or written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VisionError {
    /// The bytes start like no format that is read.
    #[error("not an image that we read: send JPEG, PNG or WebP")]
    UnknownFormat,
    /// The file ends before the image does.
    #[error("the image is truncated: its end is missing")]
    Truncated,
    /// The file contradicts itself or its format, or uses a part of the format that is not read.
    #[error("the image is corrupt or of an unsupported kind: {0}")]
    Corrupt(String),
    /// The image is larger than the caller allows.
    #[error("the image has {width}x{height} pixels; the limit is {limit} pixels in all")]
    TooManyPixels {
        /// Pixels from left to right, as stored.
        width: u32,
        /// Pixels from top to bottom, as stored.
        height: u32,
        /// The most pixels that are allowed.
        limit: u64,
    },
    /// The pixels cannot be written in the format asked for.
    #[error("the image cannot be encoded: {0}")]
    Encode(String),
}

impl VisionError {
    pub(crate) fn corrupt(detail: impl ToString) -> Self {
        Self::Corrupt(detail.to_string())
    }

    /// The problem document that a client gets: 415 for what is no image of ours, 422 for
    /// everything else.
    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::UnknownFormat => Problem::new(
                415,
                "not-an-image",
                "The body is not an image that is read",
                self.to_string(),
            ),
            Self::TooManyPixels { .. } => Problem::too_many_pixels(self.to_string()),
            Self::Truncated | Self::Corrupt(_) | Self::Encode(_) => {
                Problem::undecodable(self.to_string())
            }
        }
    }
}
