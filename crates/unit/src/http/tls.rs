//! TLS on a server's port.

use super::accept::tell;
use super::port::{AnyStream, Handshake};
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// What begins a TLS connection: the type of a handshake record (RFC 8446, section 5.1). No request
/// of HTTP begins with it.
const HANDSHAKE: u8 = 0x16;
/// How much of an answer rustls holds for a client that does not take it, in bytes: one record, so
/// that the write timeout counts what the client really takes.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long a client that speaks plain HTTP is told so.
const TELLING: Duration = Duration::from_secs(1);

/// A certificate with its key, which can be exchanged while a server runs; clones share it.
#[derive(Clone, Debug)]
pub struct Tls(Arc<RwLock<Held>>);

/// What connections begin with.
#[derive(Debug)]
struct Held {
    config: Arc<ServerConfig>,
    /// The certificate itself, DER.
    certificate: Vec<u8>,
}

/// Why a certificate or a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is none in the file.
    #[error("the file of the certificate has no PEM block CERTIFICATE")]
    NoCertificate,
    /// It cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Certificate(pem::Error),
    /// It cannot be read, or is encrypted.
    #[error("the key cannot be read ({0}): it has to be a PEM block PRIVATE KEY, not encrypted")]
    Key(pem::Error),
    /// They do not belong together, or are of a kind that is not known.
    #[error("certificate and key cannot be used: {0}")]
    Refused(#[from] rustls::Error),
}

impl Tls {
    /// From PEM files: the certificate with those that lead to its authority, and its key.
    ///
    /// # Errors
    /// When they cannot be read or do not belong together.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(held(certificate, key)?))))
    }

    /// Exchanges both; connections that are open go on with what they began with.
    ///
    /// # Errors
    /// As [`Self::from_pem`]: then nothing has changed.
    pub fn replace(&self, certificate: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let held = held(certificate, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }

    /// The certificate that is shown now, DER: for its fingerprint.
    #[must_use]
    pub fn certificate(&self) -> Vec<u8> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).certificate.clone()
    }

    fn acceptor(&self) -> TlsAcceptor {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(held.config.clone())
    }
}

fn held(certificate: &[u8], key: &[u8]) -> Result<Held, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(TlsError::Certificate)?;
    let certificate = chain.first().ok_or(TlsError::NoCertificate)?.to_vec();
    let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Held { config: Arc::new(config), certificate })
}

impl Handshake for Tls {
    fn shake(
        self: Arc<Self>,
        stream: TcpStream,
    ) -> Pin<Box<dyn Future<Output = io::Result<AnyStream>> + Send>> {
        Box::pin(async move {
            let mut first = [0];
            if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
                // who does not listen is closed all the same
                let _ = tokio::time::timeout(TELLING, tell(stream, &speaks_https())).await;
                let plain = "the client speaks plain HTTP";
                return Err(io::Error::new(io::ErrorKind::InvalidData, plain));
            }
            let shaken = self
                .acceptor()
                .accept_with(stream, |session| session.set_buffer_limit(Some(BUFFER_BYTES)))
                .await?;
            Ok(Box::new(shaken) as AnyStream)
        })
    }
}

/// The problem document (RFC 9457) with its head.
fn speaks_https() -> String {
    let document = "{\"type\":\"/problems/https-only\",\"title\":\"This port speaks HTTPS\",\
        \"status\":400,\"detail\":\"use https:// in place of http://\"}";
    format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nconnection: \
         close\r\ncontent-length: {}\r\n\r\n{document}",
        document.len()
    )
}

#[cfg(test)]
mod tests {
    use super::super::{HttpBounds, HttpCounts, Networks, Port, serve};
    use super::*;
    use crate::Metrics;
    use axum::Router;
    use axum::routing::get;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;
    use tokio_util::sync::CancellationToken;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(200);
    const ANSWER_BYTES: usize = 8 * 1024 * 1024;

    /// A certificate and its key, PEM.
    struct Pair {
        certificate: String,
        key: String,
    }

    impl Pair {
        fn new() -> Self {
            let CertifiedKey { cert, signing_key } =
                generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            Self { certificate: cert.pem(), key: signing_key.serialize_pem() }
        }

        fn tls(&self) -> Tls {
            Tls::from_pem(self.certificate.as_bytes(), self.key.as_bytes()).unwrap()
        }

        /// A connection of who trusts this certificate alone.
        async fn connect(&self, to: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
            let mut roots = RootCertStore::empty();
            let pem = self.certificate.as_bytes();
            roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let name = ServerName::try_from("localhost").unwrap();
            TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(to).await?).await
        }
    }

    struct Server {
        address: SocketAddr,
        metrics: Metrics,
        shutdown: CancellationToken,
    }

    impl Server {
        async fn start(tls: Tls, timeout: Duration) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let bounds = HttpBounds {
                max_connections: 10,
                max_per_peer: 10,
                proxies: Networks::default(),
                write_timeout: timeout,
                head_timeout: timeout,
                idle_timeout: LONG,
                drain: Duration::ZERO,
            };
            let router = Router::new()
                .route("/", get(|| async { "seen" }))
                .route("/large", get(|| async { vec![b'x'; ANSWER_BYTES] }));
            let (counts, metrics) = (HttpCounts::default(), Metrics::default());
            counts.register(&metrics, "http");
            let shutdown = CancellationToken::new();
            let port = Port::from(listener).with_tls(tls);
            tokio::spawn(serve(port, router, bounds, counts, shutdown.clone()));
            Self { address, metrics, shutdown }
        }

        async fn until_closed(&self, reason: &str) {
            let line = format!("http_connections_closed_total{{reason=\"{reason}\"}} 1");
            while !self.metrics.encode().contains(&line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

    async fn answer(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, ask: &[u8]) -> Vec<u8> {
        stream.write_all(ask).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn https_is_spoken_and_plain_http_is_told_so() {
        let pair = Pair::new();
        let server = Server::start(pair.tls(), LONG).await;
        let stream = pair.connect(server.address).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let text = String::from_utf8(answer(stream, ASK).await).unwrap();
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("seen"), "{text}");
        let large = String::from_utf8_lossy(ASK).replace("GET /", "GET /large");
        let stream = pair.connect(server.address).await.unwrap();
        assert!(answer(stream, large.as_bytes()).await.len() > ANSWER_BYTES);

        let plain = TcpStream::connect(server.address).await.unwrap();
        let text = String::from_utf8(answer(plain, ASK).await).unwrap();
        assert!(text.starts_with("HTTP/1.1 400") && text.contains("use https://"), "{text}");
        server.until_closed("handshake").await;
        server.shutdown.cancel();
    }

    #[tokio::test]
    async fn a_certificate_is_exchanged_and_a_broken_one_is_not_taken() {
        let (old, new) = (Pair::new(), Pair::new());
        let tls = old.tls();
        let server = Server::start(tls.clone(), LONG).await;
        let open = old.connect(server.address).await.unwrap();
        let (certificate, key) = (new.certificate.as_bytes(), new.key.as_bytes());
        for (broken_certificate, broken_key) in
            [(certificate, old.key.as_bytes()), (certificate, b"no key"), (b"", key)]
        {
            tls.replace(broken_certificate, broken_key).unwrap_err();
            assert!(old.connect(server.address).await.is_ok());
        }
        tls.replace(certificate, key).unwrap();
        assert!(old.connect(server.address).await.is_err());
        assert!(new.connect(server.address).await.is_ok());
        assert!(answer(open, ASK).await.ends_with(b"seen"), "an open connection goes on");
        server.shutdown.cancel();
    }

    #[tokio::test]
    async fn who_does_not_finish_the_handshake_is_closed() {
        let server = Server::start(Pair::new().tls(), SHORT).await;
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        silent.write_all(&[HANDSHAKE]).await.unwrap();
        assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
        server.until_closed("handshake").await;
        server.shutdown.cancel();
    }

    /// What was encrypted but not taken waits in rustls's buffer: it counts as not taken.
    #[tokio::test]
    async fn who_does_not_take_the_answer_is_closed() {
        let pair = Pair::new();
        let server = Server::start(pair.tls(), SHORT).await;
        let mut stream = pair.connect(server.address).await.unwrap();
        let large = String::from_utf8_lossy(ASK).replace("GET /", "GET /large");
        stream.write_all(large.as_bytes()).await.unwrap();
        server.until_closed("answer-not-taken").await;
        server.shutdown.cancel();
    }
}
