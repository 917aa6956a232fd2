//! `POST /cameras/{camera}/stream`: takes a video, frame by frame.

use crate::access::{Caller, Right};
use crate::app::App;
use crate::encoding::check_request;
use crate::observe::Trace;
use crate::query::parse_camera;
use crate::routes::inference::unread;
use crate::routes::parameter;
use crate::streams::{Framing, Open, Options, receive};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

pub(super) async fn upload(
    State(app): State<Arc<App>>,
    Extension(Trace(trace)): Extension<Trace>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let taken = async {
        let camera = parse_camera(&parameter("camera", path)?)?;
        let options =
            Options::read(camera.clone(), request.uri(), request.headers(), app.limits.max_wait)?;
        check_request(request.headers())?;
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let framing = Framing::of(content_type.map_or(b"", HeaderValue::as_bytes))?;
        app.check_bus()?;
        let lapse = app.access.lapse(caller, Right::Send, Some(camera));
        let mut open = Open::enter(&app, lapse)?;
        receive(&app, framing, options, trace, request.into_body(), &mut open).await
    };
    match taken.await {
        // what was not read would be taken for the next request
        Ok(summary) => ([(header::CONNECTION, "close")], Json(summary)).into_response(),
        Err(refusal) => *unread(refusal),
    }
}
