//! `/cameras/{camera}/regions`: which parts of a camera's picture nobody may see, and which have a
//! name; and, where that is allowed, changing them.
//!
//! A change is a record of the settings topic, which every web-server and preprocessor acts upon;
//! removing it brings back what the regions file says. Its revision is the entity tag, so that two
//! people who draw at once do not undo each other's work (`If-Match`). The topic itself compares
//! nothing: of two changes at two replicas within the same moment the later one stays.

use super::policy::{Form, body_of, can_be_written, changed_by, may_change, words};
use crate::access::Caller;
use crate::app::App;
use crate::problem::RequestError;
use crate::query::{Query, parse_camera};
use crate::routes::parameter;
use crate::routes::record::AboutRecord;
use crate::settings_board::{Record, SettingsBoard};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use frame::{CameraId, SettingRecord, Zone, regions_key};
use frame_bus::Outgoing;
use regions::{Mask, Origin, Regions, RegionsError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A table of the settings topic has room for twice as many keys.
const MAX_RECORDS: usize = 2048;
/// How long the answer waits until this replica acts on the change itself.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// What holds for a camera, and who set it.
#[derive(Serialize)]
pub(super) struct CameraRegions {
    camera: CameraId,
    /// Whether they can be changed here.
    changes: &'static str,
    /// From a record of the topic, from the file, or from nowhere.
    source: &'static str,
    masks: Vec<Mask>,
    zones: Vec<Zone>,
    #[serde(flatten)]
    about: AboutRecord,
}

/// What is set of all cameras.
#[derive(Serialize)]
pub(super) struct AllRegions {
    /// Whether they can be changed here.
    changes: &'static str,
    /// By name; those for which nothing is set are left out.
    cameras: Vec<CameraSummary>,
}

/// How much is set for a camera, and by whom.
#[derive(Serialize)]
struct CameraSummary {
    camera: CameraId,
    source: &'static str,
    /// How many there are.
    masks: usize,
    zones: usize,
    #[serde(flatten)]
    about: AboutRecord,
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<AllRegions>, RequestError> {
    app.masks_are_known().await?;
    let mut cameras: BTreeMap<CameraId, (Arc<Regions>, Origin)> = BTreeMap::new();
    // a record that cannot be used sets nothing, and is told all the same
    for camera in app.settings.cameras_with_regions() {
        cameras.insert(camera, (Arc::default(), Origin::Nothing));
    }
    let listed = app.regions.listed();
    cameras.extend(listed.into_iter().map(|(camera, of, origin)| (camera, (of, origin))));
    let summary = |(camera, (regions, origin)): (CameraId, (Arc<Regions>, Origin))| {
        let about = about(app.settings.record(&regions_key(&camera)));
        let (masks, zones) = (regions.masks.len(), regions.zones.len());
        CameraSummary { camera, source: origin.as_str(), masks, zones, about }
    };
    let cameras = cameras.into_iter().map(summary).collect();
    Ok(Json(AllRegions { changes: changes(&app), cameras }))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, RequestError> {
    let camera = parse_camera(&parameter("camera", path)?)?;
    app.masks_are_known().await?;
    Ok(shown(&app, camera))
}

pub(super) async fn set(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, RequestError> {
    may_change(&app)?;
    let camera = parse_camera(&parameter("camera", path)?)?;
    let form = Form::of(request.headers())?;
    let query = Query::of(request.uri())?;
    let (changed_by, note) = (changed_by(&caller, &query)?, words(&query, "note")?);
    can_be_written(&app)?;
    app.masks_are_known().await?;
    let key = regions_key(&camera);
    check_revision(&app, &key, request.headers())?;
    if app.settings.record(&key).is_none() && app.settings.count() >= MAX_RECORDS {
        return Err(RequestError::TooManyRecords(MAX_RECORDS));
    }
    let headers = request.headers().clone();
    let body = body_of(request.into_body(), app.limits.upload_timeout).await?;
    // tens of kilobytes take a millisecond
    let read = tokio::task::spawn_blocking(move || read(form, &body)).await;
    let regions = read.map_err(|error| RequestError::Internal(error.to_string()))??;
    // the body may have taken a while
    check_revision(&app, &key, &headers)?;
    let record = SettingRecord::new(regions.to_json(), changed_by, note);
    let (topic, payload) = (app.topics.settings.clone(), record.to_json());
    let out = Outgoing { topic, key: key.clone(), headers: Vec::new(), payload };
    let revision = app.bus.send(out).await?.offset;
    let SettingRecord { changed_by, note, .. } = &record;
    let (masks, zones) = (regions.masks.len(), regions.zones.len());
    tracing::info!(
        %camera, revision, changed_by, note, masks, zones, "a camera's masks and zones were changed"
    );
    acted_on(&app, |board| board.record(&key).is_some_and(|it| it.revision >= revision)).await;
    Ok(shown(&app, camera))
}

pub(super) async fn clear(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    may_change(&app)?;
    let camera = parse_camera(&parameter("camera", path)?)?;
    let changed_by = changed_by(&caller, &Query::of(&uri)?)?;
    can_be_written(&app)?;
    app.masks_are_known().await?;
    let key = regions_key(&camera);
    check_revision(&app, &key, &headers)?;
    let revision = app.bus.delete_key(&app.topics.settings, &key).await?.offset;
    tracing::info!(
        %camera, revision, changed_by, "the record of a camera's masks and zones was removed"
    );
    acted_on(&app, |board| board.record(&key).is_none_or(|it| it.revision > revision)).await;
    Ok(shown(&app, camera))
}

fn shown(app: &App, camera: CameraId) -> Response {
    let record = app.settings.record(&regions_key(&camera));
    let tag = tag_of(record.as_ref());
    let (regions, origin) = app.regions.with_origin(&camera);
    let Regions { masks, zones } = regions.as_deref().cloned().unwrap_or_default();
    let (changes, source, about) = (changes(app), origin.as_str(), about(record));
    let answer = CameraRegions { camera, changes, source, masks, zones, about };
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn changes(app: &App) -> &'static str {
    if app.access.settings_changes() { "on" } else { "off" }
}

/// Who set it; and, if it cannot be used, why.
fn about(record: Option<Record>) -> AboutRecord {
    let (mut about, value) = record.map(AboutRecord::of).unwrap_or_default();
    if let Some(Err(error)) = value.as_deref().map(Regions::from_json) {
        about.problem = Some(error.to_string());
    }
    about
}

/// The revision, as an entity tag; `"none"` without a record.
fn tag_of(record: Option<&Record>) -> String {
    record.map_or_else(|| "\"none\"".into(), |record| format!("\"{}\"", record.revision))
}

/// Whether the record is the one that the client has seen (RFC 9110, section 13.1.1).
fn check_revision(app: &App, key: &str, headers: &HeaderMap) -> Result<(), RequestError> {
    let mut wanted = headers.get_all(header::IF_MATCH).iter().peekable();
    if wanted.peek().is_none() {
        return Ok(());
    }
    let now = tag_of(app.settings.record(key).as_ref());
    let lists = wanted.filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    let is_the_same = tags.any(|tag| tag == now || (tag == "*" && now != "\"none\""));
    if is_the_same { Ok(()) } else { Err(RequestError::ChangedMeanwhile(now)) }
}

/// Waits until this replica has read what was sent; others follow within moments.
async fn acted_on(app: &App, is_read: impl Fn(&SettingsBoard) -> bool) {
    let mut changes = app.regions.changes();
    let read = async {
        while !is_read(&app.settings) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    };
    // without it, it is acted on a little later
    let _ = tokio::time::timeout(SEEN_WITHIN, read).await;
}

fn read(form: Form, body: &[u8]) -> Result<Regions, RequestError> {
    let text = std::str::from_utf8(body).map_err(|_| refused(&RegionsError::NoText))?;
    let read = match form {
        Form::Toml => Regions::from_toml(text),
        Form::Json => Regions::from_json(text),
    };
    read.map_err(|error| refused(&error))
}

fn refused(error: &RegionsError) -> RequestError {
    RequestError::Regions { problem: error.to_string(), line: error.line() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::routes::router;
    use crate::testing::{app, call};
    use axum::body::{Body, to_bytes};
    use regions::{RecordEnd, Records};
    use serde_json::{Value, json};

    const GATE: &str = "/cameras/gate/regions";
    const MASK: &str = r#"{"masks":[{"name":"window","points":[[0,0],[1,0],[1,1]]}],
        "zones":[{"name":"<b>","points":[[0,0],[1,0],[1,1]]}]}"#;

    async fn ask(
        app: &Arc<App>,
        method: &str,
        headers: &[(&str, &str)],
        uri: &str,
        body: &str,
    ) -> (u16, HeaderMap, Value) {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = call(&router(app.clone()), request).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 100_000).await.unwrap();
        (parts.status.as_u16(), parts.headers, serde_json::from_slice(&body).unwrap())
    }

    async fn put_on_the_board(app: &App, value: &[u8], revision: i64) -> Option<RecordEnd> {
        let key = regions_key(&"gate".parse().unwrap());
        let mut records = Records::new(app.regions.clone());
        app.settings.take_in(key.clone(), value, revision);
        records.set(&key, value, revision);
        records.caught_up().await.pop()
    }

    /// What is shown when there is something to show of everything.
    /// All cameras, of which one has everything.
    pub(in crate::routes) async fn full_list() -> Value {
        let app = app(&[]);
        let record = SettingRecord::new(MASK.into(), "somebody".into(), Some("privacy".into()));
        put_on_the_board(&app, &record.to_json(), 7).await;
        ask(&app, "GET", &[], "/regions", "").await.2
    }

    pub(in crate::routes) async fn full() -> Value {
        let app = app(&[]);
        let note = Some("privacy".to_owned());
        let record = SettingRecord::new(MASK.into(), "somebody".into(), note);
        put_on_the_board(&app, &record.to_json(), 7).await;
        ask(&app, "GET", &[], GATE, "").await.2
    }

    #[tokio::test]
    async fn what_holds_is_shown_with_where_it_comes_from() {
        let app = app(&[]);
        let (status, headers, shown) = ask(&app, "GET", &[], GATE, "").await;
        assert_eq!((status, headers["etag"].to_str().unwrap()), (200, "\"none\""));
        let nothing = json!({"camera": "gate", "changes": "off", "source": "none", "masks": [],
            "zones": []});
        assert_eq!(shown, nothing);
        let record = SettingRecord::new(MASK.into(), "somebody".into(), None);
        assert_eq!(put_on_the_board(&app, &record.to_json(), 7).await, Some(RecordEnd::Used));
        let (_, headers, shown) = ask(&app, "GET", &[], GATE, "").await;
        assert_eq!(headers["etag"], "\"7\"");
        let read = |name: &str| shown[name].clone();
        assert_eq!((read("source"), read("revision")), (json!("topic"), json!(7)));
        assert_eq!(read("zones")[0]["name"], "<b>");
        let all = ask(&app, "GET", &[], "/regions", "").await.2;
        let (masks, zones, revision) = (1, 1, 7);
        let gate = json!({"camera": "gate", "source": "topic", "masks": masks, "zones": zones,
            "revision": revision, "changed_by": "somebody",
            "changed_at": all["cameras"][0]["changed_at"]});
        assert_eq!(all, json!({"changes": "off", "cameras": [gate]}));
        // a broken one is named, and changes nothing
        assert_eq!(put_on_the_board(&app, b"{}", 8).await, Some(RecordEnd::Refused));
        let (_, _, shown) = ask(&app, "GET", &[], GATE, "").await;
        assert!(shown["problem"].as_str().unwrap().contains("version"), "{shown}");
        assert_eq!(shown["masks"][0]["name"], "window");
    }

    #[tokio::test]
    async fn a_change_that_is_not_allowed_or_not_in_order_is_refused_with_the_reason() {
        let json = ("content-type", "application/json");
        let (status, _, problem) = ask(&app(&[]), "PUT", &[json], GATE, MASK).await;
        let fixed = json!("/problems/settings-are-fixed");
        assert_eq!((status, &problem["type"]), (403, &fixed));
        let app = app(&[("MLVI_SETTINGS_CHANGES", "on")]);
        for (headers, uri, kind, status) in [
            (&[("content-type", "text/plain")][..], GATE, "setting-type", 415),
            (&[json], "/cameras/a%20b/regions", "invalid-parameter", 400),
            (&[json, ("origin", "http://evil.example")], GATE, "foreign-page", 403),
            // there is no broker
            (&[json], GATE, "broker-away", 503),
        ] {
            let (code, _, problem) = ask(&app, "PUT", headers, uri, MASK).await;
            let expected = (status, json!(format!("/problems/{kind}")));
            assert_eq!((code, problem["type"].clone()), expected, "{headers:?} {uri}");
        }
    }

    #[tokio::test]
    async fn a_revision_that_is_not_the_last_one_is_refused() {
        let app = app(&[]);
        let record = SettingRecord::new(MASK.into(), "somebody".into(), None);
        put_on_the_board(&app, &record.to_json(), 7).await;
        let of = |camera: &str, tag: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(tag) = tag {
                headers.insert(header::IF_MATCH, HeaderValue::from_static(tag));
            }
            let key = regions_key(&camera.parse().unwrap());
            check_revision(&app, &key, &headers).map_err(|error| error.problem().status)
        };
        for (camera, tag, expected) in [
            ("gate", None, Ok(())),
            ("gate", Some("\"7\""), Ok(())),
            ("gate", Some("\"6\", \"7\""), Ok(())),
            ("gate", Some("*"), Ok(())),
            ("gate", Some("\"6\""), Err(412)),
            ("gate", Some("\"none\""), Err(412)),
            ("yard", Some("\"none\""), Ok(())),
            ("yard", Some("*"), Err(412)),
        ] {
            assert_eq!(of(camera, tag), expected, "{camera} {tag:?}");
        }
    }

    #[test]
    fn what_is_broken_is_named_with_its_line() {
        for (form, body, line) in [
            (Form::Json, &b"{\n\"masks\": 1}"[..], Some(2)),
            (Form::Toml, b"[[masks]]\npoints = [[0, 0]]", Some(2)),
            (Form::Toml, b"\xff", None),
        ] {
            let Err(RequestError::Regions { line: at, .. }) = read(form, body) else {
                panic!("it is refused")
            };
            assert_eq!(at, line);
        }
        assert_eq!(read(Form::Json, MASK.as_bytes()).unwrap().masks.len(), 1);
    }
}
