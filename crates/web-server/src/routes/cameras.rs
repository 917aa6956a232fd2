//! `GET /cameras` lists the cameras; `POST /cameras/{camera}/frames` takes a frame of one.

use crate::app::App;
use crate::jobs::{CameraState, Counts};
use crate::observe::Trace;
use crate::query::{About, parse_camera};
use crate::routes::{inference, parameter};
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use frame::{CameraId, FrameId, Status, Timestamp};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// More are counted, but not named: no wall shows as many.
const MAX_LISTED: usize = 1000;

/// The cameras with a result that is kept.
#[derive(Serialize)]
pub(super) struct Cameras {
    cameras: Vec<Camera>,
    /// How many there are; more than are listed if it is over [`MAX_LISTED`].
    total: usize,
    /// How long a result is kept, and with it its camera.
    kept_s: u64,
}

#[derive(Serialize)]
struct Camera {
    latest: String,
    live: String,
    camera: CameraId,
    last_result: LastResult,
    results: Counts,
    /// How old is what is known of the camera: the time since the receipt of the newest frame that
    /// has an answer. Absent when none has.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_of_information_ms: Option<u64>,
}

#[derive(Serialize)]
struct LastResult {
    frame_id: FrameId,
    sequence: u64,
    status: Status,
    at: String,
    age_ms: u64,
}

impl Cameras {
    pub(super) fn of(app: &App) -> Self {
        let now = Timestamp::now();
        let (cameras, total) = app.store.cameras(MAX_LISTED);
        let cameras = cameras.into_iter().map(|state| Camera::new(state, now)).collect();
        Self { cameras, total, kept_s: app.limits.job_ttl.as_secs() }
    }
}

impl Camera {
    fn new(
        CameraState { camera, counts, last, last_at, newest }: CameraState,
        now: Timestamp,
    ) -> Self {
        let at = UNIX_EPOCH + Duration::from_micros(last_at.as_micros());
        let last_result = LastResult {
            frame_id: last.frame_id,
            sequence: last.sequence,
            status: last.status,
            at: humantime::format_rfc3339_millis(at).to_string(),
            age_ms: now.ms_since(last_at).max(0.0) as u64,
        };
        Self {
            latest: format!("/cameras/{camera}/latest.jpg"),
            live: format!("/cameras/{camera}/live.mjpeg"),
            camera,
            last_result,
            results: counts,
            age_of_information_ms: newest
                .and_then(FrameId::made_at_ms)
                .map(|made_at_ms| (now.as_micros() / 1000).saturating_sub(made_at_ms)),
        }
    }
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(Cameras::of(&app))).into_response()
}

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
