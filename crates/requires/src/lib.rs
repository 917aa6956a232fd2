//! For tests: what a test needs beyond the checkout, and how it is skipped without.
//!
//! A test that lacks something calls [`skip`] with the [`Requirement`] and returns. That writes a
//! line to standard error itself, past the capture of the test harness, and, where
//! `MLVI_SKIPPED_FILE` names a file, appends a line to it, so that a CI can count.
//! `MLVI_REQUIRE` lists requirements, separated by commas: a test that would be skipped for want
//! of one of them fails instead.

mod find;
mod requirement;
mod skip;

#[cfg(test)]
mod tests;

pub use find::{collector, ffmpeg, kafka, kafka_script, postgres, reference_dir};
pub use requirement::{Requirement, UnknownRequirement};
pub use skip::skip;
