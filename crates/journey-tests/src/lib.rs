//! Whole journeys: a suite with the real model, and clients that see it from outside.
//!
//! The journeys run on the embedded broker, and on a real Apache Kafka when `MLVI_KAFKA` names one (`HOST:PORT`).

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

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
