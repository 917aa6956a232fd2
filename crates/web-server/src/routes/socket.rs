//! `GET /cameras/{camera}/ws`: a camera on a WebSocket (RFC 6455).

use crate::access::{Caller, Right};
use crate::app::App;
use crate::observe::Trace;
use crate::problem::RequestError;
use crate::query::parse_camera;
use crate::routes::parameter;
use crate::streams::{Open, Options, converse};
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use unit::http::Takeover;

pub(super) async fn open(
    State(app): State<Arc<App>>,
    Extension(Trace(trace)): Extension<Trace>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, RequestError> {
    let camera = parse_camera(&parameter("camera", path)?)?;
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(RequestError::NoWebSocket("the method is not GET"));
    }
    let options = Options::read(camera.clone(), request.uri(), headers, app.limits.max_wait)?;
    let key = handshake(headers)?;
    app.check_bus()?;
    let takeover = request.extensions().get::<Takeover>();
    let takeover = takeover
        .ok_or_else(|| RequestError::Internal("the connection cannot be taken over".into()))?;
    let lapse = app.access.lapse(caller, Right::Send, Some(camera.clone()));
    let open = Open::enter(&app, lapse)?;
    takeover
        .then(move |connection| converse(app, camera, options, trace, connection, open).boxed());
    let answer = [
        (header::CONNECTION, "upgrade".to_owned()),
        (header::UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, key),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, answer).into_response())
}

/// Checks a client's handshake (RFC 6455, section 4.2.1), and gives the key that answers it.
fn handshake(headers: &HeaderMap) -> Result<String, RequestError> {
    if !says(headers, &header::CONNECTION, "upgrade") {
        return Err(RequestError::NoWebSocket("there is no 'Connection: Upgrade'"));
    }
    if !says(headers, &header::UPGRADE, "websocket") {
        return Err(RequestError::NoWebSocket("there is no 'Upgrade: websocket'"));
    }
    if !says(headers, &header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(RequestError::NoWebSocket("there is no 'Sec-WebSocket-Version: 13'"));
    }
    match headers.get(header::SEC_WEBSOCKET_KEY) {
        Some(key) => Ok(derive_accept_key(key.as_bytes())),
        None => Err(RequestError::NoWebSocket("there is no 'Sec-WebSocket-Key'")),
    }
}

/// Whether a header's list has this word.
fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|said| said.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let lines = lines.iter().map(|(name, value)| {
            (HeaderName::from_static(name), value.parse().expect("a header's value"))
        });
        lines.collect()
    }

    #[test]
    fn a_handshake_is_complete_or_named() {
        // the example of RFC 6455, section 1.3
        let whole = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        assert_eq!(handshake(&headers(&whole)).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for missing in 0..whole.len() {
            let mut lines = whole.to_vec();
            let (name, _) = lines.remove(missing);
            let refusal = handshake(&headers(&lines)).unwrap_err();
            assert_eq!(refusal.problem().status, 426);
            assert!(refusal.to_string().to_lowercase().contains(name), "{refusal}");
        }
    }
}
