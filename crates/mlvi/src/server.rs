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
pub(crate) struct ServerArgs {
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
    pub(crate) const fn of(server: String) -> Self {
        Self { server, ca: None, token: None }
    }

    /// The address as it was given.
    pub(crate) fn address(&self) -> &str {
        &self.server
    }

    /// The bearer token, if there is one.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The address of what is at a path, which begins with a slash.
    pub(crate) fn url(&self, path: impl Display) -> String {
        format!("{}{path}", self.server.trim_end_matches('/'))
    }

    /// A client that trusts what `--ca` names.
    ///
    /// # Errors
    /// When that file cannot be read, or has no certificate.
    pub(crate) fn agent(&self, config: ConfigBuilder<AgentScope>) -> anyhow::Result<Agent> {
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
    pub(crate) fn tls(&self) -> anyhow::Result<Arc<ClientConfig>> {
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
    pub(crate) fn with_token<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Why a request got no answer, with the next step.
    pub(crate) fn away(&self, error: ureq::Error, url: &str) -> anyhow::Error {
        let step = self.next_step(&error);
        anyhow::Error::new(error).context(format!("{url}: {step}"))
    }

    /// What to do about an error of a connection.
    pub(crate) fn next_step(&self, error: &(dyn std::error::Error + 'static)) -> &'static str {
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::certificate;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject as _;
    use std::io::{Read as _, Write as _};
    use std::net::{IpAddr, Ipv4Addr, TcpListener};
    use std::thread::JoinHandle;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn server_config(certificate: &Path, key: &Path) -> Arc<rustls::ServerConfig> {
        let certificate = CertificateDer::from_pem_file(certificate).unwrap();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        Arc::new(config.unwrap())
    }

    /// A server of one connection with the certificate of `mlvi up --tls` in `dir`; gives its port.
    pub(crate) fn server(dir: &Path) -> (u16, JoinHandle<()>) {
        let files = certificate::ensure(dir, HERE).unwrap();
        let config = server_config(&files.certificate, &files.key);
        let listener = TcpListener::bind((HERE, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut connection = rustls::ServerConnection::new(config).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            // a client that does not trust us ends the connection
            if tls.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {
                tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
                tls.flush().unwrap();
            }
        });
        (port, thread)
    }

    pub(crate) fn args(port: u16, ca: Option<PathBuf>) -> ServerArgs {
        ServerArgs { server: format!("https://127.0.0.1:{port}/"), ca, token: None }
    }

    fn ask(args: &ServerArgs) -> anyhow::Result<String> {
        let url = args.url("/x");
        let agent = args.agent(Agent::config_builder())?;
        let mut response = agent.get(&url).call().map_err(|error| args.away(error, &url))?;
        Ok(response.body_mut().read_to_string()?)
    }

    #[test]
    fn a_certificate_of_our_own_is_trusted_when_it_is_named_and_the_error_says_how() {
        let dir = tempfile::tempdir().unwrap();
        let (port, thread) = server(dir.path());
        let error = format!("{:#}", ask(&args(port, None)).unwrap_err());
        assert!(error.contains("--ca FILE (MLVI_CA_FILE)"), "{error}");
        thread.join().unwrap();

        let (port, thread) = server(dir.path());
        let trusted = Some(dir.path().join("certificate.pem"));
        assert_eq!(ask(&args(port, trusted)).unwrap(), "hi");
        thread.join().unwrap();

        // another one's certificate of the same name
        let other = tempfile::tempdir().unwrap();
        certificate::ensure(other.path(), HERE).unwrap();
        let (port, thread) = server(dir.path());
        let other = Some(other.path().join("certificate.pem"));
        let error = format!("{:#}", ask(&args(port, other)).unwrap_err());
        assert!(error.contains("not one of the file that --ca"), "{error}");
        thread.join().unwrap();
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.pem");
        std::fs::write(&path, "nothing").unwrap();
        for path in [path, dir.path().join("missing.pem")] {
            let error = format!("{:#}", ask(&args(1, Some(path.clone()))).unwrap_err());
            assert!(error.contains(&format!("--ca {}", path.display())), "{error}");
        }
    }

    #[test]
    fn nobody_there_is_told_apart_from_a_certificate() {
        // a port that is reserved and that nobody listens on
        let port = ports::ReservedPort::on(HERE).unwrap();
        let args = args(port.address().port(), None);
        let error = format!("{:#}", ask(&args).unwrap_err());
        assert!(error.contains("does a suite run there"), "{error}");
    }
}
