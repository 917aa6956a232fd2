//! An HTTP client that sends when it is told to: as many connections as requests are under way.

use crate::server::ServerArgs;
use anyhow::Context;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A result has some kB; a problem document less.
const MAX_ANSWER_BYTES: usize = 1 << 20;

type Connection = SendRequest<Full<Bytes>>;

/// One server, and connections to it that wait for their next request.
pub(in crate::bench) struct Client {
    authority: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    server: ServerArgs,
    /// How long a request may take from its sending on.
    patience: Duration,
    idle: Mutex<Vec<Connection>>,
}

/// An answer.
pub(in crate::bench) struct Answer {
    pub(in crate::bench) status: u16,
    pub(in crate::bench) body: Bytes,
}

impl Client {
    /// For a server such as `http://127.0.0.1:5000`.
    pub(in crate::bench) fn new(server: &ServerArgs, patience: Duration) -> anyhow::Result<Self> {
        let address = server.address();
        let named = || format!("--server {address}: it must be http[s]://HOST:PORT");
        let uri: Uri = address.parse().with_context(named)?;
        let authority = uri.authority().with_context(named)?;
        let (port, tls) = match uri.scheme_str() {
            Some("http") => (80, None),
            Some("https") => {
                // an address of version 6 stands in brackets
                let host = authority.host().trim_matches(['[', ']']).to_owned();
                let name = ServerName::try_from(host).with_context(named)?;
                (443, Some((TlsConnector::from(server.tls()?), name)))
            }
            _ => anyhow::bail!(named()),
        };
        let authority = match authority.port() {
            Some(_) => authority.to_string(),
            None => format!("{authority}:{port}"),
        };
        Ok(Self { authority, tls, server: server.clone(), patience, idle: Mutex::default() })
    }

    /// Sends a picture and waits for the answer.
    pub(in crate::bench) async fn post(&self, path: &str, body: Bytes) -> anyhow::Result<Answer> {
        let sending = self.exchange(path, body);
        let limit = || format!("no answer within {} s", self.patience.as_secs());
        tokio::time::timeout(self.patience, sending).await.with_context(limit)?
    }

    async fn exchange(&self, path: &str, body: Bytes) -> anyhow::Result<Answer> {
        let mut request = Request::post(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/octet-stream");
        if let Some(token) = self.server.token() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body))?;
        let mut connection = match self.kept() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let response = connection.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer breaks off: {error}"))?;
        if !connection.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(Answer { status, body: body.to_bytes() })
    }

    /// A connection that takes a request at once.
    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let step = |error: std::io::Error| {
            let step = self.server.next_step(&error);
            anyhow::Error::new(error).context(format!("cannot connect: {step}"))
        };
        let stream = TcpStream::connect(&self.authority).await.map_err(step)?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => begin(stream).await,
            Some((tls, name)) => {
                begin(tls.connect(name.clone(), stream).await.map_err(step)?).await
            }
        }
    }
}

async fn begin<S>(stream: S) -> anyhow::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // ends with the sender
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::{args, server};

    #[tokio::test]
    async fn a_server_is_asked_over_https_by_what_it_is_trusted_with() {
        let dir = tempfile::tempdir().unwrap();
        let ask = async |trusted: bool| {
            let (port, thread) = server(dir.path());
            let ca = trusted.then(|| dir.path().join("certificate.pem"));
            let client = Client::new(&args(port, ca), Duration::from_secs(60)).unwrap();
            let answer = client.post("/x", Bytes::new()).await;
            drop(client);
            tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
            answer
        };
        assert_eq!(ask(true).await.unwrap().body, "hi");
        let error = format!("{:#}", ask(false).await.err().unwrap());
        assert!(error.contains("--ca FILE (MLVI_CA_FILE)"), "{error}");
    }
}
