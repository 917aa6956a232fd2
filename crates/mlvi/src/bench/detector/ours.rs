//! Our detector in its variants.

use super::super::peer::Precision;
use detector::{Description, Detector, LoadOptions};

/// How our detector runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) struct Variant {
    /// Threads of one frame.
    pub(in crate::bench) threads: usize,
    pub(in crate::bench) precision: Precision,
}

/// What came of loading one.
pub(in crate::bench) enum Offer {
    Ready(Detector),
    /// There is none, for this reason.
    Absent(String),
}

impl Variant {
    pub(in crate::bench) fn name(self) -> String {
        format!("mlvi, {}", self.precision.word())
    }

    /// The detector of a model in this variant, if there is one.
    ///
    /// # Errors
    /// When the model cannot be loaded.
    pub(in crate::bench) fn load(self, description: &Description) -> anyhow::Result<Offer> {
        let options = LoadOptions { threads: self.threads, ..LoadOptions::default() };
        match self.precision {
            Precision::Float32 => Ok(Offer::Ready(Detector::load(description, options)?)),
            Precision::Bfloat16 | Precision::Int8 => {
                let word = self.precision.word();
                Ok(Offer::Absent(format!("{} has no {word}", description.name())))
            }
        }
    }
}
