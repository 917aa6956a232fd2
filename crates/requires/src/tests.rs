//! Skips as a CI sees them: this test binary runs one of its tests in a process of its own.

use crate::skip::required;
use crate::{Requirement, kafka, skip};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Tells a test that it is the one in the other process.
const INSIDE: &str = "REQUIRES_TEST_INSIDE";

fn run(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("tests::{test}")]).env(INSIDE, "1");
    for variable in ["MLVI_REQUIRE", "MLVI_SKIPPED_FILE", "MLVI_KAFKA"] {
        command.env_remove(variable);
    }
    command.envs(environment.iter().copied()).output().unwrap()
}

fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

#[test]
fn a_skip_passes_the_harness_and_is_counted() {
    if is_inside() {
        return skip(Requirement::Root, "nobody may mount");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("skipped");
    let name = "a_skip_passes_the_harness_and_is_counted";
    for _ in 0..2 {
        let path = file.to_str().unwrap();
        let output = run(name, &[("MLVI_SKIPPED_FILE", path), ("MLVI_REQUIRE", "kafka")]);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("skipped: nobody may mount (root)\n"), "{text}");
    }
    let counted = fs::read_to_string(&file).unwrap();
    assert_eq!(counted.lines().count(), 2);
    for line in counted.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [word, binary, test, why] = fields[..] else { panic!("{line}") };
        assert_eq!((word, why), ("root", "nobody may mount"));
        assert!(binary.starts_with("requires-") && test == format!("tests::{name}"), "{line}");
    }
    // one that cannot be counted is no skip
    let nowhere = dir.path().join("absent/skipped");
    let output = run(name, &[("MLVI_SKIPPED_FILE", nowhere.to_str().unwrap())]);
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn what_is_required_fails_instead() {
    if is_inside() {
        return assert_eq!(kafka().as_deref().unwrap_or("none"), "host:1");
    }
    let name = "what_is_required_fails_instead";
    let failed = |environment: &[(&str, &str)], words: &str| {
        let output = run(name, environment);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success() && text.contains(words), "{text}");
    };
    failed(&[("MLVI_REQUIRE", "root, kafka")], "MLVI_REQUIRE lists kafka, and MLVI_KAFKA is not");
    failed(&[("MLVI_REQUIRE", "kafka"), ("MLVI_KAFKA", "")], "`.ci/kafka start` gets one");
    let here = ("MLVI_KAFKA", "host:1");
    assert!(run(name, &[("MLVI_REQUIRE", "kafka"), here]).status.success());
    // also when nothing is missing
    failed(&[("MLVI_REQUIRE", "kafka,kofka"), here], "nothing that tests need is called 'kofka'");
}

#[test]
fn each_word_is_read_and_others_are_not() {
    for requirement in Requirement::ALL {
        assert_eq!(requirement.word().parse(), Ok(requirement));
    }
    assert_eq!(Requirement::list(""), Ok([].into()));
    let two = [Requirement::Kafka, Requirement::Reference].into();
    assert_eq!(Requirement::list(" reference,kafka,"), Ok(two));
    let error = Requirement::list("kafka,Reference").unwrap_err().to_string();
    assert!(error.contains("'Reference'") && error.contains("pycocotools"), "{error}");
}

#[test]
fn the_environment_lists_known_requirements() {
    // panics when it does not
    let required = required();
    assert!(required.len() <= Requirement::ALL.len());
}

#[test]
fn no_test_is_skipped_in_another_way() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut sources, mut found) = (0, Vec::new());
    for source in rust_files(crates) {
        if source.starts_with(env!("CARGO_MANIFEST_DIR")) {
            continue;
        }
        sources += 1;
        let text = fs::read_to_string(&source).unwrap();
        let says = |line: &str| line.contains("\"skipped: ") || line.contains("fn skipped(reason");
        found.extend(
            text.lines().filter(|line| says(line)).map(|line| (source.clone(), line.to_owned())),
        );
    }
    assert!(sources > 100, "{sources} sources below {}", crates.display());
    assert!(found.is_empty(), "these skips are not counted: {found:#?}");
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
