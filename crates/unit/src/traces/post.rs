//! One request to a Collector.

use super::encode;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{
    CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Request, StatusCode, Uri, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// An answer is some bytes; an error page of a proxy, some kilobytes.
const MAX_ANSWER: usize = 64 * 1024;
/// What a base address is followed by.
const TRACES_PATH: &str = "/v1/traces";

/// Where spans are sent, and with which headers.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    host: String,
    port: u16,
    path: String,
    headers: HeaderMap,
}

/// An address that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "http://HOST:PORT, with a path or not; for https:// run a Collector beside the unit that \
     sends on what it gets"
)]
pub(super) struct InvalidEndpoint;

/// Headers that cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("name=value,name=value, each of which can be a header of HTTP")]
pub(super) struct InvalidHeaders;

/// Why spans did not arrive.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// There is no connection.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The connection broke, or does not speak HTTP.
    #[error("the connection failed")]
    Connection(#[source] hyper::Error),
    /// It ended before the answer.
    #[error("the connection ended before the answer")]
    Ended,
    /// There was no answer in time.
    #[error("no answer within {} ms (OTEL_EXPORTER_OTLP_TIMEOUT)", .0.as_millis())]
    Timeout(Duration),
    /// It is busy for now.
    #[error("it answered {0}")]
    Busy(StatusCode, Option<Duration>),
    /// It does not take them, and never will, by the specification of OTLP/HTTP.
    #[error("it answered {0}")]
    Refused(StatusCode),
}

impl PostError {
    /// With which status it was refused: another try would not succeed.
    pub(super) const fn refused(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(status) => Some(*status),
            Self::Connect(_) | Self::Connection(_) | Self::Ended | Self::Timeout(_) => None,
            Self::Busy(..) => None,
        }
    }

    /// How long to wait at least before the next try, if the Collector said so.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(_, after) => *after,
            Self::Connect(_) | Self::Connection(_) | Self::Ended | Self::Timeout(_) => None,
            Self::Refused(_) => None,
        }
    }
}

impl Endpoint {
    /// Of a base address, to which the path for traces is added.
    pub(super) fn parse_base(text: &str) -> Result<Self, InvalidEndpoint> {
        Self::parse(&(text.trim_end_matches('/').to_owned() + TRACES_PATH))
    }

    /// Of a whole address.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        let uri: Uri = text.parse().map_err(|_| InvalidEndpoint)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(InvalidEndpoint)?;
        // a password in it would be sent nowhere
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if uri.scheme_str() != Some("http") || has_user {
            return Err(InvalidEndpoint);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self { host: host.to_owned(), port, path: path.to_owned(), headers: HeaderMap::new() })
    }

    /// With these headers on each request.
    pub(super) fn with_headers(
        mut self,
        headers: &[(String, String)],
    ) -> Result<Self, InvalidHeaders> {
        for (name, value) in headers {
            let name: HeaderName = name.parse().map_err(|_| InvalidHeaders)?;
            let mut value: HeaderValue = value.parse().map_err(|_| InvalidHeaders)?;
            // often a token
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        Ok(self)
    }

    /// Sends an `ExportTraceServiceRequest`, on a connection of its own: it is one in seconds. Gives
    /// how many of the spans were rejected.
    pub(super) async fn post(&self, body: Bytes, within: Duration) -> Result<u64, PostError> {
        let exchange = self.exchange(body);
        tokio::time::timeout(within, exchange).await.unwrap_or(Err(PostError::Timeout(within)))
    }

    async fn exchange(&self, body: Bytes) -> Result<u64, PostError> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.port)).await.map_err(PostError::Connect)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(PostError::Connection)?;
        let mut request = Request::post(&self.path)
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(USER_AGENT, concat!("mlvi/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))
            .expect("path and host were parts of an address");
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let answer = async {
            let response = sender.send_request(request).await.map_err(PostError::Connection)?;
            let (status, after) = (response.status(), retry_after(response.headers()));
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            match status {
                status if status.is_success() => {
                    Ok(body.map_or(0, |body| encode::rejected(&body.to_bytes())))
                }
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => Err(PostError::Busy(status, after)),
                status => Err(PostError::Refused(status)),
            }
        };
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            ended = connection => match ended {
                // what was read until then may be the answer
                Ok(()) => tokio::time::timeout(Duration::ZERO, answer)
                    .await
                    .unwrap_or(Err(PostError::Ended)),
                Err(error) => Err(PostError::Connection(error)),
            },
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Without the query, which may be a token.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "http://{}:{}{path}", self.host, self.port)
    }
}
