//! `GET /stats`: what happened in each of the last seconds.

use crate::app::App;
use crate::moment::Hint;
use crate::problem::RequestError;
use crate::query::Query;
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

pub(super) async fn show(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, RequestError> {
    let query = Query::of(&uri)?;
    let since = query.get("since").map_or(Ok(0), |text| {
        text.parse::<u64>().map_err(|_| RequestError::Parameter {
            name: "since",
            value: text.into(),
            allowed: "whole seconds since the epoch".into(),
            hint: Hint::default(),
        })
    })?;
    // ten busy minutes are some 200 kB of JSON
    let written = tokio::task::spawn_blocking(move || app.stats.since(since).to_json()).await;
    let json = written.map_err(|error| RequestError::Internal(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, json).into_response())
}
