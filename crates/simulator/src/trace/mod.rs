//! What an uplink carries over time.

mod opportunities;
mod parse;
mod rates;

pub use parse::{Columns, TraceError, TraceFormat};

use crate::Micros;
use opportunities::Opportunities;
use rates::Rates;

/// The size of a packet for which a delivery opportunity stands, in bytes.
pub const PACKET_BYTES: u64 = 1500;

/// A link's capacity over time; at its end it begins anew.
#[derive(Clone, Debug)]
pub struct Trace {
    name: String,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Opportunities(Opportunities),
    Rates(Rates),
}

impl Trace {
    /// Reads a trace from a file's text.
    ///
    /// # Errors
    /// When a line cannot be read, or the trace never carries anything.
    pub fn parse(
        name: impl Into<String>,
        text: &str,
        format: &TraceFormat,
    ) -> Result<Self, TraceError> {
        Ok(Self { name: name.into(), shape: parse::parse(text, format)? })
    }

    /// A link of one speed, in Mbit/s; it must be positive.
    ///
    /// # Errors
    /// When it is not.
    pub fn constant(name: impl Into<String>, mbit_s: f64) -> Result<Self, TraceError> {
        let rates = Rates::new(vec![(0, mbit_s)], 1_000_000).ok_or(TraceError::Silent)?;
        Ok(Self { name: name.into(), shape: Shape::Rates(rates) })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// After how long it begins anew, in microseconds.
    #[must_use]
    pub fn period(&self) -> Micros {
        match &self.shape {
            Shape::Opportunities(shape) => shape.period(),
            Shape::Rates(shape) => shape.period(),
        }
    }

    /// What it carries on average, in Mbit/s.
    #[must_use]
    pub fn mean_mbit_s(&self) -> f64 {
        self.mbit_s(0, self.period())
    }

    /// What it carries on average from `from` to `to`, in Mbit/s; 0 for an empty span.
    #[must_use]
    pub fn mbit_s(&self, from: Micros, to: Micros) -> f64 {
        if to <= from {
            return 0.0;
        }
        let bytes = self.between(from, to)
            * if matches!(self.shape, Shape::Rates(_)) { 1.0 } else { PACKET_BYTES as f64 };
        bytes * 8.0 / (to - from) as f64
    }

    /// How much so many bytes are in the trace's own unit: packets, of which the last one may not
    /// be full, or bytes.
    pub(crate) fn units(&self, bytes: u64) -> f64 {
        match self.shape {
            Shape::Opportunities(_) => bytes.div_ceil(PACKET_BYTES) as f64,
            Shape::Rates(_) => bytes as f64,
        }
    }

    /// How many units can be sent from `from` (included) to `to` (excluded).
    pub(crate) fn between(&self, from: Micros, to: Micros) -> f64 {
        match &self.shape {
            Shape::Opportunities(shape) => shape.between(from, to) as f64,
            Shape::Rates(shape) => shape.between(from, to),
        }
    }

    /// This trace from `phase` on for `end`, where from each of these moments on no more than so
    /// many Mbit/s get through, over a `window`; the first one is 0. `None` when nothing would.
    pub(crate) fn at_most(
        &self,
        phase: Micros,
        speeds: &[(Micros, f64)],
        window: Micros,
        end: Micros,
    ) -> Option<Self> {
        let shape = match &self.shape {
            Shape::Opportunities(shape) => {
                shape.at_most(phase, speeds, window, end).map(Shape::Opportunities)
            }
            Shape::Rates(shape) => shape.at_most(phase, speeds, end).map(Shape::Rates),
        };
        shape.map(|shape| Self { name: self.name.clone(), shape })
    }

    /// When so many units have been sent, if the first of them waits from `start` on. Never earlier
    /// for a later `start`.
    pub(crate) fn finish(&self, start: Micros, units: f64) -> Micros {
        match &self.shape {
            Shape::Opportunities(shape) => shape.finish(start, units as u64),
            Shape::Rates(shape) => shape.finish(start, units),
        }
    }
}
