//! Our detector in its variants.

use super::super::peer::Precision;
use detector::{Description, Detector, LoadOptions};
use engine_tract::{Options, Tract};
use kernels::Team;

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
    /// When the model cannot be loaded, or the system gives no more threads.
    pub(in crate::bench) fn load(self, description: &Description) -> anyhow::Result<Offer> {
        match self.precision {
            Precision::Float32 => {
                let team = Team::of(self.threads)?;
                let engine = Tract::new(Options { team, ..Options::default() });
                let options = LoadOptions::default();
                Ok(Offer::Ready(Detector::load_with(&engine, description, options)?))
            }
            Precision::Bfloat16 | Precision::Int8 => {
                let word = self.precision.word();
                Ok(Offer::Absent(format!("{} has no {word}", description.name())))
            }
        }
    }
}
