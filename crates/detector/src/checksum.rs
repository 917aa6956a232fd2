//! Are the files of a model the ones that its description means?

use crate::{DataFile, Description, ModelError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes hashed at a time.
const CHUNK: usize = 1 << 16;

/// What a description expects of a file, as far as it does.
struct Expected<'a> {
    size_bytes: Option<u64>,
    sha256: Option<&'a str>,
}

/// Compares the weights' size and sha256 with what the description says; returns the sha256 in
/// lowercase hexadecimal.
pub(crate) fn verify(description: &Description) -> Result<String, ModelError> {
    let weights = description.weights();
    verify_file(
        description,
        &weights.path,
        &Expected { size_bytes: weights.size_bytes, sha256: weights.sha256.as_deref() },
    )
}

/// Does so with further files of an ONNX network. Returns a sha256 over those of all files, which
/// is `own` when there are no others, and a sentence for each file that the description has no
/// sha256 for.
pub(crate) fn with_data(
    description: &Description,
    own: String,
    files: &[DataFile],
) -> Result<(String, Vec<String>), ModelError> {
    if files.is_empty() {
        return Ok((own, Vec::new()));
    }
    let mut all = Sha256::new();
    all.update(&own);
    let mut unverified = Vec::new();
    for data in files {
        let path = description.weights().path.with_file_name(&data.file);
        let sha256 = verify_file(
            description,
            &path,
            &Expected { size_bytes: data.size_bytes, sha256: data.sha256.as_deref() },
        )?;
        all.update(format!("\n{}\n{sha256}", data.file));
        if data.sha256.is_none() {
            unverified.push(format!(
                "{} belongs to the weights and is not verified: list it with `[[weights.data]]`, \
                 file = \"{}\", sha256 = \"{sha256}\"",
                path.display(),
                data.file
            ));
        }
    }
    Ok((hexadecimal(&all.finalize()), unverified))
}

fn verify_file(
    description: &Description,
    path: &Path,
    expected: &Expected<'_>,
) -> Result<String, ModelError> {
    let unreadable = |source| ModelError::Unreadable { path: path.into(), source };
    let mut file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ModelError::WeightsMissing {
            path: path.into(),
            model: description.name().into(),
            has_source: description.weights().has_source(),
        },
        _ => unreadable(source),
    })?;
    let actual = file.metadata().map_err(unreadable)?.len();
    if let Some(expected) = expected.size_bytes.filter(|expected| *expected != actual) {
        return Err(ModelError::WrongSize {
            path: path.into(),
            expected,
            actual,
            reason: "so says the model's description",
        });
    }
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = file.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
    }
    let actual = hexadecimal(&hasher.finalize());
    match expected.sha256 {
        Some(expected) if expected != actual => {
            Err(ModelError::WrongChecksum { path: path.into(), expected: expected.into(), actual })
        }
        _ => Ok(actual),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
