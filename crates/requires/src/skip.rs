//! Skips a test so that people and CI see it, or fails it.

use crate::Requirement;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// The test that calls this is skipped, and is to return; or it fails, where `MLVI_REQUIRE` lists
/// the requirement. `why` says what is missing.
///
/// # Panics
/// When the requirement is required, when `MLVI_REQUIRE` has an unknown word, or when the skip can
/// be written nowhere: one that nobody sees is a fault.
#[track_caller]
pub fn skip(requirement: Requirement, why: &str) {
    let required = required();
    assert!(
        !required.contains(&requirement),
        "MLVI_REQUIRE lists {requirement}, and {why}; it needs {}",
        requirement.needs()
    );
    // what a passing test prints is not shown; standard error itself is
    let line = format!("skipped: {why} ({requirement})\n");
    io::stderr().write_all(line.as_bytes()).expect("standard error can be written");
    if let Some(file) = std::env::var_os("MLVI_SKIPPED_FILE").filter(|file| !file.is_empty()) {
        append(Path::new(&file), requirement, why)
            .unwrap_or_else(|error| panic!("MLVI_SKIPPED_FILE={}: {error}", file.display()));
    }
}

/// What `MLVI_REQUIRE` lists.
///
/// # Panics
/// When it has an unknown word: whoever misspells one would be told of no skip.
#[track_caller]
pub(crate) fn required() -> BTreeSet<Requirement> {
    let list = std::env::var("MLVI_REQUIRE").unwrap_or_default();
    Requirement::list(&list).unwrap_or_else(|error| panic!("MLVI_REQUIRE={list}: {error}"))
}

/// Requirement, test binary, test and reason, separated by tabs. One write for each line, so that
/// those of several processes do not mix.
fn append(file: &Path, requirement: Requirement, why: &str) -> io::Result<()> {
    let binary = std::env::current_exe()?;
    let binary = binary.file_stem().map_or_else(OsString::new, OsString::from);
    let thread = std::thread::current();
    // the harness gives each test's thread the test's name
    let test = thread.name().unwrap_or_default();
    let line = format!("{requirement}\t{}\t{test}\t{why}\n", binary.display());
    OpenOptions::new().create(true).append(true).open(file)?.write_all(line.as_bytes())
}
