//! `GET /history` and what is made of it: results of the past, counts, events.

mod csv;
#[cfg(test)]
mod tests;

use crate::app::App;
use crate::history::{Asking, Counting, Looking, Paging};
use crate::negotiate::weight;
use crate::problem::RequestError;
use crate::query::Query;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use events::{Event, Events, Sighting};
use results_db::Page;
use serde::Serialize;
use std::sync::Arc;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";
/// How many sightings are asked for at a time.
const SIGHTINGS: u32 = 2_000;
/// Events are made of at most so many sightings: what is older is asked for with `to`.
const MAX_SIGHTINGS: u32 = 50_000;

#[derive(Serialize)]
struct Counts {
    counts: Vec<results_db::Count>,
}

#[derive(Serialize)]
struct Seen {
    events: Vec<Event>,
    /// Where it was stopped looking, in milliseconds since the epoch: older events are asked for
    /// with `to`, and one that reaches this time may have begun before it; null when there are
    /// none.
    looked_back_to_ms: Option<u64>,
}

pub(super) async fn results(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let paging = Paging::of(&Query::of(&uri)?)?;
    let Asking { database, .. } = &app.history.ask().await?;
    let rows = database.history(paging.filter.clone(), paging.page).await?;
    let is_full = rows.len() == paging.page.limit as usize;
    let next = rows.last().filter(|_| is_full).map(|(last, _)| paging.behind(*last));
    let rows = rows.into_iter().map(|(_, json)| json);
    // of equals the last one
    let form = [NDJSON, CSV, JSON]
        .into_iter()
        .filter(|form| weight(&headers, header::ACCEPT, form).is_some_and(|weight| weight > 0.0));
    let mut response = match form.max_by(|a, b| by_weight(&headers, a, b)) {
        Some(NDJSON) => answer(NDJSON, rows.map(|json| json + "\n").collect()),
        Some(CSV) => answer(CSV, csv::lines(rows)?),
        // results stand in the database as they are shown; a cursor needs no escapes
        _ => {
            let results = rows.collect::<Vec<_>>().join(",");
            let next = next.as_ref().map_or("null".into(), |next| format!("\"{next}\""));
            answer(JSON, format!("{{\"results\":[{results}],\"next\":{next}}}"))
        }
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert("mlvi-next", next);
    }
    Ok(response)
}

fn by_weight(headers: &HeaderMap, a: &str, b: &str) -> std::cmp::Ordering {
    let of = |form| weight(headers, header::ACCEPT, form).unwrap_or_default();
    of(a).total_cmp(&of(b))
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
    let Looking { filter, gap, limit } = Looking::of(&Query::of(&uri)?)?;
    let Asking { database, .. } = &app.history.ask().await?;
    let mut making = Events::apart(u64::try_from(gap.as_millis()).unwrap_or(u64::MAX));
    let mut made = Vec::new();
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
        seen += sightings.len() as u32;
        made.extend(sightings.into_iter().filter_map(|seen| making.take(sighting(seen))));
        if is_last {
            break None;
        }
        if seen >= MAX_SIGHTINGS || made.len() >= limit as usize {
            break page.after.and_then(|id| id.made_at_ms());
        }
    };
    made.extend(making.end());
    made.sort_by_key(|event: &Event| std::cmp::Reverse(event.end_ms));
    // what is left out is asked for with that time
    let left_out = made.get(limit as usize).map(|event| event.end_ms + 1);
    made.truncate(limit as usize);
    json(&Seen { events: made, looked_back_to_ms: left_out.or(looked_back_to_ms) })
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

fn json(value: &impl Serialize) -> Result<Response, RequestError> {
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
