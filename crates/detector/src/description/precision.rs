//! In which numbers a network runs.

use serde::Deserialize;

/// What weights and activations are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Numbers of 32 bits.
    #[default]
    Float32,
    /// What convolutions multiply is rounded to the upper half of 32 bits; the rest is not.
    Bfloat16,
    /// Integers of 8 bits, scaled by a calibration.
    Int8,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Float32, Self::Bfloat16, Self::Int8];

    /// As a description writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Bfloat16 => "bfloat16",
            Self::Int8 => "int8",
        }
    }
}
