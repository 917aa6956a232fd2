//! Where a network comes from, as far as its files do not say it and its answers depend on it.

use serde::Deserialize;

/// Which Darknet a network was trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fork {
    /// Joseph Redmon's: letterboxed pictures, batch normalisation by scale / (√variance + 1e-6).
    Pjreddie,
    /// Alexey Bochkovskiy's, of YOLOv4, and hank-ai's: stretched pictures unless the `.cfg` has
    /// `letter_box=1`, batch normalisation by scale / √(variance + 1e-5).
    Alexeyab,
}

impl Fork {
    /// As a description writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pjreddie => "pjreddie",
            Self::Alexeyab => "alexeyab",
        }
    }
}
