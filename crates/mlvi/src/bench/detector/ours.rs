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
            Precision::Int8 if !description.calibration().is_file() => {
                let (name, file) = (description.name(), description.calibration().display());
                Ok(Offer::Absent(format!("{name} has no {file}: mlvi models calibrate {name}")))
            }
            Precision::Int8 => {
                let description = description.clone().with_precision(detector::Precision::Int8);
                Ok(Offer::Ready(Detector::load(&description, options)?))
            }
            Precision::Bfloat16 => {
                let description = description.clone().with_precision(detector::Precision::Bfloat16);
                Ok(Offer::Ready(Detector::load(&description, options)?))
            }
        }
    }
}
