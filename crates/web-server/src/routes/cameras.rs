//! `POST /cameras/{camera}/frames`: takes a frame of a named camera.

use crate::app::App;
use crate::observe::Trace;
use crate::query::{About, parse_camera};
use crate::routes::{inference, parameter};
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::response::Response;
use std::sync::Arc;

pub(super) async fn upload(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<Trace>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let about = parameter("camera", path).and_then(|name| parse_camera(&name)).and_then(|camera| {
        let about = About::read(request.uri(), request.headers(), app.limits.max_wait)?;
        Ok(About { camera: Some(camera), ..about })
    });
    inference::take(&app, about, trace, request).await
}
