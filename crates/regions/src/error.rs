//! Regions that cannot be used.

use crate::masks::{MAX_ALL_CORNERS, MAX_REGIONS};

/// What is wrong with a file, a record or a request of masks and zones.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RegionsError {
    /// It is not written as such a thing is.
    #[error("{problem}")]
    Form {
        /// The parser's words.
        problem: String,
        /// The line, counted from 1, where that is known.
        line: Option<usize>,
    },
    /// It is no text.
    #[error("it is not UTF-8")]
    NoText,
    /// A camera has too many of them.
    #[error("a camera has at most {MAX_REGIONS} masks and {MAX_REGIONS} zones, not {0} of a kind")]
    TooMany(usize),
    /// They have too many corners.
    #[error("a camera's masks and zones have at most {MAX_ALL_CORNERS} points in all, not {0}")]
    TooManyCorners(usize),
}

impl RegionsError {
    pub(crate) fn toml(error: &toml::de::Error, text: &str) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        Self::Form { problem: error.to_string().trim_end().to_owned(), line }
    }

    pub(crate) fn json(error: &serde_json::Error) -> Self {
        Self::Form { problem: error.to_string(), line: Some(error.line()) }
    }

    /// The line of the text in which it is, counted from 1, where that is known.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Form { line, .. } => *line,
            Self::NoText | Self::TooMany(_) | Self::TooManyCorners(_) => None,
        }
    }
}
