//! The HTTP surface: which path is answered by what.

mod cameras;
mod index;
mod inference;
mod jobs;
mod openapi;
mod results;
mod socket;
mod stream;

use crate::app::App;
use crate::moment::Hint;
use crate::observe::observe;
use crate::problem::RequestError;
use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use std::sync::Arc;

/// Every route there is; `openapi.json` describes the same ones, which a test sees to.
fn routes() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    vec![
        ("/", get(index::show)),
        ("/openapi.json", get(openapi::show)),
        ("/inference", post(inference::upload)),
        ("/cameras/{camera}/frames", post(cameras::upload)),
        ("/cameras/{camera}/stream", post(stream::upload)),
        ("/cameras/{camera}/ws", get(socket::open)),
        ("/jobs/{id}", get(jobs::show)),
        ("/jobs/{id}/frame", get(jobs::frame)),
        ("/results", get(results::stream)),
    ]
}

/// The whole surface.
pub(crate) fn router(app: Arc<App>) -> Router {
    let router = routes()
        .into_iter()
        .fold(Router::new(), |router, (path, handler)| router.route(path, handler));
    router
        .fallback(|| async { RequestError::UnknownRoute })
        .method_not_allowed_fallback(|| async { RequestError::WrongMethod })
        .layer(from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// A path's parameter; one that is not UTF-8 is refused like any other bad one.
fn parameter(
    name: &'static str,
    path: Result<Path<String>, PathRejection>,
) -> Result<String, RequestError> {
    let refuse = |rejection: PathRejection| RequestError::Parameter {
        name,
        value: rejection.body_text(),
        allowed: "UTF-8".into(),
        hint: Hint::default(),
    };
    path.map(|Path(value)| value).map_err(refuse)
}
