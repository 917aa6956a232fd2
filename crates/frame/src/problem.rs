//! Errors as clients see them.

use serde::{Deserialize, Serialize};

/// A problem document (RFC 9457, `application/problem+json`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{title}: {detail}")]
pub struct Problem {
    /// What kind of problem: a relative URI such as `/problems/undecodable-frame`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words, the same for each occurrence.
    pub title: String,
    /// The HTTP status that fits.
    pub status: u16,
    /// What happened this time, and what to do about it.
    pub detail: String,
}

impl Problem {
    /// `kind` is the last part of the type URI, e.g. `undecodable-frame`.
    #[must_use]
    pub fn new(status: u16, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{kind}"),
            title: title.into(),
            status,
            detail: detail.into(),
        }
    }

    /// The frame's bytes are no image that can be decoded (422).
    #[must_use]
    pub fn undecodable(detail: impl Into<String>) -> Self {
        Self::new(422, "undecodable-frame", "The frame cannot be decoded", detail)
    }

    /// The image has more pixels than are accepted (422).
    #[must_use]
    pub fn too_many_pixels(detail: impl Into<String>) -> Self {
        Self::new(422, "too-many-pixels", "The image has too many pixels", detail)
    }

    /// The model failed on this frame (500).
    #[must_use]
    pub fn model_failed(detail: impl Into<String>) -> Self {
        Self::new(500, "model-failed", "The model failed on this frame", detail)
    }

    /// Whoever took the frame up ended before it had (500).
    #[must_use]
    pub fn given_up(unit: &str, takes: u32) -> Self {
        let detail = format!(
            "{unit} took it up {takes} times, and each time its process ended \
             before it was done with the frame"
        );
        Self::new(500, "frame-given-up", "The frame was given up", detail)
    }

    /// The message on the bus lacks what every frame carries (500): a foreign or broken producer.
    #[must_use]
    pub fn malformed_message(detail: impl Into<String>) -> Self {
        Self::new(500, "malformed-message", "The message is not a frame of ours", detail)
    }

    /// The frame's deadline went by before a result was there (504).
    #[must_use]
    pub fn expired(detail: impl Into<String>) -> Self {
        Self::new(504, "deadline-exceeded", "The deadline went by", detail)
    }
}
