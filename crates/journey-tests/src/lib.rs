//! Whole journeys: a suite with the real model, and clients that see it from outside.
//!
//! The journeys run on the embedded broker, and on a real Apache Kafka when `MLVI_KAFKA` names one (`HOST:PORT`).

mod client;
mod journey;
mod photos;
mod process;
mod watch;

pub use client::{Answer, Client};
pub use journey::{Journey, kafka};
pub use photos::{models_dir, photo, reference_photo};
pub use process::{UnitProcess, be_the_unit};
pub use watch::Watch;

/// Says that a test does not run. Straight to standard error: what a passing test prints is not shown.
pub fn skipped(reason: &str) {
    use std::io::Write;
    // a test that cannot even say so has still been skipped
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}
