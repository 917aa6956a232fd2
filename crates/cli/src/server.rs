//! The suite that a command asks over HTTP: where it is, whose certificate is trusted, and with
//! which token.

use anyhow::Context;
use clap::Args;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;
use ureq::{Agent, RequestBuilder};

/// A server whose own certificate is an authority's, too, as `openssl req -x509` makes it.
const AUTHORITY_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Options of every command that asks a suite.
#[derive(Args, Clone, Debug)]
pub struct ServerArgs {
    /// The suite's address
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:5000")]
    server: String,
    /// Over HTTPS, trust the certificates of this file (PEM) and no others: an authority's, or the
    /// server's own, such as that of `mlvi up --tls`
    #[arg(long, global = true, value_name = "FILE", env = "MLVI_CA_FILE")]
    ca: Option<PathBuf>,
    /// The bearer token, where the suite asks for one; better in the environment, where other
    /// users do not see it
    #[arg(long, global = true, value_name = "TOKEN", env = "MLVI_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl ServerArgs {
    /// Of a server of our own, without TLS and tokens.
    pub const fn of(server: String) -> Self {
        Self { server, ca: None, token: None }
    }

    /// With another's certificates trusted alone, those of this file.
    #[must_use]
    pub fn trusting(self, ca: Option<PathBuf>) -> Self {
        Self { ca, ..self }
    }

    /// The address as it was given.
    pub fn address(&self) -> &str {
        &self.server
    }

    /// The bearer token, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The address of what is at a path, which begins with a slash.
    pub fn url(&self, path: impl Display) -> String {
        format!("{}{path}", self.server.trim_end_matches('/'))
    }

    /// A client that trusts what `--ca` names.
    ///
    /// # Errors
    /// When that file cannot be read, or has no certificate.
    pub fn agent(&self, config: ConfigBuilder<AgentScope>) -> anyhow::Result<Agent> {
        let config = match self.authorities()? {
            None => config,
            Some(trusted) => config.tls_config(
                TlsConfig::builder().root_certs(RootCerts::new_with_certs(&trusted)).build(),
            ),
        };
        Ok(Agent::new_with_config(config.build()))
    }

    /// TLS for a client of our own, which trusts the same; without `--ca` what browsers trust.
    ///
    /// # Errors
    /// As [`Self::agent`].
    pub fn tls(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        match self.authorities()? {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(trusted) => {
                for certificate in trusted {
                    roots.add(CertificateDer::from(certificate.der()).into_owned())?;
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// A request with the token, if there is one.
    pub fn with_token<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Why a request got no answer, with the next step.
    pub fn away(&self, error: ureq::Error, url: &str) -> anyhow::Error {
        let step = self.next_step(&error);
        anyhow::Error::new(error).context(format!("{url}: {step}"))
    }

    /// What to do about an error of a connection.
    pub fn next_step(&self, error: &(dyn std::error::Error + 'static)) -> &'static str {
        let Some(error) = tls_error(error) else {
            return "does a suite run there (`mlvi up`, --server URL)?";
        };
        let told = error.to_string();
        match error {
            _ if told.contains(AUTHORITY_AS_SERVER) => {
                "its certificate is an authority's own, which no server may use: make one with \
                 `openssl req -x509 … -addext basicConstraints=critical,CA:FALSE`"
            }
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => "its certificate has other names: ask by one of these (--server URL)",
            rustls::Error::InvalidCertificate(_) if self.ca.is_some() => {
                "its certificate is not one of the file that --ca (MLVI_CA_FILE) names, nor signed \
                 by one of it"
            }
            rustls::Error::InvalidCertificate(_) => {
                "its certificate is not trusted here: --ca FILE (MLVI_CA_FILE) names the \
                 authority's, or the server's own, which `mlvi up --tls` prints"
            }
            _ => "does it speak HTTPS (http:// is without)?",
        }
    }

    fn authorities(&self) -> anyhow::Result<Option<Vec<Certificate<'static>>>> {
        let certificates =
            |path: &PathBuf| certificates(path).with_context(|| format!("--ca {}", path.display()));
        self.ca.as_ref().map(certificates).transpose()
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<Certificate<'static>>> {
    let text = std::fs::read(path)?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item? {
            found.push(certificate);
        }
    }
    anyhow::ensure!(!found.is_empty(), "it has no certificate (a PEM block CERTIFICATE)");
    Ok(found)
}

/// What TLS had against a connection, if that is the reason.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let of_io = |error: &'a std::io::Error| error.get_ref()?.downcast_ref::<rustls::Error>();
    match error.downcast_ref::<ureq::Error>() {
        Some(ureq::Error::Rustls(error)) => Some(error),
        Some(ureq::Error::Io(error)) => of_io(error),
        _ => error.downcast_ref().and_then(of_io),
    }
}
