//! Frames as pictures: `GET /jobs/{id}/annotated`, `GET /cameras/{camera}/latest.jpg` and
//! `GET /cameras/{camera}/live.mjpeg`.

use super::jobs::{final_or_newest, known_id, pending};
use crate::access::{Caller, Right};
use crate::app::App;
use crate::jobs::Job;
use crate::observe;
use crate::pictures::{self, Picture, Subject, Variant, Viewer};
use crate::problem::RequestError;
use crate::query::{Query, parse_camera};
use crate::routes::parameter;
use crate::wait::Wait;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use frame::{CameraId, Status, headers as names};
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;

/// A picture of a final result stays the same as long as its camera's masks do, for which a browser
/// asks; it may show people, so only their own browser keeps it.
pub(super) const KEPT: &str = "private, no-cache";
pub(super) const NEVER: &str = "no-store";

/// How long a camera's picture may take: the threads may have others to make first.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn annotated(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let id = known_id(path)?;
    let query = Query::of(&uri)?;
    let variant = Variant::asked_for(&query, None)?;
    let wait = Wait::asked_for(&query, &headers, app.limits.max_wait)?;
    let (result, origin, camera, is_final) = match final_or_newest(&app, id, wait).await? {
        Job::Finished(finished) if finished.is_error() && variant.boxes => {
            return Err(RequestError::Result(finished));
        }
        Job::Finished(finished) => {
            let (origin, camera) = (finished.origin(), finished.camera.clone());
            // a skipped frame's boxes are those of another one, which may come later
            let is_fixed = finished.status != Status::Skipped;
            (Some(finished), origin, Some(camera), is_fixed)
        }
        Job::Pending { camera, sequence, origin, provisional } => {
            if provisional.is_none() && variant.boxes {
                return Ok(pending(id, Some((&camera, sequence)), None));
            }
            (provisional, origin, Some(camera), false)
        }
        Job::Unheard | Job::Forgotten => return Ok(pending(id, None, None)),
    };
    let subject = Subject { id, origin, result };
    let caching = if is_final { KEPT } else { NEVER };
    app.masks_are_known().await?;
    let regions = camera.as_ref().and_then(|camera| app.regions.of(camera));
    let tag = subject.tag(variant, regions.as_deref());
    let mut response = if is_known(&headers, &tag) {
        not_modified(&tag, caching)
    } else {
        picture(&pictures::of_job(&app, subject, variant).await?, caching)
    };
    response.extensions_mut().insert(observe::Subject { frame_id: id, camera });
    Ok(response)
}

pub(super) async fn latest(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let (camera, position, mut viewer) = look(&app, path, &uri)?;
    let picture = tokio::select! {
        picture = viewer.newest(position) => picture?,
        () = tokio::time::sleep(PATIENCE) => return Err(RequestError::PictureLate(PATIENCE)),
        () = app.shutdown.cancelled() => return Err(RequestError::ShuttingDown),
    };
    let mut response = if is_known(&headers, &picture.tag) {
        not_modified(&picture.tag, NEVER)
    } else {
        self::picture(&picture, NEVER)
    };
    let frame_id = picture.id;
    response.extensions_mut().insert(observe::Subject { frame_id, camera: Some(camera) });
    Ok(response)
}

pub(super) async fn live(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, RequestError> {
    let (_, _, viewer) = look(&app, path, &uri)?;
    let lapse = app.access.lapse(caller, Right::Read, None);
    let pictures = pictures::stream(viewer, app.shutdown.clone()).take_until(lapse);
    let body = Body::from_stream(pictures);
    let headers = [
        (header::CONTENT_TYPE, pictures::CONTENT_TYPE),
        (header::CACHE_CONTROL, NEVER),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers.map(|(name, value)| (name, HeaderValue::from_static(value))), body).into_response())
}

/// Begins to look at a camera that has a picture, at the position of its newest result or behind.
fn look(
    app: &App,
    path: Result<Path<String>, PathRejection>,
    uri: &Uri,
) -> Result<(CameraId, u64, Viewer), RequestError> {
    let camera = parse_camera(&parameter("camera", path)?)?;
    let variant = Variant::asked_for(&Query::of(uri)?, Variant::CAMERA)?;
    let shown = app.store.shown(&camera);
    let Some((position, _)) = shown else { return Err(RequestError::NoPicture(camera)) };
    let viewer = app.pictures.views.join((camera.clone(), variant))?;
    Ok((camera, position, viewer))
}

pub(super) fn picture(Picture { id, jpeg, tag }: &Picture, caching: &'static str) -> Response {
    let mut response = jpeg.clone().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(names::FRAME_ID, id);
    }
    tagged(response, tag, caching)
}

pub(super) fn not_modified(tag: &str, caching: &'static str) -> Response {
    tagged(StatusCode::NOT_MODIFIED.into_response(), tag, caching)
}

fn tagged(mut response: Response, tag: &str, caching: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Whether the client has the picture with this tag already (RFC 9110, section 13.1.2).
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter();
    lists.filter_map(|list| list.to_str().ok()).flat_map(|list| list.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}
