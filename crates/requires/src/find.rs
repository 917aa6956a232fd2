//! Finds what several crates' tests need, or skips the test.

use crate::skip::required;
use crate::{Requirement, skip};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The path of an OpenTelemetry Collector with the receiver `otlp` and the exporter `file`; skips
/// the test when `MLVI_COLLECTOR` names none.
///
/// # Panics
/// As [`skip`](crate::skip()).
#[track_caller]
#[must_use]
pub fn collector() -> Option<PathBuf> {
    find("MLVI_COLLECTOR", Requirement::Collector).map(PathBuf::from)
}

/// Whether there is an ffmpeg; skips the test when not.
///
/// # Panics
/// As [`skip`](crate::skip()).
#[track_caller]
#[must_use]
pub fn ffmpeg() -> bool {
    // also where nothing is skipped, an unknown word is an error
    drop(required());
    let output = Command::new("ffmpeg").arg("-version").stdin(Stdio::null()).output();
    let is_there = output.is_ok_and(|output| output.status.success());
    if !is_there {
        skip(Requirement::Ffmpeg, "ffmpeg is not in PATH");
    }
    is_there
}

/// The address of an Apache Kafka, `HOST:PORT`; skips the test when `MLVI_KAFKA` names none.
///
/// # Panics
/// As [`skip`](crate::skip()).
#[track_caller]
#[must_use]
pub fn kafka() -> Option<String> {
    find("MLVI_KAFKA", Requirement::Kafka)
}

/// The path of `.ci/kafka`; skips the test when `MLVI_KAFKA_SCRIPT` does not name it.
///
/// # Panics
/// As [`skip`](crate::skip()).
#[track_caller]
#[must_use]
pub fn kafka_script() -> Option<PathBuf> {
    find("MLVI_KAFKA_SCRIPT", Requirement::KafkaScript).map(PathBuf::from)
}

/// The address of a PostgreSQL server in which databases may be made; skips the test when
/// `MLVI_POSTGRES` names none.
///
/// # Panics
/// As [`skip`](crate::skip()).
#[track_caller]
#[must_use]
pub fn postgres() -> Option<String> {
    find("MLVI_POSTGRES", Requirement::Postgres)
}

/// The folder of reference data; skips the test when `MLVI_REFERENCE_DIR` names none.
///
/// # Panics
/// As [`skip`](crate::skip()).
#[track_caller]
#[must_use]
pub fn reference_dir() -> Option<PathBuf> {
    find("MLVI_REFERENCE_DIR", Requirement::Reference).map(PathBuf::from)
}

#[track_caller]
fn find(variable: &str, requirement: Requirement) -> Option<String> {
    // also where nothing is skipped, an unknown word is an error
    drop(required());
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        skip(requirement, &format!("{variable} is not set"));
    }
    value
}
