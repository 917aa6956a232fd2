//! In which order the frames of a camera are served when they wait.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What becomes of a frame that waits while newer ones of its camera come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Order {
    /// It is served before them.
    #[default]
    #[serde(rename = "in-order")]
    InOrder,
    /// The newest one is served; the others are overtaken, and end without a detection.
    #[serde(rename = "newest")]
    Newest,
}

impl Order {
    /// `in-order` or `newest`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InOrder => "in-order",
            Self::Newest => "newest",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Order {
    type Err = InvalidOrder;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = [Self::InOrder, Self::Newest].into_iter().find(|order| order.as_str() == text);
        named.ok_or_else(|| InvalidOrder(text.to_owned()))
    }
}

/// A text that names no order.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("'{0}' is neither in-order nor newest")]
pub struct InvalidOrder(pub String);
