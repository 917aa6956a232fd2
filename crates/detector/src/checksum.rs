//! Is a weights file the one that its description means?

use crate::{Description, ModelError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;

/// Bytes hashed at a time.
const CHUNK: usize = 1 << 16;

/// Compares size and sha256 with what the description says, as far as it does; returns the sha256 in lowercase hexadecimal.
pub(crate) fn verify(description: &Description) -> Result<String, ModelError> {
    let weights = description.weights();
    let path = &weights.path;
    let unreadable = |source| ModelError::Unreadable { path: path.clone(), source };
    let mut file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ModelError::WeightsMissing { path: path.clone(), model: description.name().into() },
        _ => unreadable(source),
    })?;
    let actual = file.metadata().map_err(unreadable)?.len();
    if let Some(expected) = weights.size_bytes.filter(|expected| *expected != actual) {
        return Err(ModelError::WrongSize { path: path.clone(), expected, actual, reason: "so says the model's description" });
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
    let actual: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    match &weights.sha256 {
        Some(expected) if *expected != actual => {
            Err(ModelError::WrongChecksum { path: path.clone(), expected: expected.clone(), actual })
        }
        _ => Ok(actual),
    }
}
