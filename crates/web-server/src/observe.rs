//! Around every request: its trace and id, its line in the access log, its count, and a net under
//! panics.

use crate::access::Caller;
use crate::app::App;
use crate::problem::{Document, Kind, RequestError};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use frame::{CameraId, FrameId, Timestamp, TraceParent, headers};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use unit::traces::{self, Span};

/// The trace that a request belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace(pub(crate) TraceParent);

/// Which frame a response is about: for the access log.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) frame_id: FrameId,
    pub(crate) camera: Option<CameraId>,
}

/// The header of a request's id, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID: usize = 128;

pub(crate) async fn observe(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let (started, began) = (Instant::now(), Timestamp::now());
    let caller = trace_of(request.headers());
    let trace = caller.map_or_else(|| app.traces.root(), |caller| app.traces.under(caller));
    let id = id_of(request.headers());
    request.extensions_mut().insert(Trace(trace));
    let method = known(request.method());
    let route =
        request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let response =
        AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|panic| {
            let panic = unit::panic_text(panic.as_ref());
            tracing::error!(%route, trace_id = %trace.trace_id(), panic, "a handler panicked");
            RequestError::Internal("a handler panicked; the server's log says more".into())
                .into_response()
        });
    let mut response = Document::name_request(response, &id);
    if let Ok(value) = HeaderValue::try_from(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Ok(value) = HeaderValue::try_from(trace.to_string()) {
        response.headers_mut().insert(headers::TRACEPARENT, value);
    }
    let status = response.status().as_u16();
    let subject = response.extensions().get::<Subject>();
    tracing::info!(
        method,
        %route,
        http_status = status,
        duration_ms = started.elapsed().as_secs_f64() * 1000.0,
        problem = response.extensions().get::<Kind>().map(|kind| kind.0.as_str()),
        frame_id = subject.map(|subject| tracing::field::display(subject.frame_id)),
        camera = subject.and_then(|subject| subject.camera.as_ref()).map(tracing::field::display),
        caller = response.extensions().get::<Caller>().and_then(Caller::name),
        request_id = id,
        trace_id = %trace.trace_id(),
        "request"
    );
    let span = || {
        let parent = caller.map(TraceParent::span_id);
        let kind = response.extensions().get::<Kind>().filter(|_| status >= 500);
        Span::new(format!("{method} {route}"), traces::Kind::Server, trace, parent, began)
            .with("http.request.method", method)
            .with("http.route", route.clone())
            .with("http.response.status_code", i64::from(status))
            .failed(kind.map(|kind| kind.0.clone()))
    };
    match subject {
        // asking for a job again and again is no part of the frame's way
        Some(subject) if method == "POST" => app.traces.keep(subject.frame_id, trace, || {
            let Subject { frame_id, camera } = subject;
            let span = span().with("frame_id", frame_id.to_string());
            span.with_known("camera", camera.as_ref().map(CameraId::to_string))
        }),
        // frames that were refused, and streams
        _ if method == "POST" || status == 101 => app.traces.end(trace, span),
        _ => {}
    }
    app.metrics.request(method, route, status);
    response
}

/// The caller's trace, if it brings one that can be read.
fn trace_of(headers: &HeaderMap) -> Option<TraceParent> {
    headers.get(headers::TRACEPARENT)?.to_str().ok()?.parse().ok()
}

/// The id that the caller gives its request, if it can stand in a log; a new one otherwise.
fn id_of(headers: &HeaderMap) -> String {
    let is_plain = |text: &&str| {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"._:/+=@-".contains(&c);
        (1..=MAX_REQUEST_ID).contains(&text.len()) && text.bytes().all(allowed)
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_plain);
    given.map_or_else(|| FrameId::fresh().to_string(), str::to_owned)
}

/// Methods are chosen by clients, so only those that exist may become labels.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{app, call};
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;

    #[tokio::test]
    async fn a_panic_is_a_problem_document() {
        let broken = get(|| async {
            if true {
                panic!("on purpose")
            }
        });
        let router =
            Router::new().route("/broken", broken).layer(from_fn_with_state(app(&[]), observe));
        let response = call(&router, Request::get("/broken").body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }

    #[tokio::test]
    async fn a_trace_goes_on_or_begins() {
        let router = crate::routes::router(app(&[]));
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for (sent, same_trace) in [(given, true), ("nonsense", false)] {
            let request =
                Request::get("/").header("traceparent", sent).body(Body::empty()).unwrap();
            let response = call(&router, request).await;
            let answered: TraceParent =
                response.headers()["traceparent"].to_str().unwrap().parse().unwrap();
            assert_eq!(answered.trace_id() == "0af7651916cd43dd8448eb211c80319c", same_trace);
        }
    }

    #[tokio::test]
    async fn a_request_keeps_its_id_or_gets_one() {
        let router = crate::routes::router(app(&[]));
        for (sent, kept) in [("job-7:3", true), ("<b>", false), ("", false)] {
            let request =
                Request::get("/nowhere").header(REQUEST_ID, sent).body(Body::empty()).unwrap();
            let response = call(&router, request).await;
            let id = response.headers()[REQUEST_ID].to_str().unwrap().to_owned();
            assert_eq!(id == sent, kept, "{id}");
            let length = response.headers().get("content-length").cloned();
            let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
            let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["request_id"], id);
            assert!(length.is_none_or(|length| length == body.len().to_string().as_str()));
        }
    }
}
