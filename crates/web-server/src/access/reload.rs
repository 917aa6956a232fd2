//! Tokens and certificates that change while the server runs.

use super::Access;
use super::config::{pair, read_tokens};
use crate::metrics::Metrics;
use std::sync::Arc;
use tracing::{error, info};
use unit::WatchedFiles;
use unit::http::Tls;

impl Access {
    /// Reads the tokens file again and again, if there is one. A file that cannot be used changes
    /// nothing and is named in the log once.
    pub(crate) async fn watch_tokens(self: Arc<Self>, metrics: Metrics) {
        let Some((mut files, _)) = self.config.tokens.clone() else { return };
        loop {
            files.changed(self.config.reload).await;
            let path = shown(&files);
            let read = read_tokens(&files);
            metrics.reloaded("tokens", read.is_ok());
            match read {
                Ok(tokens) => {
                    let tokens_now = tokens.len();
                    info!(%path, tokens_now, "the tokens file has changed, it holds now");
                    self.exchange(tokens);
                }
                Err(problem) => {
                    error!(%path, error = problem, "the tokens file cannot be used, the one before holds")
                }
            }
        }
    }

    /// The same for the certificate.
    pub(crate) async fn watch_certificate(self: Arc<Self>, metrics: Metrics) {
        let Some((mut files, tls)) = self.config.tls.clone() else { return };
        loop {
            files.changed(self.config.reload).await;
            let path = shown(&files);
            let read = exchange(&files, &tls);
            metrics.reloaded("certificate", read.is_ok());
            match read {
                Ok(()) => info!(%path, "the certificate has changed, it holds for new connections"),
                Err(problem) => {
                    error!(%path, error = problem, "the certificate cannot be used, the one before holds")
                }
            }
        }
    }

    /// Whether there are tokens that may change, and a certificate that may.
    pub(crate) fn watched(&self) -> (bool, bool) {
        (self.config.tokens.is_some(), self.config.tls.is_some())
    }

    /// What the port begins connections with, if it speaks HTTPS.
    pub(crate) fn tls(&self) -> Option<Tls> {
        self.config.tls.as_ref().map(|(_, tls)| tls.clone())
    }
}

fn exchange(files: &WatchedFiles, tls: &Tls) -> Result<(), String> {
    let (certificate, key) = pair(files)?;
    tls.replace(certificate, key).map_err(|error| error.to_string())
}

fn shown(files: &WatchedFiles) -> String {
    let paths: Vec<String> = files.paths().iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}
