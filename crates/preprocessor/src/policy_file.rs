//! The policy file: read at the start, and again whenever it changes.

use crate::policy_in_hand::PolicyInHand;
use frame::{Destination, PerTier};
use offload::{PolicyConfig, PolicyError};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The largest file that is read: a policy is a few kilobytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where the policy comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct PolicySource {
    /// As it was at the start.
    pub config: PolicyConfig,
    /// Whether variables say something about it, without a file.
    pub is_chosen: bool,
    /// The file that it was read from, if any.
    pub file: Option<PathBuf>,
    /// That file's text at the start.
    pub text: Option<String>,
    /// How often the file is read.
    pub reload: Duration,
    /// What is believed of the tiers where the file does not say.
    pub workers: PerTier<Option<u32>>,
}

/// A policy file that cannot be read or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyFileError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] std::io::Error),
    /// It is no policy file.
    #[error("it has {0} bytes, a policy has at most {MAX_BYTES}")]
    TooLong(u64),
    /// What it says is no policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// Reads a policy file.
///
/// # Errors
/// When it cannot be read or used.
pub(crate) fn read(path: &Path) -> Result<(String, PolicyConfig), PolicyFileError> {
    let length = std::fs::metadata(path)?.len();
    if length > MAX_BYTES {
        return Err(PolicyFileError::TooLong(length));
    }
    let text = text::read(path)?;
    let config = PolicyConfig::from_toml(&text)?;
    Ok((text, config))
}

impl PolicySource {
    /// A configuration with what is believed of the tiers filled in.
    pub(crate) fn filled_in(&self, mut config: PolicyConfig) -> PolicyConfig {
        for tier in Destination::ALL {
            let prior = &mut config.prior[tier];
            prior.workers = prior.workers.or(self.workers[tier]);
        }
        config
    }

    /// Reads the file again and again until shutdown. A file that cannot be used changes nothing
    /// and is named in the log once.
    ///
    /// Its contents are compared, not its time: a mounted ConfigMap is exchanged by a symbolic
    /// link.
    pub(crate) async fn watch(self, in_hand: PolicyInHand, shutdown: CancellationToken) {
        let Some(path) = self.file.clone() else { return };
        let mut seen = self.text.clone().ok_or_else(String::new);
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.reload) => {}
                () = shutdown.cancelled() => return,
            }
            let of = path.clone();
            let read = tokio::task::spawn_blocking(move || read(&of))
                .await
                .map_err(|error| error.to_string())
                .and_then(|read| read.map_err(|error| error.to_string()));
            let now = read.as_ref().map(|(text, _)| text.clone()).map_err(Clone::clone);
            if now == seen {
                continue;
            }
            seen = now;
            // a rule takes a while to compile
            let (in_hand, path) = (in_hand.clone(), path.display().to_string());
            let using = move || in_hand.file(&path, read.map(|(_, config)| config));
            drop(tokio::task::spawn_blocking(using).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_used_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        assert!(read(&path).unwrap_err().to_string().contains("No such file"));
        std::fs::write(&path, "policy = 'coin'").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("there is no policy 'coin'"), "{error}");
        std::fs::write(&path, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("bytes"));
        std::fs::write(&path, "policy = 'deadline'").unwrap();
        assert_eq!(read(&path).unwrap().1.policy.as_str(), "deadline");
    }
}
