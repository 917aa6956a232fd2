//! `POST /inference`: takes a frame.

use crate::accept::{Accepted, accept};
use crate::app::App;
use crate::frame_trace::FrameTrace;
use crate::observe::{Brought, Subject, Trace};
use crate::problem::{Kind, RequestError};
use crate::query::About;
use crate::wait::for_result;
use crate::{routes::jobs, upload};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use frame::CameraId;
use std::sync::Arc;

pub(super) async fn upload(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<Trace>,
    request: Request,
) -> Response {
    let about = About::read(request.uri(), request.headers(), app.limits.max_wait);
    take(&app, about, trace, request).await
}

/// Takes the frame in `request`, as `about` says; refusals are counted by their reason.
pub(super) async fn take(
    app: &Arc<App>,
    about: Result<About, RequestError>,
    trace: Trace,
    request: Request,
) -> Response {
    let response = match about {
        Ok(about) => try_to_take(app, &about, trace, request).await,
        Err(refusal) => Err(unread(refusal)),
    };
    response.unwrap_or_else(|refused| {
        if let Some(Kind(reason)) = refused.extensions().get::<Kind>() {
            app.metrics.refused(reason.clone());
        }
        *refused
    })
}

async fn try_to_take(
    app: &Arc<App>,
    about: &About,
    Trace(trace): Trace,
    request: Request,
) -> Result<Response, Box<Response>> {
    let camera = about.camera.clone().unwrap_or_else(CameraId::unnamed);
    if let Err(refusal) = app.check_bus().and_then(|()| app.access.count_frame(&camera)) {
        return Err(unread(refusal));
    }
    let brought = request.extensions().get::<Brought>().cloned().unwrap_or_default();
    let upload = match upload::receive(request, &app.room, app.limits.upload_timeout).await {
        Ok(upload) => upload,
        Err(refusal) => return Err(unread(refusal)),
    };
    let accepted = accept(app, about, upload, FrameTrace::of_upload(trace))
        .await
        .map_err(|refusal| Box::new(refusal.into_response()))?;
    let subject = Subject { frame_id: accepted.frame_id, camera: Some(accepted.camera.clone()) };
    brought.tell(subject.clone());
    let mut response = answer(app, &accepted, about).await;
    response.extensions_mut().insert(subject);
    Ok(response)
}

/// The result, when the client waits for it and it comes in time; otherwise where to ask for it.
async fn answer(app: &App, accepted: &Accepted, about: &About) -> Response {
    let About { wait, clip, .. } = *about;
    let Accepted { frame_id, camera, sequence } = accepted;
    let finished = match wait {
        Some(wait) => for_result(&app.store, *frame_id, wait.time, &app.shutdown).await,
        None => None,
    };
    let mut response = match finished {
        Some(finished) if finished.is_error() => RequestError::Result(finished).into_response(),
        Some(finished) => jobs::json(&finished.clipped_if(clip)),
        None => {
            let provisional = app.store.provisional(*frame_id);
            let provisional = provisional.as_ref().map(|result| result.clipped_if(clip));
            jobs::pending(*frame_id, Some((camera, *sequence)), provisional.as_deref())
        }
    };
    if let Some(wait) = wait {
        wait.mark_applied(&mut response);
    }
    response
}

/// A refusal with the body left unread: the connection has to end, and the client is told so.
pub(super) fn unread(refusal: RequestError) -> Box<Response> {
    let mut response = refusal.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Box::new(response)
}
