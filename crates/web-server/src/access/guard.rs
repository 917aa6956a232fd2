//! What every request passes before its handler: does the method exist here, and may the caller do
//! that?

use super::right::Right;
use crate::app::App;
use crate::problem::RequestError;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::sync::Arc;

/// The methods that a route answers to, with the right that each needs; HEAD is as GET.
type Needs = Vec<(Method, Right)>;

/// What the middleware knows.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    app: Arc<App>,
    needs: Arc<HashMap<&'static str, Needs>>,
}

impl Guard {
    pub(crate) fn new(
        app: Arc<App>,
        needs: impl IntoIterator<Item = (&'static str, Needs)>,
    ) -> Self {
        Self { app, needs: Arc::new(needs.into_iter().collect()) }
    }

    /// The answer to a request that does not get to its handler.
    fn answer(&self, request: &Request) -> Option<Response> {
        let path = request.extensions().get::<MatchedPath>();
        let Some(needs) = path.and_then(|path| self.needs.get(path.as_str())) else {
            // there is nothing: the fallback says so
            return None;
        };
        let method = match *request.method() {
            Method::OPTIONS => return Some(options(needs)),
            Method::HEAD => &Method::GET,
            _ => request.method(),
        };
        let Some((_, right)) = needs.iter().find(|(known, _)| known == method) else {
            return Some(wrong_method(needs));
        };
        if !self.app.access.open().allow(*right) {
            return Some(RequestError::Forbidden(*right).into_response());
        }
        None
    }
}

/// The middleware.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.answer(&request) {
        None => next.run(request).await,
        Some(answer) => answer,
    }
}

/// What a resource can be asked, without a body (RFC 9110, section 9.3.7).
fn options(needs: &Needs) -> Response {
    (StatusCode::NO_CONTENT, [(header::ALLOW, allow(needs))]).into_response()
}

fn wrong_method(needs: &Needs) -> Response {
    let headers = HeaderMap::from_iter([(header::ALLOW, allow(needs))]);
    (headers, RequestError::WrongMethod).into_response()
}

/// The methods that there are, as the header `Allow` lists them.
fn allow(needs: &Needs) -> HeaderValue {
    let mut methods: Vec<&str> = needs.iter().map(|(method, _)| method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    HeaderValue::try_from(methods.join(", ")).expect("methods are tokens")
}

#[cfg(test)]
mod tests {
    use crate::routes::router;
    use crate::testing::{app, call};
    use axum::body::Body;
    use axum::http::Request;

    #[tokio::test]
    async fn a_resource_tells_its_methods() {
        let router = router(app(&[]));
        for (path, allow) in [("/", "GET, HEAD, OPTIONS"), ("/inference", "POST, OPTIONS")] {
            for (method, status) in [("OPTIONS", 204), ("DELETE", 405)] {
                let request = Request::builder().method(method).uri(path);
                let response = call(&router, request.body(Body::empty()).unwrap()).await;
                assert_eq!(response.status(), status, "{method} {path}");
                assert_eq!(response.headers()["allow"], allow, "{method} {path}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_open_is_refused() {
        let open = router(app(&[]));
        let closed = router(app(&[("MLVI_OPEN_RIGHTS", "none")]));
        for (method, path, right) in crate::routes::needs() {
            let uri = path.replace("{camera}", "gate").replace("{id}", "x");
            for (router, is_open) in [(&open, right != "settings"), (&closed, right == "public")] {
                let request = Request::builder().method(&method).uri(&uri);
                let response = call(router, request.body(Body::empty()).unwrap()).await;
                assert_eq!(response.status() != 403, is_open, "{method} {path}");
            }
        }
    }
}
