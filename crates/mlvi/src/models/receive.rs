//! Receives a weights file: into a temporary file, verified, then renamed.

use super::fetch::FetchError;
use super::progress;
use detector::WeightsFile;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Files are read in pieces large enough that neither the hash nor the disk waits.
const PIECE_BYTES: usize = 256 * 1024;

/// A weights file that is being received.
pub(super) struct Receipt<'a> {
    weights: &'a WeightsFile,
    origin: String,
    file: NamedTempFile,
}

impl<'a> Receipt<'a> {
    /// Opens a temporary file beside the destination, so that the rename stays within one file
    /// system.
    pub(super) fn new(weights: &'a WeightsFile, origin: String) -> Result<Self, FetchError> {
        let dir = weights.path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let refuse = |source| FetchError::File { path: dir.clone(), source };
        std::fs::create_dir_all(&dir).map_err(refuse)?;
        let file = tempfile::Builder::new()
            .prefix(".fetch-")
            .suffix(".part")
            .tempfile_in(&dir)
            .map_err(refuse)?;
        Ok(Self { weights, origin, file })
    }

    /// Reads everything, verifies it, and puts it in place; the temporary file is gone whatever
    /// happens.
    pub(super) fn take(
        mut self,
        mut bytes: impl Read,
        length: Option<u64>,
    ) -> Result<(), FetchError> {
        let bar = progress::bar(length.or(self.weights.size_bytes));
        let mut digest = Sha256::new();
        let mut size = 0_u64;
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            let count = bytes.read(&mut buffer).map_err(|source| self.broken_off(size, &source))?;
            if count == 0 {
                break;
            }
            size += count as u64;
            if self.weights.size_bytes.is_some_and(|expected| size > expected) {
                return Err(self.mismatch(format!(
                    "it goes on after {} bytes",
                    self.weights.size_bytes.unwrap_or(0)
                )));
            }
            digest.update(&buffer[..count]);
            self.file.write_all(&buffer[..count]).map_err(|source| self.unwritable(source))?;
            bar.inc(count as u64);
        }
        bar.finish_and_clear();
        self.verify(size, &hex(&digest.finalize()))?;
        self.file.as_file().sync_all().map_err(|source| self.unwritable(source))?;
        // temporary files are private; weights are for every user of the machine
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        self.file.as_file().set_permissions(readable).map_err(|source| self.unwritable(source))?;
        let path = self.weights.path.clone();
        self.file.persist(&path).map_err(|error| FetchError::File { path, source: error.error })?;
        Ok(())
    }

    fn verify(&self, size: u64, sha256: &str) -> Result<(), FetchError> {
        if let Some(expected) = self.weights.size_bytes.filter(|expected| *expected != size) {
            return Err(self.mismatch(format!("it has {size} bytes where {expected} are expected")));
        }
        if let Some(expected) = self.weights.sha256.as_ref().filter(|expected| *expected != sha256)
        {
            return Err(
                self.mismatch(format!("its sha256 is {sha256} where {expected} is expected"))
            );
        }
        Ok(())
    }

    fn mismatch(&self, problem: String) -> FetchError {
        FetchError::Mismatch { origin: self.origin.clone(), problem }
    }

    fn broken_off(&self, size: u64, error: &std::io::Error) -> FetchError {
        self.mismatch(format!("it broke off after {size} bytes: {error}"))
    }

    fn unwritable(&self, source: std::io::Error) -> FetchError {
        FetchError::File { path: self.weights.path.clone(), source }
    }
}

/// The sha256 of everything that can be read, in lowercase hexadecimal.
pub(super) fn sha256(mut bytes: impl Read) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        match bytes.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            count => digest.update(&buffer[..count]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
