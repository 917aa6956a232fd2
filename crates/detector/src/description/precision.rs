//! In which numbers a network runs.

use serde::Deserialize;

/// What weights and activations are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Numbers of 32 bits.
    #[default]
    Float32,
    /// Integers of 8 bits, scaled by a calibration.
    Int8,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Float32, Self::Int8];

    /// As a description writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Int8 => "int8",
        }
    }
}
