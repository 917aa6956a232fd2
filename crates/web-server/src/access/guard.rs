//! What every request passes before its handler.

use super::Access;
use super::caller::Caller;
use super::origin::HostFault;
use super::right::Right;
use crate::problem::RequestError;
use crate::query::{Query, parse_camera, shortened};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use frame::CameraId;
use std::collections::HashMap;
use std::sync::Arc;

/// What a method of a route needs; HEAD is as GET.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    pub(crate) method: Method,
    pub(crate) right: Right,
    /// The names that the query may have; `None`: whatever it says, nobody reads it.
    pub(crate) query: Option<&'static [&'static str]>,
}

/// The methods that a route answers to.
type Needs = Vec<Need>;

/// Names of the query that begin like this are nobody's: clients that want a fresh answer add one.
const UNREAD: char = '_';

/// How long a browser may remember what it was told about a listed origin, in seconds.
const PREFLIGHT_S: u32 = 600;
/// What scripts of listed origins may send besides what all may.
const SENT: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, last-event-id, prefer, traceparent, x-request-id, \
     mlvi-sequence, mlvi-captured-at, mlvi-deadline",
);

/// What the middleware knows.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    access: Arc<Access>,
    needs: Arc<HashMap<&'static str, Needs>>,
}

/// Who asks for what, when it is neither allowed nor refused without looking at the camera.
struct Passed {
    caller: Caller,
    right: Right,
    query: Option<&'static [&'static str]>,
}

impl Guard {
    pub(crate) fn new(
        access: Arc<Access>,
        needs: impl IntoIterator<Item = (&'static str, Needs)>,
    ) -> Self {
        Self { access, needs: Arc::new(needs.into_iter().collect()) }
    }

    /// Who asks for what, or `None` where there is nothing: the fallback says so.
    fn check(&self, request: &Request) -> Result<Option<Passed>, Box<Response>> {
        self.check_host(request).map_err(refused)?;
        if request.method() == Method::OPTIONS && request.uri().path() == "*" {
            return Err(Box::new(options(&["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])));
        }
        let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(None) };
        let Some(needs) = self.needs.get(path.as_str()) else {
            let why = "this route does not say which right it needs";
            return Err(refused(RequestError::Internal(why.into())));
        };
        let method = match *request.method() {
            Method::OPTIONS => return Err(Box::new(self.options(needs, request.headers()))),
            Method::HEAD => &Method::GET,
            _ => request.method(),
        };
        let Some(Need { right, query, .. }) = needs.iter().find(|need| need.method == *method)
        else {
            return Err(wrong_method(needs));
        };
        if right.changes() || !method.is_safe() {
            self.check_page(request).map_err(refused)?;
        }
        let caller = self.access.caller(request.headers()).map_err(refused)?;
        if !caller.may(*right) {
            return Err(refused(self.access.refusal(&caller, *right)));
        }
        self.access.count_request(&caller).map_err(refused)?;
        Ok(Some(Passed { caller, right: *right, query: *query }))
    }

    fn check_host(&self, request: &Request) -> Result<(), RequestError> {
        let Access { config, loopback, .. } = self.access.as_ref();
        let (uri, headers) = (request.uri(), request.headers());
        config.hosts.check(uri, headers, request.version(), *loopback).map_err(
            |fault| match fault {
                HostFault::Missing => RequestError::NoHost,
                HostFault::Foreign(host) => RequestError::ForeignHost(host),
            },
        )
    }

    fn check_page(&self, request: &Request) -> Result<(), RequestError> {
        let origins = &self.access.config.origins;
        let stranger = origins.stranger(request.uri(), request.headers(), self.access.https());
        stranger.map_or(Ok(()), |origin| Err(RequestError::ForeignPage(origin)))
    }

    /// What a resource can be asked (RFC 9110, section 9.3.7), and for pages of listed origins what
    /// a browser wants to know before it asks (CORS).
    fn options(&self, needs: &Needs, headers: &HeaderMap) -> Response {
        let mut response = options(&allow(needs));
        let is_listed = self.access.config.origins.listed(headers).is_some();
        if is_listed && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            let allow = response.headers()[header::ALLOW].clone();
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, SENT);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_S.into());
        }
        response
    }
}

/// The middleware.
pub(crate) async fn guard(
    State(guard): State<Guard>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let passed = guard.check(&request).and_then(|passed| {
        let Some(Passed { caller, right, query }) = passed else { return Ok(None) };
        if right == Right::Send {
            check_camera(&caller, parameters.as_ref().ok(), &request)?;
        }
        check_query(query, &request)?;
        Ok(Some(caller))
    });
    match passed {
        Ok(caller) => {
            if let Some(caller) = caller.clone() {
                request.extensions_mut().insert(caller);
            }
            let mut response = next.run(request).await;
            if let Some(caller) = caller {
                // for the access log
                response.extensions_mut().insert(caller);
            }
            response
        }
        Err(answer) => unread(*answer, request.headers()),
    }
}

/// Whether frames of the camera that a request names may be sent. A name that is none is the
/// handler's to refuse.
fn check_camera(
    caller: &Caller,
    parameters: Option<&RawPathParams>,
    request: &Request,
) -> Result<(), Box<Response>> {
    let mut parameters = parameters.into_iter().flat_map(RawPathParams::iter);
    let camera = match parameters.find(|(name, _)| *name == "camera") {
        // as handlers read it
        Some((_, camera)) => parse_camera(camera).ok(),
        None => Query::of(request.uri())
            .and_then(|query| query.camera())
            .map(|camera| camera.unwrap_or_else(CameraId::unnamed))
            .ok(),
    };
    match camera {
        Some(camera) if !caller.may_send(CameraId::as_str(&camera)) => {
            Err(refused(RequestError::OtherCamera(camera)))
        }
        _ => Ok(()),
    }
}

/// Whether somebody reads every name of the query: one that is misspelt would be as if it were not
/// there. A query that cannot be read is the handler's to refuse.
fn check_query(
    known: Option<&'static [&'static str]>,
    request: &Request,
) -> Result<(), Box<Response>> {
    let Some(known) = known else { return Ok(()) };
    let query = Query::of(request.uri()).unwrap_or_default();
    let unknown = query.names().find(|name| !known.contains(name) && !name.starts_with(UNREAD));
    unknown.map_or(Ok(()), |name| {
        Err(refused(RequestError::UnknownParameter { name: shortened(name), known }))
    })
}

fn refused(refusal: RequestError) -> Box<Response> {
    Box::new(refusal.into_response())
}

/// A refusal whose request may have a body that nobody reads: the connection has to end then.
fn unread(mut answer: Response, headers: &HeaderMap) -> Response {
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

fn options(methods: &[&str]) -> Response {
    (StatusCode::NO_CONTENT, [(header::ALLOW, list(methods))]).into_response()
}

fn wrong_method(needs: &Needs) -> Box<Response> {
    let mut response = RequestError::WrongMethod.into_response();
    response.headers_mut().insert(header::ALLOW, list(&allow(needs)));
    Box::new(response)
}

/// The methods that there are.
fn allow(needs: &Needs) -> Vec<&str> {
    let mut methods: Vec<&str> = needs.iter().map(|need| need.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods
}

fn list(methods: &[&str]) -> HeaderValue {
    HeaderValue::try_from(methods.join(", ")).expect("methods are tokens")
}
