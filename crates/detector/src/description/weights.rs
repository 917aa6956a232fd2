//! The `[weights]` of a model's description.

use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The weights: which file, how to know it, where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsFile {
    /// Where the file is, or should be.
    pub path: PathBuf,
    /// Its size in bytes, if the description says so.
    pub size_bytes: Option<u64>,
    /// Its sha256 in lowercase hexadecimal, if the description says so.
    pub sha256: Option<String>,
    /// Its official address, if there is one.
    pub url: Option<String>,
    /// A package that carries the same file, if there is one.
    pub pypi: Option<PypiSource>,
}

/// A PyPI source package that carries a weights file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PypiSource {
    /// The package's name.
    pub package: String,
    /// Its exact version.
    pub version: String,
    /// The sha256 of the package file, in lowercase hexadecimal.
    pub sha256: String,
    /// The weights' path within the package, without the leading `package-version/` folder.
    pub member: String,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Weights {
    file: PathBuf,
    size_bytes: Option<u64>,
    sha256: Option<String>,
    url: Option<String>,
    pypi: Option<PypiSource>,
}

impl Weights {
    /// With the path within the folder of descriptions; what is wrong with it in words.
    pub(super) fn checked(self, dir: &Path) -> Result<WeightsFile, String> {
        let sha256 = self.sha256.map(|digest| hex_digest("weights.sha256", &digest)).transpose()?;
        if let Some(source) = &self.pypi {
            hex_digest("weights.pypi.sha256", &source.sha256)?;
        }
        Ok(WeightsFile { path: dir.join(self.file), size_bytes: self.size_bytes, sha256, url: self.url, pypi: self.pypi })
    }
}

fn hex_digest(field: &str, digest: &str) -> Result<String, String> {
    if digest.len() == 64 && digest.bytes().all(|c| c.is_ascii_hexdigit()) {
        Ok(digest.to_ascii_lowercase())
    } else {
        Err(format!("`{field}` must be 64 hexadecimal digits"))
    }
}
