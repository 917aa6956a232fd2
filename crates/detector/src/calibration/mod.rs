//! Which values the layers of a network put out on photos: what an int8 network is made with.

mod calibrator;
mod equalize;
mod file;
mod histogram;

pub use calibrator::{Calibrator, RangeRule};
pub use file::{Calibration, CalibrationError};
