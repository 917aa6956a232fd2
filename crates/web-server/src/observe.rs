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
use std::sync::{Arc, OnceLock};
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

/// Which frame a request has brought, as soon as the broker has it: the client may leave before the
/// answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brought(Arc<OnceLock<Subject>>);

impl Brought {
    pub(crate) fn tell(&self, subject: Subject) {
        // a request brings one frame
        let _ = self.0.set(subject);
    }
}

/// A request that was made. When its client hangs up, its work is dropped where it waits, and this
/// with it: it is told of all the same.
struct Asked {
    app: Arc<App>,
    method: &'static str,
    route: String,
    caller: Option<TraceParent>,
    trace: TraceParent,
    id: String,
    started: Instant,
    began: Timestamp,
    brought: Brought,
    has_ended: bool,
}

pub(crate) async fn observe(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let (started, began) = (Instant::now(), Timestamp::now());
    let caller = trace_of(request.headers());
    let trace = caller.map_or_else(|| app.traces.root(), |caller| app.traces.under(caller));
    let id = id_of(request.headers());
    let (method, brought) = (known(request.method()), Brought::default());
    let extensions = request.extensions_mut();
    extensions.insert(Trace(trace));
    extensions.insert(brought.clone());
    let route = extensions.get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let has_ended = false;
    let asked = Asked { app, method, route, caller, trace, id, started, began, brought, has_ended };
    let response =
        AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|panic| {
            let (panic, route) = (unit::panic_text(panic.as_ref()), &asked.route);
            tracing::error!(%route, trace_id = %trace.trace_id(), panic, "a handler panicked");
            RequestError::Internal("a handler panicked; the server's log says more".into())
                .into_response()
        });
    let mut response = Document::name_request(response, &asked.id);
    if let Ok(value) = HeaderValue::try_from(asked.id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Ok(value) = HeaderValue::try_from(trace.to_string()) {
        response.headers_mut().insert(headers::TRACEPARENT, value);
    }
    asked.answered(&response);
    response
}

impl Asked {
    fn answered(mut self, response: &Response) {
        self.has_ended = true;
        let status = response.status().as_u16();
        let (problem, subject) = (response.extensions().get(), response.extensions().get());
        let caller = response.extensions().get::<Caller>().and_then(Caller::name);
        self.log(Some(status), problem.map(|Kind(kind)| kind.as_str()), subject, caller);
        let failed = problem.filter(|_| status >= 500).map(|Kind(kind)| kind.clone());
        let span =
            |span: Span| span.with("http.response.status_code", i64::from(status)).failed(failed);
        self.end(subject, status == 101, span);
        self.app.metrics.request(self.method, std::mem::take(&mut self.route), status);
    }

    fn log(
        &self,
        status: Option<u16>,
        problem: Option<&str>,
        subject: Option<&Subject>,
        caller: Option<&str>,
    ) {
        let Self { method, route, id, trace, started, .. } = self;
        tracing::info!(
            method,
            %route,
            http_status = status,
            duration_ms = started.elapsed().as_secs_f64() * 1000.0,
            problem,
            frame_id = subject.map(|subject| tracing::field::display(subject.frame_id)),
            camera =
                subject.and_then(|subject| subject.camera.as_ref()).map(tracing::field::display),
            caller,
            request_id = id,
            trace_id = %trace.trace_id(),
            "request"
        );
    }

    /// Ends the span, which `told` adds the outcome to.
    fn end(&self, subject: Option<&Subject>, is_stream: bool, told: impl FnOnce(Span) -> Span) {
        let Self { method, route, caller, trace, began, .. } = self;
        let span = || {
            let (name, parent) = (format!("{method} {route}"), caller.map(TraceParent::span_id));
            let span = Span::new(name, traces::Kind::Server, *trace, parent, *began)
                .with("http.request.method", *method)
                .with("http.route", route.clone());
            told(span)
        };
        let traces = &self.app.traces;
        match subject {
            // asking for a job again and again is no part of the frame's way
            Some(Subject { frame_id, camera }) if *method == "POST" => {
                traces.keep(*frame_id, *trace, || {
                    let span = span().with("frame_id", frame_id.to_string());
                    span.with_known("camera", camera.as_ref().map(CameraId::to_string))
                });
            }
            // frames that were refused, and streams
            _ if *method == "POST" || is_stream => traces.end(*trace, span),
            _ => {}
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.has_ended {
            let subject = self.brought.0.get();
            self.log(None, Some("unanswered"), subject, None);
            let problem = "the connection ended before the answer";
            self.end(subject, false, |span| span.failed(Some(problem.into())));
        }
    }
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
    use axum::Extension;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::{get, post};
    use std::fmt::Debug;
    use std::sync::Mutex;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// The fields of each event of this thread.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<String>>>);

    #[derive(Default)]
    struct Fields(String);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0 += &format!("{field}={value:?} ");
        }
    }

    impl Subscriber for Told {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[tokio::test]
    async fn a_request_is_told_of_once_whether_it_is_answered_or_not() {
        let frame_id = FrameId::fresh();
        let endless = post(move |Extension(brought): Extension<Brought>| async move {
            brought.tell(Subject { frame_id, camera: None });
            std::future::pending::<()>().await;
        });
        let router = Router::new()
            .route("/endless", endless)
            .route("/ends", post(|| async {}))
            .layer(from_fn_with_state(app(&[]), observe));
        let request = |path| Request::post(path).body(Body::empty()).unwrap();
        let told = Told::default();
        let _heard = tracing::subscriber::set_default(told.clone());
        assert_eq!(call(&router, request("/ends")).await.status(), 200);
        let mut asked = Box::pin(call(&router, request("/endless")));
        assert!((&mut asked).now_or_never().is_none());
        // as hyper does when the client hangs up
        drop(asked);
        let told = told.0.lock().unwrap();
        let requests: Vec<_> = told.iter().filter(|line| line.contains("request_id=")).collect();
        assert_eq!(requests.len(), 2, "{told:?}");
        assert!(requests[0].contains("http_status=200"), "{requests:?}");
        assert!(requests[1].contains("problem=\"unanswered\""), "{requests:?}");
        assert!(requests[1].contains(&format!("frame_id={frame_id}")), "{requests:?}");
        assert!(!requests[1].contains("http_status"), "{requests:?}");
    }

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
