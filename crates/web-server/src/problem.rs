//! Why a request is refused, and how each reason is shown to the client (RFC 9457).

use crate::access::Right;
use crate::jobs::Finished;
use crate::moment::Hint;
use crate::pending::Full;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use frame::{CameraId, FrameId, Problem};
use frame_bus::{BusError, SendError};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The media type of every refusal.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// A second is about what a full queue needs to move, and what a poll costs nothing at.
const SOON_S: u32 = 1;
/// A broker that is away comes back in seconds at best.
const LATER_S: u32 = 3;

/// Why a request is refused.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the body is empty: send an image")]
    EmptyBody,
    #[error("the multipart body has no field named 'image'")]
    MissingImage,
    #[error("the multipart body cannot be read: {0}")]
    MalformedMultipart(String),
    #[error("the upload broke off: {0}")]
    Interrupted(String),
    #[error("'{name}' is '{value}', but must be \
        {allowed}{}", .hint.0.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Parameter { name: &'static str, value: String, allowed: String, hint: Hint },
    #[error("there is no parameter '{name}' here, but {}", list(.known))]
    UnknownParameter { name: String, known: &'static [&'static str] },
    #[error("your right '{0}' is over: the token was taken back or changed, or its time is over")]
    RightOver(Right),
    #[error(
        "the header {header} is '{value}', but a frame's bytes are taken only as they are: leave \
         the header out"
    )]
    Encoded { header: &'static str, value: String },
    #[error("the header Transfer-Encoding is '{0}', but only 'chunked' alone is understood")]
    TransferCoding(String),
    #[error("the upload took longer than {} \
        (MLVI_UPLOAD_TIMEOUT)", humantime::format_duration(*.0))]
    UploadTimeout(Duration),
    #[error("the upload stood still, or almost, for {}", humantime::format_duration(*.0))]
    UploadStalled(Duration),
    #[error("the frame is larger than {} bytes", frame::MAX_FRAME_BYTES)]
    TooLarge,
    #[error(transparent)]
    Image(#[from] vision::VisionError),
    #[error("{0}")]
    NoRoom(#[from] Full),
    #[error("the queue towards the broker is full")]
    BusFull,
    #[error("the broker is away: {0}")]
    BrokerAway(String),
    #[error("the server is still starting: {0}")]
    Starting(&'static str),
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("{0} streams are open already (MLVI_MAX_STREAMS)")]
    TooManyStreams(usize),
    #[error("{0} streams of frames come in already (MLVI_MAX_CAMERA_STREAMS)")]
    TooManyCameraStreams(usize),
    #[error("there is no JPEG in {0} bytes")]
    NoFrames(u64),
    #[error("only WebSockets of version 13 are spoken here: {0}")]
    NoWebSocket(&'static str),
    #[error("the frames that clients are fetching fill {} MiB already", .0 / (1024 * 1024))]
    TooManyFetches(usize),
    #[error("{0} clients wait for pictures of jobs already")]
    TooManyPictures(usize),
    #[error("{0} clients look at cameras' pictures already (MLVI_MAX_VIEWERS)")]
    TooManyViewers(usize),
    #[error("the picture was not made within {}", humantime::format_duration(*.0))]
    PictureLate(Duration),
    #[error("no result of the camera '{0}' is kept that could be shown; send a frame first")]
    NoPicture(CameraId),
    #[error("there is no job '{0}'")]
    UnknownJob(String),
    #[error("the job {0} is over for longer than results are kept")]
    JobGone(FrameId),
    #[error(
        "this replica does not know yet where the frame of job {0} is kept; ask again when the job \
         is done"
    )]
    FrameUnknown(FrameId),
    #[error("the frame of job {0} is no longer kept")]
    FrameGone(FrameId),
    #[error("there is nothing here; GET / lists what there is")]
    UnknownRoute,
    #[error(
        "this resource does not answer to this method; the header 'allow' lists those that it does"
    )]
    WrongMethod,
    #[error("this needs a token with the right '{0}': Authorization: Bearer TOKEN, or POST /login")]
    NoToken(Right),
    #[error("there is no such token, or its time is over")]
    UnknownToken,
    #[error("settings cannot be changed here; MLVI_SETTINGS_CHANGES=on allows it")]
    SettingsAreFixed,
    #[error(
        "the content type is '{0}', but a setting is taken as application/toml or application/json"
    )]
    SettingType(String),
    #[error("the setting is larger than {} bytes", frame::MAX_SETTING_BYTES)]
    SettingTooLarge,
    #[error("{problem}")]
    Policy { problem: String, line: Option<usize>, key: Option<String> },
    #[error("{problem}")]
    Regions { problem: String, line: Option<usize> },
    #[error("it was changed meanwhile: its entity tag is {0} now")]
    ChangedMeanwhile(String),
    #[error("{0} settings are set already; remove one first")]
    TooManyRecords(usize),
    #[error("the settings topic is not there, or this user may not use it; the log says more")]
    NoSettingsTopic,
    #[error("this needs the right '{0}', which you do not have")]
    Forbidden(Right),
    #[error("you may not send frames of the camera '{0}': that needs the right 'send' for it")]
    OtherCamera(CameraId),
    #[error("a page of {0} may not do that (MLVI_ALLOWED_ORIGINS)")]
    ForeignPage(String),
    #[error("'{0}' is not a name of this server (MLVI_ALLOWED_HOSTS)")]
    ForeignHost(String),
    #[error("a request of HTTP/1.1 has the header Host, once")]
    NoHost,
    #[error("nobody has to log in here: there are no tokens (MLVI_TOKENS_FILE)")]
    NoLogin,
    #[error("the body has to be {{\"token\": \"…\"}}")]
    MalformedLogin,
    #[error("{of} may do that {per_s} times per second")]
    TooOften { of: String, per_s: f64, wait: Duration },
    #[error(
        "no results are kept here: `mlvi up --history` keeps them, or results-store, in the \
         database that MLVI_DATABASE_URL names; GET /jobs has the last minutes"
    )]
    NoHistory,
    #[error("{0}")]
    Contradiction(&'static str),
    #[error("the history cannot be read now: {0}")]
    HistoryAway(String),
    #[error(
        "the database took longer than {} s: ask for a shorter time, for one camera or one class",
        results_db::READ_LIMIT.as_secs()
    )]
    HistorySlow,
    #[error(
        "no picture of frame {0} is kept: events' first and surest frames have one \
         (MLVI_THUMBNAILS_MIB), until newer ones need the room"
    )]
    NoThumbnail(FrameId),
    #[error("{0} questions are with the database already")]
    TooManyQuestions(usize),
    #[error("{}", .0.error().detail)]
    Result(Arc<Finished>),
    #[error("{0}")]
    Internal(String),
}

impl RequestError {
    /// The document; the one place where refusals get their status.
    pub(crate) fn problem(&self) -> Problem {
        let (status, kind, title) = match self {
            Self::EmptyBody => (400, "empty-body", "The body is empty"),
            Self::MissingImage => (400, "missing-image", "The field 'image' is missing"),
            Self::MalformedMultipart(_) => {
                (400, "malformed-multipart", "The multipart body is malformed")
            }
            Self::Interrupted(_) => (400, "upload-interrupted", "The upload broke off"),
            Self::Parameter { .. } => (400, "invalid-parameter", "A parameter is not valid"),
            Self::UnknownParameter { .. } => {
                (400, "unknown-parameter", "There is no such parameter")
            }
            Self::RightOver(_) => (401, "right-over", "The right is over"),
            Self::Encoded { .. } => (415, "encoded-frame", "The frame is encoded"),
            Self::TransferCoding(_) => {
                (501, "unknown-transfer-coding", "The transfer coding is not known")
            }
            Self::UploadTimeout(_) => (408, "upload-timeout", "The upload took too long"),
            Self::UploadStalled(_) => (408, "upload-stalled", "The upload stood still"),
            Self::TooLarge => (413, "frame-too-large", "The frame is too large"),
            Self::Image(error) => return error.problem(),
            Self::NoRoom(_) => (429, "too-many-pending-frames", "Too many frames are on their way"),
            Self::BusFull => (429, "bus-full", "The bus is full"),
            Self::BrokerAway(_) => (503, "broker-away", "The broker is away"),
            Self::Starting(_) => (503, "starting", "The server is still starting"),
            Self::ShuttingDown => (503, "shutting-down", "The server is shutting down"),
            Self::TooManyStreams(_) | Self::TooManyCameraStreams(_) => {
                (503, "too-many-streams", "Too many streams are open")
            }
            Self::NoWebSocket(_) => (426, "no-websocket", "This is no WebSocket's handshake"),
            Self::NoFrames(_) => (415, "no-frames", "There is no image in the stream"),
            Self::TooManyFetches(_) => {
                (503, "too-many-fetches", "Too many frames are being fetched")
            }
            Self::TooManyPictures(_) => (503, "too-many-pictures", "Too many pictures are made"),
            Self::TooManyViewers(_) => (503, "too-many-viewers", "Too many clients are looking"),
            Self::PictureLate(_) => (503, "picture-late", "The picture took too long"),
            Self::NoPicture(_) => (404, "no-picture", "The camera has no picture"),
            Self::UnknownJob(_) => (404, "unknown-job", "There is no such job"),
            Self::JobGone(_) => (410, "job-gone", "The job is no longer kept"),
            Self::FrameUnknown(_) => (404, "frame-not-known", "The frame is not known here"),
            Self::FrameGone(_) => (410, "frame-gone", "The frame is no longer kept"),
            Self::UnknownRoute => (404, "unknown-route", "There is nothing here"),
            Self::WrongMethod => (405, "wrong-method", "The method is not allowed here"),
            Self::NoToken(_) => (401, "token-needed", "A token is needed"),
            Self::UnknownToken => (401, "unknown-token", "The token is not known"),
            Self::SettingsAreFixed => (403, "settings-are-fixed", "Settings are fixed here"),
            Self::SettingType(_) => (415, "setting-type", "The content type is not one of these"),
            Self::SettingTooLarge => (413, "setting-too-large", "The setting is too large"),
            Self::Policy { .. } => (422, "invalid-policy", "The policy cannot be used"),
            Self::Regions { .. } => (422, "invalid-regions", "The masks and zones cannot be used"),
            Self::ChangedMeanwhile(_) => (412, "changed-meanwhile", "It was changed meanwhile"),
            Self::TooManyRecords(_) => (409, "too-many-settings", "Too much is set"),
            Self::NoSettingsTopic => (503, "no-settings-topic", "There is no settings topic"),
            Self::Forbidden(_) => (403, "forbidden", "That is not allowed"),
            Self::OtherCamera(_) => (403, "forbidden", "That is not allowed"),
            Self::ForeignPage(_) => (403, "foreign-page", "Another site's page asks"),
            Self::ForeignHost(_) => (421, "foreign-host", "That is another host"),
            Self::NoHost => (400, "no-host", "The host is missing"),
            Self::NoLogin => (409, "no-login", "Nobody has to log in"),
            Self::MalformedLogin => (400, "malformed-login", "The body is no login"),
            Self::TooOften { .. } => (429, "too-often", "Too many in a second"),
            Self::NoHistory => (404, "no-history", "No history is kept"),
            Self::Contradiction(_) => (409, "contradiction", "Parameters contradict each other"),
            Self::HistoryAway(_) => (503, "history-away", "The history cannot be read"),
            Self::HistorySlow => (503, "history-slow", "The question takes too long"),
            Self::NoThumbnail(_) => (404, "no-thumbnail", "No picture of the frame is kept"),
            Self::TooManyQuestions(_) => (503, "too-many-questions", "Too many ask the history"),
            Self::Result(finished) => return finished.error(),
            Self::Internal(_) => (500, "internal-error", "Something went wrong in the server"),
        };
        Problem::new(status, kind, title, self.to_string())
    }

    /// When it is worth trying again, in seconds.
    fn retry_after_s(&self) -> Option<u32> {
        match self {
            // rounded up, or the next one would come too early
            Self::TooOften { wait, .. } => {
                Some(u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX))
            }
            Self::NoRoom(Full::Wait(too_long)) => Some(too_long.retry_after_s),
            Self::NoRoom(Full::Frames(_) | Full::Bytes(_))
            | Self::BusFull
            | Self::TooManyFetches(_)
            | Self::TooManyPictures(_)
            | Self::PictureLate(_)
            | Self::TooManyQuestions(_)
            | Self::FrameUnknown(_) => Some(SOON_S),
            Self::BrokerAway(_)
            | Self::Starting(_)
            | Self::ShuttingDown
            | Self::NoSettingsTopic
            | Self::HistoryAway(_)
            | Self::TooManyStreams(_)
            | Self::TooManyCameraStreams(_)
            | Self::TooManyViewers(_) => Some(LATER_S),
            _ => None,
        }
    }

    /// How to log in (RFC 6750, section 3).
    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::NoToken(_) => Some("Bearer realm=\"mlvi\""),
            Self::UnknownToken | Self::RightOver(_) => {
                Some("Bearer realm=\"mlvi\", error=\"invalid_token\"")
            }
            _ => None,
        }
    }

    /// Whether the same may be answered some other time.
    pub(crate) fn may_pass(&self) -> bool {
        self.retry_after_s().is_some()
    }

    /// Members beside those that RFC 9457 names, for programs to read.
    fn members(&self) -> Map<String, Value> {
        let members = match self {
            Self::Parameter { name, allowed, .. } => json!({"parameter": name, "allowed": allowed}),
            Self::UnknownParameter { name, known } => json!({"parameter": name, "known": known}),
            Self::Encoded { header, .. } => json!({"header": header}),
            Self::NoToken(right) | Self::Forbidden(right) | Self::RightOver(right) => {
                json!({"right": right.name()})
            }
            Self::OtherCamera(camera) => {
                json!({"right": Right::Send.name(), "camera": camera})
            }
            Self::TooLarge => json!({"limit_bytes": frame::MAX_FRAME_BYTES}),
            Self::SettingTooLarge => json!({"limit_bytes": frame::MAX_SETTING_BYTES}),
            Self::Policy { line, key, .. } => {
                let line = line.map(|line| ("line".to_owned(), json!(line)));
                let key = key.as_ref().map(|key| ("key".to_owned(), json!(key)));
                line.into_iter().chain(key).collect()
            }
            Self::Regions { line: Some(line), .. } => json!({"line": line}),
            Self::Result(finished) => json!({
                "frame_id": finished.frame_id,
                "camera": finished.camera,
                "sequence": finished.sequence,
                "result": serde_json::from_str::<Value>(&finished.json).unwrap_or_default(),
            }),
            _ => Value::Null,
        };
        if let Value::Object(members) = members { members } else { Map::new() }
    }
}

impl From<SendError> for RequestError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::QueueFull => Self::BusFull,
            // the intake has made sure that frame and headers fit; only a topic with other limits
            // comes here
            SendError::TooLarge { .. } | SendError::Fatal(_) => Self::Internal(error.to_string()),
            SendError::BrokerAway { reason } => Self::BrokerAway(reason),
            SendError::ShuttingDown => Self::ShuttingDown,
        }
    }
}

impl From<BusError> for RequestError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::BrokerAway { reason } => Self::BrokerAway(reason),
            BusError::ShuttingDown => Self::ShuttingDown,
            BusError::Client(_)
            | BusError::Topic { .. }
            | BusError::NotAllowed { .. }
            | BusError::Fatal(_) => Self::Internal(error.to_string()),
        }
    }
}

/// What there is, in words.
fn list(known: &[&str]) -> String {
    match known {
        [] => "none at all".into(),
        [one] => format!("'{one}'"),
        [rest @ .., last] => format!("'{}' and '{last}'", rest.join("', '")),
    }
}

/// What kind of problem a response tells of: for the access log and metrics.
#[derive(Clone, Debug)]
pub(crate) struct Kind(pub(crate) String);

/// A problem document before it is sent, so that the request's id can be put in.
#[derive(Clone, Debug)]
pub(crate) struct Document(Map<String, Value>);

impl Document {
    /// The response with the request's id in its document, if it is one.
    pub(crate) fn name_request(mut response: Response, id: &str) -> Response {
        let Some(Self(mut document)) = response.extensions_mut().remove::<Self>() else {
            return response;
        };
        document.insert("request_id".into(), id.into());
        response.map(|_| Value::Object(document).to_string().into())
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let mut document = match json!(problem) {
            Value::Object(document) => document,
            _ => Map::new(),
        };
        document.extend(self.members());
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = HeaderValue::from_static(PROBLEM_JSON);
        let mut response = {
            let body = Value::Object(document.clone()).to_string();
            (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
        };
        if let Some(seconds) = self.retry_after_s() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = self.challenge() {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if matches!(self, Self::Encoded { .. }) {
            // what would be taken (RFC 9110, section 12.5.3)
            response
                .headers_mut()
                .insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        response.extensions_mut().insert(Document(document));
        if matches!(self, Self::NoWebSocket(_)) {
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
            .extensions_mut()
            .insert(Kind(problem.kind.trim_start_matches("/problems/").to_owned()));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::samples;
    use axum::body::to_bytes;

    async fn document(refusal: RequestError) -> (StatusCode, Option<String>, Value) {
        let response = refusal.into_response();
        let status = response.status();
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        let retry = response
            .headers()
            .get(header::RETRY_AFTER)
            .map(|value| value.to_str().unwrap().to_owned());
        let body = to_bytes(response.into_body(), 100_000).await.unwrap();
        (status, retry, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn refusals_are_problem_documents() {
        let id = FrameId::fresh();
        let cases = [
            (RequestError::EmptyBody, 400, "empty-body", false),
            (RequestError::MissingImage, 400, "missing-image", false),
            (RequestError::UploadTimeout(Duration::from_secs(30)), 408, "upload-timeout", false),
            (
                RequestError::Encoded { header: "Content-Encoding", value: "gzip".into() },
                415,
                "encoded-frame",
                false,
            ),
            (
                RequestError::TransferCoding("gzip, chunked".into()),
                501,
                "unknown-transfer-coding",
                false,
            ),
            (
                RequestError::UnknownParameter { name: "widht".into(), known: &["boxes", "width"] },
                400,
                "unknown-parameter",
                false,
            ),
            (RequestError::RightOver(Right::Read), 401, "right-over", false),
            (RequestError::TooLarge, 413, "frame-too-large", false),
            (RequestError::NoRoom(Full::Frames(1000)), 429, "too-many-pending-frames", true),
            (RequestError::BusFull, 429, "bus-full", true),
            (RequestError::BrokerAway("no answer".into()), 503, "broker-away", true),
            (RequestError::UnknownJob("x".into()), 404, "unknown-job", false),
            (RequestError::JobGone(id), 410, "job-gone", false),
            (RequestError::TooManyPictures(8), 503, "too-many-pictures", true),
            (RequestError::TooManyViewers(64), 503, "too-many-viewers", true),
            (RequestError::PictureLate(Duration::from_secs(9)), 503, "picture-late", true),
            (RequestError::NoPicture(CameraId::unnamed()), 404, "no-picture", false),
            (RequestError::Forbidden(Right::Read), 403, "forbidden", false),
            (
                RequestError::Regions { problem: "x".into(), line: Some(1) },
                422,
                "invalid-regions",
                false,
            ),
            (RequestError::ChangedMeanwhile("\"7\"".into()), 412, "changed-meanwhile", false),
            (RequestError::TooManyRecords(2048), 409, "too-many-settings", false),
            (RequestError::WrongMethod, 405, "wrong-method", false),
            (RequestError::Internal("panic".into()), 500, "internal-error", false),
        ];
        for (refusal, status, kind, retries) in cases {
            let (code, retry, document) = document(refusal.clone()).await;
            assert_eq!(code.as_u16(), status, "{refusal:?}");
            assert_eq!(document["status"], status);
            assert_eq!(document["type"], format!("/problems/{kind}"));
            assert_eq!(document["detail"], refusal.to_string());
            assert!(document["title"].as_str().is_some_and(|title| !title.is_empty()));
            assert_eq!(retry.is_some(), retries, "{refusal:?}");
        }
    }

    #[tokio::test]
    async fn a_failed_result_has_its_own_status_and_names_the_frame() {
        let result = samples::failed(Problem::undecodable("the JPEG breaks off"));
        let finished = Arc::new(Finished::new(&result, None));
        let (status, _, document) = document(RequestError::Result(finished)).await;
        assert_eq!(status, 422);
        assert_eq!(document["type"], "/problems/undecodable-frame");
        assert_eq!(document["frame_id"], result.frame_id.to_string());
        assert_eq!(document["camera"], "gate");
        assert_eq!(document["sequence"], 7);
        assert_eq!(document["result"]["status"], "failed");
    }

    #[tokio::test]
    async fn a_foreign_result_without_an_error_status_is_a_server_error() {
        for status in [0, 200, 302, 999] {
            let result = samples::failed(Problem { status, ..Problem::undecodable("odd") });
            assert_eq!(
                document(RequestError::Result(Arc::new(Finished::new(&result, None)))).await.0,
                500
            );
        }
    }
}
