//! `GET /jobs/{id}` and `GET /jobs/{id}/frame`: how a frame fared, and the frame itself.

use crate::app::App;
use crate::jobs::{Finished, Job};
use crate::observe::Subject;
use crate::pictures::{self, Variant};
use crate::problem::RequestError;
use crate::query::{Query, shortened};
use crate::routes::parameter;
use crate::wait::{Wait, for_result};
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use frame::{CameraId, FrameId, JobIds, Origin, Timestamp};
use futures_util::stream::unfold;
use serde::Serialize;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A second is about what a frame takes through an edge box under load.
const POLL_AFTER_S: u32 = 1;

/// The trace that a job's frame belongs to: 32 hexadecimal digits.
const TRACE_ID: HeaderName = HeaderName::from_static("mlvi-trace-id");

/// A job without a final result; `success` and `job_uuid` are what the clients of MLVideoInference
/// read.
#[derive(Serialize)]
pub(super) struct Ticket<'a> {
    success: &'static str,
    job_uuid: FrameId,
    frame_id: FrameId,
    #[serde(skip_serializing_if = "Option::is_none")]
    camera: Option<&'a CameraId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    status: &'static str,
    location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisional: Option<Value>,
}

impl<'a> Ticket<'a> {
    /// Camera and sequence are known for frames that came in here, and for those with a provisional
    /// result.
    pub(super) fn new(
        id: FrameId,
        frame: Option<(&'a CameraId, u64)>,
        provisional: Option<&Finished>,
    ) -> Self {
        Self {
            success: "true",
            job_uuid: id,
            frame_id: id,
            camera: frame.map(|(camera, _)| camera),
            sequence: frame.map(|(_, sequence)| sequence),
            status: "pending",
            location: format!("/jobs/{id}"),
            provisional: provisional.and_then(|result| serde_json::from_str(&result.json).ok()),
        }
    }
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let id = known_id(path)?;
    let query = Query::of(&uri)?;
    let wait = Wait::asked_for(&query, &headers, app.limits.max_wait)?;
    let clip = query.flag("clip", false)?;
    let job = final_or_newest(&app, id, wait).await?;
    let mut response = match &job {
        Job::Finished(finished) => json(&finished.clipped_if(clip)),
        Job::Pending { camera, sequence, provisional, .. } => {
            let provisional = provisional.as_deref().map(|result| result.clipped_if(clip));
            pending(id, Some((camera, *sequence)), provisional.as_deref())
        }
        Job::Unheard | Job::Forgotten => pending(id, None, None),
    };
    if let Some(wait) = wait {
        wait.mark_applied(&mut response);
    }
    let camera = match job {
        Job::Finished(finished) => Some(finished.camera.clone()),
        Job::Pending { camera, .. } => Some(camera),
        Job::Unheard | Job::Forgotten => None,
    };
    response.extensions_mut().insert(Subject { frame_id: id, camera });
    Ok(response)
}

pub(super) async fn frame(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, RequestError> {
    let id = known_id(path)?;
    let origin = match job_of(&app, id)? {
        Job::Finished(finished) => finished.origin(),
        Job::Pending { origin, .. } => origin,
        Job::Unheard | Job::Forgotten => None,
    };
    let pictures::Source { upload, held } = pictures::fetch(&app, id, origin).await?;
    if app.regions.is_masked(&upload.camera) {
        let camera = upload.camera.clone();
        drop((upload, held));
        return masked(&app, id, origin, camera).await;
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(upload.format.content_type())),
        (header::CONTENT_LENGTH, upload.bytes.len().into()),
        // bytes of a stranger: a browser must not take them for anything but an image
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let mut response = (headers, fetched(upload.bytes, held)).into_response();
    response.extensions_mut().insert(Subject { frame_id: id, camera: Some(upload.camera) });
    Ok(response)
}

/// A frame of a camera with masks: a JPEG of it in which they are black.
async fn masked(
    app: &Arc<App>,
    id: FrameId,
    origin: Option<Origin>,
    camera: CameraId,
) -> Result<Response, RequestError> {
    let subject = pictures::Subject { id, origin, result: None };
    let plain = Variant { boxes: false, width: None };
    let picture = pictures::of_job(app, subject, plain).await?;
    let mut response = super::pictures::picture(&picture, super::pictures::NEVER);
    response.extensions_mut().insert(Subject { frame_id: id, camera: Some(camera) });
    Ok(response)
}

/// A frame in pieces, which holds its permits until the client has taken it but for the last one.
fn fetched(frame: Bytes, held: OwnedSemaphorePermit) -> Body {
    const PIECE_BYTES: usize = 64 * 1024;
    Body::from_stream(unfold((frame, held), |(mut rest, held)| async move {
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        (!piece.is_empty()).then_some((Ok::<_, Infallible>(piece), (rest, held)))
    }))
}

/// The answer for a job that has a result, whatever its status: it is the job's state.
pub(super) fn json(finished: &Finished) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    let mut response =
        ([(header::CONTENT_TYPE, content_type)], finished.json.clone()).into_response();
    if let Some(trace) = finished.trace().and_then(|trace| trace.trace_id().parse().ok()) {
        response.headers_mut().insert(TRACE_ID, trace);
    }
    response
}

/// The answer for a job that has no final result yet.
pub(super) fn pending(
    id: FrameId,
    frame: Option<(&CameraId, u64)>,
    provisional: Option<&Finished>,
) -> Response {
    let ticket = Ticket::new(id, frame, provisional);
    let location =
        HeaderValue::try_from(&ticket.location).expect("a UUID in a path is visible ASCII");
    let mut response = (StatusCode::ACCEPTED, axum::Json(ticket)).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::RETRY_AFTER, POLL_AFTER_S.into());
    response
}

/// The job, with its final result if that is there or comes while the client waits.
pub(super) async fn final_or_newest(
    app: &App,
    id: FrameId,
    wait: Option<Wait>,
) -> Result<Job, RequestError> {
    let job = job_of(app, id)?;
    match (&job, wait) {
        (Job::Pending { .. } | Job::Unheard, Some(wait)) => {
            match for_result(&app.store, id, wait.time, &app.shutdown).await {
                Some(finished) => Ok(Job::Finished(finished)),
                // a provisional result may have come meanwhile
                None => job_of(app, id),
            }
        }
        _ => Ok(job),
    }
}

/// An id that some replica may have given out.
pub(super) fn known_id(path: Result<Path<String>, PathRejection>) -> Result<FrameId, RequestError> {
    let text = parameter("id", path)?;
    let id = text.parse().ok().filter(|id| JobIds::is_ours(*id));
    id.ok_or_else(|| RequestError::UnknownJob(shortened(&text)))
}

/// What is known about a job. One that was not heard of here counts as pending while another
/// replica may have it on its way: its upload and result are seen by all, but in between only the
/// replica that took it in knows of it.
fn job_of(app: &App, id: FrameId) -> Result<Job, RequestError> {
    match app.store.job(id) {
        Job::Forgotten => Err(RequestError::JobGone(id)),
        Job::Unheard => {
            let made_at = Timestamp::from_micros(id.made_at_ms().unwrap_or(0).saturating_mul(1000));
            if Timestamp::now() > made_at + app.limits.job_ttl {
                Err(RequestError::JobGone(id))
            } else {
                Ok(Job::Unheard)
            }
        }
        known => Ok(known),
    }
}
