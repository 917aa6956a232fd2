//! Unsafe code stands in the files for one instruction set, and nowhere else: the lint denies it,
//! and this test sees where it is allowed.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use std::path::{Path, PathBuf};

/// A file for another instruction set gets its name here.
const MAY_BE_UNSAFE: [&str; 5] =
    ["avx2.rs", "avx512.rs", "avx512_bf16.rs", "avx_vnni.rs", "neon.rs"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn only_files_for_one_instruction_set_allow_unsafe_code() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let allowing = |path: &&PathBuf| std::fs::read_to_string(path).unwrap().contains("unsafe_code");
    let allowing: Vec<&PathBuf> = sources.iter().filter(allowing).collect();
    assert!(!allowing.is_empty(), "the search finds nothing at all");
    for path in allowing {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(MAY_BE_UNSAFE.contains(&name), "{}", path.display());
    }
}
