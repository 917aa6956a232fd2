//! What the cloud's answers teach about the edge's, camera by camera: which frames are worth
//! sending, how far the tiers agree, and up to which score frames may stay.

mod calibration;
mod normal;
mod random;

pub use calibration::{Calibration, Promise};
pub use normal::Interval;
