//! `GET /results`: results as they come.

use crate::access::{Caller, Right};
use crate::app::App;
use crate::problem::RequestError;
use crate::query::Query;
use crate::sse::Reader;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use frame::FrameId;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;

/// Below the 30 to 60 s after which proxies drop a silent connection, and often enough that a client
/// that has missed three of them need not wait long to know that we are gone.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Which header tells clients how often that is, in seconds.
const KEEP_ALIVE_HEADER: HeaderName = HeaderName::from_static("mlvi-keep-alive");

pub(super) async fn stream(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let query = Query::of(&uri)?;
    let (camera, clip) = (query.camera()?, query.flag("clip", false)?);
    // before that, old results would look like new ones
    app.check_caught_up()?;
    let lapse = app.access.lapse(caller, Right::Read, None);
    let permit = app.streams.clone().try_acquire_owned();
    let permit = permit.map_err(|_| RequestError::TooManyStreams(app.limits.max_streams))?;
    let last_seen = headers
        .get("last-event-id")
        .map(|value| value.to_str().ok().and_then(|text| text.parse::<FrameId>().ok()));
    let reader = match last_seen {
        None => {
            let head = *app.store.head().borrow();
            Reader::new(app, camera, head, permit)
        }
        Some(id) => match id.and_then(|id| app.store.position_after(id)) {
            Some(position) => Reader::new(app, camera, position, permit),
            // it is no longer held, or was read at the start out of order: everything held is
            // given, known ones have known ids
            None => {
                let oldest = app.store.oldest();
                Reader::new(app, camera, oldest, permit).with_gap()
            }
        },
    };
    let reader = reader.clipping(clip);
    let events = Sse::new(reader.into_stream().take_until(lapse))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let declared = [(KEEP_ALIVE_HEADER, HeaderValue::from(KEEP_ALIVE.as_secs()))];
    Ok((declared, events).into_response())
}
