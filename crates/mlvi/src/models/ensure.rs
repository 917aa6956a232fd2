//! What `mlvi up` does about weights that are missing.

use super::{Source, fetch, fetch_data};
use detector::Description;
use std::path::Path;

/// Loads a description and gets its weights if they are not there.
///
/// # Errors
/// When there is no such model, or its weights cannot be had.
pub fn ensure(dir: &Path, name: &str) -> anyhow::Result<Description> {
    let description = Description::load(dir, name)?;
    if !description.weights().path.exists() {
        eprintln!("the weights of {name} are not here yet; getting them");
        fetch(&description, &Source::Network)?;
        fetch_data(&description, &[])?;
    }
    Ok(description)
}
