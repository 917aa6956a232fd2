//! The policy file: read at the start, and again whenever it changes.

use crate::decisions::Decisions;
use crate::metrics::Metrics;
use offload::{PolicyConfig, TierPrior};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// The largest file that is read: a policy is a few kilobytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where the policy comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct PolicySource {
    /// As it was at the start.
    pub config: PolicyConfig,
    /// The file that it was read from, if any.
    pub file: Option<PathBuf>,
    /// That file's text at the start.
    pub text: Option<String>,
    /// How often the file is looked at.
    pub reload: Duration,
    /// What is believed of the tiers where the file does not say.
    pub workers: [Option<u32>; 2],
}

/// Reads a policy file.
///
/// # Errors
/// In words, when it cannot be read or used.
pub(crate) fn read(path: &Path) -> Result<(String, PolicyConfig), String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MAX_BYTES {
        return Err(format!("it has {length} bytes, a policy has at most {MAX_BYTES}"));
    }
    let text = text::read(path).map_err(|error| error.to_string())?;
    let config = PolicyConfig::from_toml(&text).map_err(|error| error.to_string())?;
    Ok((text, config))
}

impl PolicySource {
    /// A configuration with what is believed of the tiers filled in.
    pub(crate) fn filled_in(&self, mut config: PolicyConfig) -> PolicyConfig {
        let [edge, cloud] = self.workers;
        let fill =
            |prior: &mut TierPrior, workers: Option<u32>| prior.workers = prior.workers.or(workers);
        fill(&mut config.prior.edge, edge);
        fill(&mut config.prior.cloud, cloud);
        config
    }

    /// Looks at the file again and again until shutdown. A file that cannot be used changes nothing
    /// and is named in the log once.
    ///
    /// Its contents are compared, not its time: a mounted ConfigMap is exchanged by a symbolic
    /// link.
    pub(crate) async fn watch(
        self,
        decisions: Decisions,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) {
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
                .unwrap_or_else(|error| Err(error.to_string()));
            let now = read.as_ref().map(|(text, _)| text.clone()).map_err(Clone::clone);
            if now == seen {
                continue;
            }
            seen = now;
            let applied = read.and_then(|(_, config)| {
                decisions.reconfigure(&self.filled_in(config)).map_err(|error| error.to_string())
            });
            metrics.policy_reloaded(applied.is_ok());
            let (policy, path) = (decisions.policy(), path.display());
            match applied {
                Ok(()) => {
                    info!(%path, policy, "policy file has changed, its policy holds from now on")
                }
                Err(problem) => {
                    error!(%path, problem, policy, "policy file cannot be used, the policy before it still holds")
                }
            }
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
        assert!(read(&path).unwrap_err().contains("No such file"));
        std::fs::write(&path, "policy = 'coin'").unwrap();
        assert!(read(&path).unwrap_err().contains("there is no policy 'coin'"));
        std::fs::write(&path, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        assert!(read(&path).unwrap_err().contains("bytes"));
        std::fs::write(&path, "policy = 'deadline'").unwrap();
        assert_eq!(read(&path).unwrap().1.policy, "deadline");
    }
}
