//! An HTTP client that sends when it is told to: as many connections as requests are under way.

use anyhow::Context;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// A result has some kB; a problem document less.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// One server, and connections to it that wait for their next request.
pub(super) struct Client {
    authority: String,
    token: Option<String>,
    /// How long a request may take from its sending on.
    patience: Duration,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Client {
    /// For a server such as `http://127.0.0.1:5000`.
    pub(super) fn new(
        server: &str,
        token: Option<String>,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let uri: Uri = server.parse().with_context(|| format!("--server {server}"))?;
        anyhow::ensure!(
            uri.scheme_str() == Some("http"),
            "--server {server}: only http://HOST:PORT can be loaded, without TLS"
        );
        let authority = uri.authority().context("an address with a host")?;
        let authority = match authority.port() {
            Some(_) => authority.to_string(),
            None => format!("{authority}:80"),
        };
        Ok(Self { authority, token, patience, idle: Mutex::default() })
    }

    /// Sends a picture and waits for the answer.
    pub(super) async fn post(&self, path: &str, body: Bytes) -> anyhow::Result<Answer> {
        let sending = self.exchange(path, body);
        let limit = || format!("no answer within {} s", self.patience.as_secs());
        tokio::time::timeout(self.patience, sending).await.with_context(limit)?
    }

    async fn exchange(&self, path: &str, body: Bytes) -> anyhow::Result<Answer> {
        let mut request = Request::post(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/octet-stream");
        if let Some(token) = &self.token {
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
    fn kept(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(&self.authority).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // ends with the sender
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}
