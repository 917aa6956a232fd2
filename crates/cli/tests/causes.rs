//! Errors are put into words in one way, which tells each cause once.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use std::path::{Path, PathBuf};

/// The engine's library gives its causes in a chain alone, and repeats none.
const CHAINS: &str = "engine-tract";

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests" || stem == "testing");
        if is_test {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_chain_of_causes_is_printed_that_may_tell_one_twice() {
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(crates).unwrap() {
        let dir = entry.unwrap().path();
        if dir.join("src").is_dir() && !dir.ends_with(CHAINS) && !dir.ends_with("journey-tests") {
            sources(&dir.join("src"), &mut files);
        }
    }
    assert!(files.len() > 300, "{} files were looked at", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("mod tests {").next().unwrap();
        for (number, line) in (1..).zip(code.lines()) {
            assert!(
                line.trim_start().starts_with("//") || !line.contains(":#}"),
                "{}:{number}: take text::with_causes in place of {{:#}}, since many an error repeats \
                 its cause in its own words",
                file.display()
            );
        }
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_its_reason_once() {
    let (_taken, address) = unit::Listen::loopback().unwrap();
    let error = unit::Listen::Address(address).bind_now("HTTP").unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    let told = text::with_causes(&*anyhow::Error::from(error).context("web-server"));
    assert_eq!(told.matches(&reason).count(), 1, "{told}");
    assert!(told.starts_with("web-server: cannot listen on "), "{told}");
}
