//! Fills a folder with the descriptions of another one: what a unit reads, without the weights.

use detector::Description;
use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Copies every description of `from`, with the network and names files that they point to, into
/// `into`, which is made if it is missing. A file that is there already and equal is not written.
/// Weights are left out; hidden files and folders are not descriptions.
///
/// # Errors
/// When a description cannot be read or a file cannot be copied.
pub fn place(from: &Path, into: &Path) -> anyhow::Result<()> {
    let names = Description::available(from);
    anyhow::ensure!(!names.is_empty(), "{} describes no models (*.toml)", from.display());
    std::fs::create_dir_all(into)
        .map_err(|error| anyhow::anyhow!("cannot make {}: {error}", into.display()))?;
    // a folder that is filled from itself would lose its files
    if from.canonicalize()? == into.canonicalize()? {
        return Ok(());
    }
    let mut weights = HashSet::new();
    for name in names {
        let description = Description::load(from, &name)?;
        weights.extend(description.weights().path.file_name().map(OsString::from));
        // numbers that are kept apart are weights, too; a network that is not there, or is none,
        // tells of none
        weights.extend(
            description
                .data_files()
                .unwrap_or_default()
                .into_iter()
                .map(|data| OsString::from(data.file)),
        );
    }
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (source, name) = (entry.path(), entry.file_name());
        let hidden = name.as_encoded_bytes().starts_with(b".");
        // a mounted ConfigMap is made of symbolic links to files
        if hidden || weights.contains(&name) || !source.is_file() {
            continue;
        }
        let destination = into.join(&name);
        copy(&source, &destination).map_err(|error| {
            anyhow::anyhow!(
                "cannot copy {} to {}: {error}",
                source.display(),
                destination.display()
            )
        })?;
    }
    Ok(())
}

/// The bytes alone: the original may be read-only, and a copy must be replaceable next time. What
/// is equal stays untouched, since it may belong to somebody else or lie on a read-only volume;
/// anything else is replaced as a whole, since others may be reading it.
fn copy(source: &Path, destination: &Path) -> std::io::Result<()> {
    let bytes = std::fs::read(source)?;
    if std::fs::read(destination).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let dir = destination.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".place-").suffix(".part").tempfile_in(dir)?;
    file.write_all(&bytes)?;
    // temporary files are private; descriptions are for every user of the machine
    file.as_file().set_permissions(PermissionsExt::from_mode(0o644))?;
    file.persist(destination).map_err(|error| error.error)?;
    Ok(())
}
