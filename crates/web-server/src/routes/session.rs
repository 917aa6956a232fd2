//! `POST /login`, `POST /logout` and `GET /session`: who asks, for browsers.
//!
//! A browser sends no header with `EventSource` and `<img>`, and a token in an address would end up
//! in logs and histories: hence a cookie.

use crate::access::{Begun, Caller};
use crate::app::App;
use crate::problem::RequestError;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// A token and what is around it.
const MAX_BODY_BYTES: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

pub(super) async fn show(Extension(caller): Extension<Caller>) -> Response {
    Json(caller.describe()).into_response()
}

pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, RequestError> {
    let bytes = tokio::time::timeout(PATIENCE, to_bytes(body, MAX_BODY_BYTES))
        .await
        .map_err(|_| RequestError::UploadTimeout(PATIENCE))?
        .map_err(|_| RequestError::MalformedLogin)?;
    let Login { token } =
        serde_json::from_slice(&bytes).map_err(|_| RequestError::MalformedLogin)?;
    // what a proxy says; a browser that says so itself only gets a cookie that it cannot use
    let https = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let Begun { caller, cookie } = app.access.log_in(token.trim(), https)?;
    tracing::info!(caller = caller.name(), "a browser has logged in");
    Ok(([(header::SET_COOKIE, value(&cookie)?)], Json(caller.describe())).into_response())
}

pub(super) async fn log_out(State(app): State<Arc<App>>) -> Result<Response, RequestError> {
    let cookie = value(&app.access.log_out())?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

fn value(cookie: &str) -> Result<HeaderValue, RequestError> {
    HeaderValue::try_from(cookie).map_err(|error| RequestError::Internal(error.to_string()))
}
