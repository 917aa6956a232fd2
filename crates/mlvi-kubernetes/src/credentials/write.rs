//! Files that only their owner may read.

use super::Credentials;
use anyhow::Context;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Writes all files or, when one is there and must stay, none.
pub(super) fn files(
    dir: &Path,
    credentials: &Credentials,
    force: bool,
) -> anyhow::Result<Vec<PathBuf>> {
    let files = credentials.files().map(|(name, text)| (dir.join(name), text));
    let there: Vec<String> = files
        .iter()
        .filter(|(path, _)| path.exists())
        .map(|(path, _)| path.display().to_string())
        .collect();
    if !there.is_empty() && !force {
        anyhow::bail!(
            "{} there already: --force overwrites, and then everyone needs the new ones",
            there.join(", ")
        );
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| dir.display().to_string())?;
    files
        .into_iter()
        .map(|(path, text)| {
            write(&path, &text).with_context(|| path.display().to_string())?;
            Ok(path)
        })
        .collect()
}

/// By way of a new file, so that the modes of an old one do not stay.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("yml.new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}
