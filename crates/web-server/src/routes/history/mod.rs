//! `GET /history` and what is made of it: results of the past, counts, events.

mod csv;
#[cfg(test)]
mod tests;
pub(super) mod thumbnails;

use crate::app::App;
use crate::history::{Asking, Counting, Form, Looking, Paging, place};
use crate::negotiate::weight;
use crate::problem::RequestError;
use crate::query::Query;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use events::{Event, Events, Sighting};
use frame::FrameId;
use results_db::Page;
use serde::Serialize;
use std::sync::Arc;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";
/// How many sightings are asked for at a time.
const SIGHTINGS: u32 = 2_000;
/// A page of events is made of at most so many sightings, beside those of events that were given.
const MAX_SIGHTINGS: u32 = 50_000;

#[derive(Serialize)]
struct Counts {
    counts: Vec<results_db::Count>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    event: Event,
    /// Its frames that have a picture, of the surest and the first one.
    thumbnails: Vec<FrameId>,
}

#[derive(Serialize)]
struct Seen {
    events: Vec<Shown>,
    /// Where it was stopped looking, in milliseconds since the epoch: one that begins at this time
    /// may have begun before it; null when there are no older ones.
    looked_back_to_ms: Option<u64>,
    /// The cursor of the next page.
    next: Option<String>,
}

pub(super) async fn results(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let query = Query::of(&uri)?;
    let (paging, asked) = (Paging::of(&query)?, Form::of(&query)?);
    let Asking { database, .. } = &app.history.ask().await?;
    let rows = database.history(paging.filter.clone(), paging.page).await?;
    let is_full = rows.len() == paging.page.limit as usize;
    let next = rows.last().filter(|_| is_full).map(|(last, _)| paging.behind(*last));
    let rows = rows.into_iter().map(|(_, json)| json);
    let form = asked.unwrap_or_else(|| accepted(&headers));
    let mut response = match form {
        Form::Ndjson => answer(NDJSON, rows.map(|json| json + "\n").collect()),
        Form::Csv => answer(CSV, csv::lines(rows)?),
        // results stand in the database as they are shown; a cursor needs no escapes
        Form::Json => {
            let results = rows.collect::<Vec<_>>().join(",");
            let next = next.as_ref().map_or("null".into(), |next| format!("\"{next}\""));
            answer(JSON, format!("{{\"results\":[{results}],\"next\":{next}}}"))
        }
    };
    let file = match asked {
        Some(Form::Csv) => Some("attachment; filename=\"history.csv\""),
        Some(Form::Ndjson) => Some("attachment; filename=\"history.ndjson\""),
        Some(Form::Json) | None => None,
    };
    if let Some(file) = file {
        let file = HeaderValue::from_static(file);
        response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert("mlvi-next", next);
    }
    Ok(response)
}

/// The form that a client would rather have.
fn accepted(headers: &HeaderMap) -> Form {
    let weighed = |name| weight(headers, header::ACCEPT, name).filter(|weight| *weight > 0.0);
    // of equals the last one
    [(NDJSON, Form::Ndjson), (CSV, Form::Csv), (JSON, Form::Json)]
        .into_iter()
        .filter_map(|(name, form)| Some((weighed(name)?, form)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(Form::Json, |(_, form)| form)
}

pub(super) async fn counts(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Response, RequestError> {
    let Counting { filter, by, limit } = Counting::of(&Query::of(&uri)?)?;
    let Asking { database, .. } = &app.history.ask().await?;
    json(&Counts { counts: database.counts(filter, by, limit).await? })
}

pub(super) async fn events(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Response, RequestError> {
    let looking = Looking::of(&Query::of(&uri)?)?;
    let Looking { filter, gap, limit, given, .. } = &looking;
    let limit = *limit as usize;
    let is_given = |event: &Event| given.is_some_and(|given| given.has(event));
    let Asking { database, .. } = &app.history.ask().await?;
    let mut making = Events::apart(u64::try_from(gap.as_millis()).unwrap_or(u64::MAX));
    let mut made: Vec<Event> = Vec::new();
    let (mut page, mut seen) = (Page { limit: SIGHTINGS, after: None }, 0);
    let looked_back_to_ms = loop {
        let mut sightings = database.sightings(filter.clone(), page).await?;
        let is_last = sightings.len() < SIGHTINGS as usize;
        // a page may end within a frame
        let last = sightings.last().map(|seen| seen.frame_id);
        if !is_last && sightings.first().map(|seen| seen.frame_id) != last {
            sightings.retain(|seen| Some(seen.frame_id) != last);
        }
        page.after = sightings.last().map(|seen| seen.frame_id);
        let sightings = sightings.into_iter().map(sighting);
        for one in sightings {
            seen += u32::from(given.is_none_or(|given| one.at_ms <= given.end_ms));
            made.extend(making.take(one).filter(|event| !is_given(event)));
        }
        if is_last {
            break None;
        }
        if seen >= MAX_SIGHTINGS {
            break page.after.and_then(|id| id.made_at_ms());
        }
        made.sort_by_key(place);
        // none that is still open comes before one that is given
        if let Some(last) = made.get(limit.saturating_sub(1)).map(place)
            && !making.open().any(|open| !is_given(open) && place(open) < last)
        {
            break page.after.and_then(|id| id.made_at_ms());
        }
    };
    made.extend(making.end().into_iter().filter(|event| !is_given(event)));
    if let Some(stopped_ms) = looked_back_to_ms {
        // what has ended there may have been seen in another frame of that millisecond
        made.retain(|event| event.end_ms > stopped_ms);
    }
    made.sort_by_key(place);
    let left_out = made.get(limit).map(|event| event.end_ms + 1);
    let next = match made.get(limit.saturating_sub(1)).filter(|_| left_out.is_some()) {
        Some(last) => Some(looking.behind(last)),
        None => looked_back_to_ms.map(|ms| looking.before(ms)),
    };
    made.truncate(limit);
    let wanted = made.iter().flat_map(|event| [event.best_frame, event.first_frame]).collect();
    let pictured = database.pictured(wanted).await?;
    let shown = |event: Event| {
        let mut thumbnails = vec![event.best_frame, event.first_frame];
        thumbnails.dedup();
        thumbnails.retain(|id| pictured.contains(id));
        Shown { event, thumbnails }
    };
    let events = made.into_iter().map(shown).collect();
    let next = next.map(|next| next.to_string());
    json(&Seen { events, looked_back_to_ms: left_out.or(looked_back_to_ms), next })
}

fn sighting(seen: results_db::Sighting) -> Sighting {
    Sighting {
        frame_id: seen.frame_id,
        at_ms: seen.frame_id.made_at_ms().unwrap_or_default(),
        camera: seen.camera,
        class: seen.class,
        detections: seen.detections,
        confidence: seen.confidence,
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<Response, RequestError> {
    serde_json::to_string(value)
        .map(|text| answer(JSON, text))
        .map_err(|error| RequestError::Internal(error.to_string()))
}

fn answer(form: &'static str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(form)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, text).into_response()
}
