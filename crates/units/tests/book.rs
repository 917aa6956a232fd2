//! The pages of `docs/` are all in its table of contents, and their links lead somewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn pages() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/src")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of the pages; pictures have a folder of their own.
fn page_files() -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(pages()).expect("the folder of pages");
    let files = entries.map(|entry| entry.expect("a page").path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "md"))
}

/// The targets of a page's links, without what is on the network and without anchors.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let local = targets.filter(|target| !target.contains("://"));
    local.filter_map(|target| target.split('#').next()).filter(|path| !path.is_empty()).collect()
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let contents = read(&pages().join("SUMMARY.md"));
    let listed: BTreeSet<&str> = links(&contents).into_iter().collect();
    let there: BTreeSet<String> = page_files()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .filter(|name| name != "SUMMARY.md")
        .collect();
    assert_eq!(listed, there.iter().map(String::as_str).collect());
}

#[test]
fn every_link_leads_somewhere() {
    let root = pages().join("../..");
    let mut seen = 0;
    for page in page_files() {
        for link in links(&read(&page)) {
            assert!(pages().join(link).exists(), "{}: {link}", page.display());
            seen += 1;
        }
    }
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        for link in links(&read(&root.join(page))) {
            assert!(root.join(link).exists(), "{page}: {link}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} links");
}
