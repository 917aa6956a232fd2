//! `/policy`: what decides where frames go, and, where that is allowed, changing it.
//!
//! A change is a record of the settings topic, which every preprocessor acts upon; removing it
//! brings back what the preprocessors were started with.

use crate::access::Caller;
use crate::app::App;
use crate::problem::RequestError;
use crate::query::{Query, shortened};
use crate::routes::record::AboutRecord;
use crate::settings_board::Record;
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, Uri, header};
use frame::{Announcement, MAX_SETTING_BYTES, MAX_SETTING_WORDS, POLICY_KEY, SettingRecord};
use frame_bus::Outgoing;
use futures_util::StreamExt;
use offload::{BuiltIn, PolicyConfig};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// Who changed it, if nobody says so.
const NOBODY: &str = "unnamed";

/// What decides, and what may be chosen.
#[derive(Serialize)]
pub(super) struct Policy {
    /// Whether it can be changed here.
    changes: &'static str,
    /// Whether the settings topic is there.
    settings_topic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordOfPolicy>,
    /// What each preprocessor says.
    preprocessors: Vec<Announcement>,
    policies: Vec<BuiltIn>,
}

/// What was set, or why it cannot be read.
#[derive(Default, Serialize)]
pub(super) struct RecordOfPolicy {
    #[serde(flatten)]
    about: AboutRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// The same with all defaults, in the answer to a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    effective: Option<String>,
}

impl RecordOfPolicy {
    fn of(record: Record) -> Self {
        let (about, value) = AboutRecord::of(record);
        Self { about, value, effective: None }
    }
}

pub(super) async fn show(State(app): State<Arc<App>>) -> Json<Policy> {
    Json(Policy {
        changes: if app.access.settings_changes() { "on" } else { "off" },
        settings_topic: app.settings.is_there(),
        record: app.settings.record(POLICY_KEY).map(RecordOfPolicy::of),
        preprocessors: app.settings.live(),
        policies: BuiltIn::all(),
    })
}

pub(super) async fn set(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<RecordOfPolicy>, RequestError> {
    may_change(&app)?;
    let form = Form::of(request.headers())?;
    let query = Query::of(request.uri())?;
    let changed_by = changed_by(&caller, &query)?;
    let note = words(&query, "note")?;
    can_be_written(&app)?;
    let body = body_of(request.into_body(), app.limits.upload_timeout).await?;
    // tens of kilobytes take a millisecond
    let (value, effective) = tokio::task::spawn_blocking(move || form.policy_file(&body))
        .await
        .map_err(|error| RequestError::Internal(error.to_string()))??;
    let record = SettingRecord::new(value, changed_by, note);
    let out = Outgoing {
        topic: app.topics.settings.clone(),
        key: POLICY_KEY.into(),
        headers: Vec::new(),
        payload: record.to_json(),
    };
    let revision = app.bus.send(out).await?.offset;
    let SettingRecord { changed_by, note, .. } = &record;
    tracing::info!(revision, changed_by, note, "the policy was changed");
    let told = RecordOfPolicy::of(Record { revision, record: Ok(record) });
    Ok(Json(RecordOfPolicy { effective: Some(effective), ..told }))
}

pub(super) async fn clear(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Json<serde_json::Value>, RequestError> {
    may_change(&app)?;
    let changed_by = changed_by(&caller, &Query::of(&uri)?)?;
    can_be_written(&app)?;
    let revision = app.bus.delete_key(&app.topics.settings, POLICY_KEY).await?.offset;
    tracing::info!(revision, changed_by, "the policy's record was removed");
    Ok(Json(serde_json::json!({"revision": revision})))
}

/// Whether this request may change settings.
pub(super) fn may_change(app: &App) -> Result<(), RequestError> {
    if app.access.settings_changes() { Ok(()) } else { Err(RequestError::SettingsAreFixed) }
}

/// The token's name, which cannot be made up; without tokens what the client says.
pub(super) fn changed_by(caller: &Caller, query: &Query) -> Result<String, RequestError> {
    let said = words(query, "by")?;
    Ok(caller.name().map(str::to_owned).or(said).unwrap_or_else(|| NOBODY.into()))
}

pub(super) fn can_be_written(app: &App) -> Result<(), RequestError> {
    app.check_bus()?;
    if app.settings.is_there() { Ok(()) } else { Err(RequestError::NoSettingsTopic) }
}

/// What is said of a change: short, and in one line, since it stands in logs.
pub(super) fn words(query: &Query, name: &'static str) -> Result<Option<String>, RequestError> {
    let Some(text) = query.get(name) else { return Ok(None) };
    if text.chars().count() > MAX_SETTING_WORDS || text.chars().any(char::is_control) {
        return Err(RequestError::Parameter {
            name,
            value: shortened(text),
            allowed: format!("one line of at most {MAX_SETTING_WORDS} characters"),
            hint: Default::default(),
        });
    }
    Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned))
}

pub(super) async fn body_of(body: Body, limit: Duration) -> Result<Vec<u8>, RequestError> {
    let read = async {
        let (mut chunks, mut bytes) = (body.into_data_stream(), Vec::new());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| RequestError::Interrupted(error.to_string()))?;
            if bytes.len() + chunk.len() > MAX_SETTING_BYTES {
                return Err(RequestError::SettingTooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    tokio::time::timeout(limit, read).await.map_err(|_| RequestError::UploadTimeout(limit))?
}

/// How a setting is written. A form of a page can send neither, so that no page of somebody else
/// can have a browser send one without asking first.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Toml,
    Json,
}

impl Form {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, RequestError> {
        let given = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
        let given = String::from_utf8_lossy(given.unwrap_or_default()).to_ascii_lowercase();
        match given.split(';').next().unwrap_or_default().trim() {
            "application/toml" => Ok(Self::Toml),
            "application/json" => Ok(Self::Json),
            _ => Err(RequestError::SettingType(shortened(&given))),
        }
    }

    /// The text of the policy file, which has nothing that was not sent, and the same with all
    /// defaults. Every value is in order; but a rule is compiled by those who decide by it, and
    /// refused by them.
    fn policy_file(self, body: &[u8]) -> Result<(String, String), RequestError> {
        let text = std::str::from_utf8(body).map_err(|error| RequestError::Policy {
            problem: error.to_string(),
            line: None,
            key: None,
        })?;
        match self {
            Self::Toml => {
                let config = PolicyConfig::read(text).map_err(|error| refused(&error, text))?;
                config.check_values().map_err(|error| refused(&error, text))?;
                Ok((text.to_owned(), config.to_toml()))
            }
            Self::Json => {
                let config: PolicyConfig =
                    serde_json::from_str(text).map_err(|error| RequestError::Policy {
                        problem: error.to_string(),
                        line: Some(error.line()),
                        key: None,
                    })?;
                config.check_values().map_err(|error| refused(&error, ""))?;
                let sent = in_toml(text).map_err(|problem| RequestError::Policy {
                    problem,
                    line: None,
                    key: None,
                })?;
                Ok((sent, config.to_toml()))
            }
        }
    }
}

/// The members of an object as TOML, but for those that are `null`, which says nothing.
fn in_toml(json: &str) -> Result<String, String> {
    fn without_null(value: &mut serde_json::Value) {
        if let serde_json::Value::Object(members) = value {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(without_null);
        }
    }
    let mut sent = serde_json::from_str(json).map_err(|error| error.to_string())?;
    without_null(&mut sent);
    toml::to_string(&sent).map_err(|error| error.to_string())
}

fn refused(error: &offload::PolicyError, text: &str) -> RequestError {
    let place = error.place(text);
    RequestError::Policy { problem: error.to_string(), line: place.line, key: place.key }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::routes::router;
    use crate::settings_board::samples::announcement;
    use crate::testing::{app, call};
    use axum::body::to_bytes;
    use frame::{
        Agreement, AnnouncedAgreement, AnnouncedLearning, CameraAgreement, CameraId, Expiring,
        MeanWithin,
    };
    use serde_json::{Value, json};

    /// What is shown when there is something to show of everything.
    pub(in crate::routes) async fn full() -> Value {
        let app = app(&[]);
        let note = Some("an experiment".to_owned());
        let record = SettingRecord::new("policy = 'ratio'".into(), "somebody".into(), note);
        app.settings.take_in(POLICY_KEY.into(), &record.to_json(), 7);
        let known = MeanWithin { mean: 0.9, low: 0.8, high: 0.95 };
        let all = Agreement { easy: Some(known), all: Some(known), hard_share: 0.2, audits: 40.0 };
        let gate = CameraAgreement { camera: CameraId::unnamed(), agreement: all, resets: 1 };
        let learned = Some(AnnouncedLearning { lessons: 700, cameras: 3, found_again: 1 });
        let said = Announcement {
            agreement: Some(AnnouncedAgreement { all, cameras: vec![gate], learned }),
            ..announcement("pod", Duration::from_secs(60))
        };
        app.settings.take_in(Announcement::key_of("pod"), &said.to_json(), 8);
        json!(show(State(app)).await.0)
    }

    async fn put(app: &Arc<App>, headers: &[(&str, &str)], uri: &str, body: &str) -> (u16, Value) {
        let mut request = Request::put(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = call(&router(app.clone()), request).await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 100_000).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_change_that_is_not_allowed_or_not_in_order_is_refused_with_the_reason() {
        let toml = [("content-type", "application/toml")];
        let (status, problem) = put(&app(&[]), &toml, "/policy", "policy = 'ratio'").await;
        assert_eq!((status, &problem["type"]), (403, &json!("/problems/settings-are-fixed")));
        assert!(problem["detail"].as_str().unwrap().contains("MLVI_SETTINGS_CHANGES"));

        let app = app(&[("MLVI_SETTINGS_CHANGES", "on")]);
        for (headers, uri, kind, status) in [
            (&[("content-type", "text/plain")][..], "/policy", "setting-type", 415),
            (&[], "/policy", "setting-type", 415),
            (
                &[
                    ("content-type", "application/toml"),
                    ("host", "localhost:5000"),
                    ("origin", "http://evil.example"),
                ],
                "/policy",
                "foreign-page",
                403,
            ),
            (&toml, "/policy?note=a%0Ab", "invalid-parameter", 400),
            // there is no broker
            (&toml, "/policy", "broker-away", 503),
        ] {
            let (code, problem) = put(&app, headers, uri, "policy = 'ratio'").await;
            let expected = (status, json!(format!("/problems/{kind}")));
            assert_eq!((code, problem["type"].clone()), expected, "{headers:?} {uri}");
        }
    }

    #[test]
    fn a_policy_is_read_by_the_preprocessors_own_code() {
        let toml = |text: &str| Form::Toml.policy_file(text.as_bytes());
        let json = |text: &str| Form::Json.policy_file(text.as_bytes());
        let (stored, effective) = toml("policy = 'ratio' # mine").unwrap();
        assert_eq!(stored, "policy = 'ratio' # mine");
        assert!(effective.contains("cloud_share") && effective.contains("[hysteresis]"));
        for (outcome, line, key, words) in [
            (
                toml("policy = 'ratio'\n[ratio]\ncloud_share = 2"),
                Some(3),
                Some("ratio.cloud_share"),
                "from 0 to 1",
            ),
            (toml("policy = 'coin'"), Some(1), Some("policy"), "no policy 'coin'"),
            (json("{\n\"policy\": 1}"), Some(2), None, "expected a string"),
            (
                json(r#"{"policy":"ratio","ratio":{"cloud_share":2}}"#),
                None,
                Some("ratio.cloud_share"),
                "from 0 to 1",
            ),
        ] {
            let Err(RequestError::Policy { problem, line: at, key: of }) = outcome else {
                panic!("{outcome:?}")
            };
            assert_eq!((at, of.as_deref()), (line, key), "{problem}");
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn what_is_stored_of_json_is_what_was_sent() {
        for (sent, stored) in [
            (
                r#"{"ratio":{"cloud_share":0.25},"policy":"ratio"}"#,
                "policy = \"ratio\"\n\n[ratio]\ncloud_share = 0.25\n",
            ),
            (
                r#"{"deadline":{"degrade":["expire"],"target_ms":1000},"policy":"deadline"}"#,
                concat!(
                    "policy = \"deadline\"

[deadline]
",
                    "degrade = [\"expire\"]
target_ms = 1000
"
                ),
            ),
        ] {
            let (text, effective) = Form::Json.policy_file(sent.as_bytes()).unwrap();
            assert_eq!(text, stored);
            let meant: PolicyConfig = serde_json::from_str(sent).unwrap();
            assert_eq!(PolicyConfig::from_toml(&text).unwrap(), meant);
            assert_eq!(PolicyConfig::from_toml(&effective).unwrap(), meant);
        }
        assert_eq!(in_toml(r#"{"a":{"b":null},"c":null}"#).unwrap(), "[a]\n");
    }

    #[tokio::test]
    async fn a_body_has_a_limit() {
        let long = Body::from(vec![b'#'; MAX_SETTING_BYTES + 1]);
        let outcome = body_of(long, Duration::from_secs(5)).await;
        assert!(matches!(outcome, Err(RequestError::SettingTooLarge)), "{outcome:?}");
    }
}
