//! The HTTP surface: which path is answered by what.

mod cameras;
mod contracts;
mod history;
mod index;
mod inference;
mod jobs;
mod openapi;
mod page;
mod pictures;
mod policy;
mod record;
mod regions;
mod results;
mod session;
mod socket;
mod stats;
mod stream;

use crate::access::{Guard, Need, Right, guard, protect};
use crate::app::App;
use crate::moment::Hint;
use crate::observe::observe;
use crate::problem::RequestError;
use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter};
use std::sync::Arc;

/// Every route there is, with the right that each method needs and the names that its query may
/// have; `openapi.json` describes the same ones, which a test sees to.
fn routes() -> Vec<Route> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PICTURE: &[&str] = &["boxes", "width"];
    const STREAM: &[&str] = &["drop", "in_flight", "deadline", "wait"];
    vec![
        Route::at("/").on(GET, Right::Public, index::show),
        Route::at("/docs").on(GET, Right::Public, page::documentation),
        Route::at("/openapi.json").on(GET, Right::Public, openapi::show),
        Route::at("/inference").on(POST, Right::Send, inference::upload).query(&[
            "camera",
            "sequence",
            "captured_at",
            "deadline",
            "wait",
            "clip",
        ]),
        Route::at("/cameras/{camera}/frames").on(POST, Right::Send, cameras::upload).query(&[
            "sequence",
            "captured_at",
            "deadline",
            "wait",
            "clip",
        ]),
        Route::at("/cameras").on(GET, Right::Read, cameras::list),
        Route::at("/cameras/{camera}/latest.jpg")
            .on(GET, Right::Read, pictures::latest)
            .query(PICTURE),
        Route::at("/cameras/{camera}/live.mjpeg")
            .on(GET, Right::Read, pictures::live)
            .query(PICTURE),
        Route::at("/regions").on(GET, Right::Read, regions::list),
        Route::at("/cameras/{camera}/regions")
            .on(GET, Right::Read, regions::show)
            .on(Method::PUT, Right::Settings, regions::set)
            .query(&["by", "note"])
            .on(Method::DELETE, Right::Settings, regions::clear)
            .query(&["by"]),
        Route::at("/cameras/{camera}/stream").on(POST, Right::Send, stream::upload).query(STREAM),
        Route::at("/cameras/{camera}/ws").on(GET, Right::Send, socket::open).query(STREAM),
        Route::at("/jobs/{id}").on(GET, Right::Read, jobs::show).query(&["wait", "clip"]),
        Route::at("/jobs/{id}/frame").on(GET, Right::Read, jobs::frame),
        Route::at("/jobs/{id}/annotated")
            .on(GET, Right::Read, pictures::annotated)
            .query(&["boxes", "width", "wait"]),
        Route::at("/results").on(GET, Right::Read, results::stream).query(&["camera", "clip"]),
        Route::at("/session").on(GET, Right::Public, session::show),
        Route::at("/login").on(POST, Right::Public, session::log_in),
        Route::at("/logout").on(POST, Right::Public, session::log_out),
        Route::at("/policy")
            .on(GET, Right::Read, policy::show)
            .on(Method::PUT, Right::Settings, policy::set)
            .query(&["by", "note"])
            .on(Method::DELETE, Right::Settings, policy::clear)
            .query(&["by"]),
        Route::at("/contracts").on(GET, Right::Read, contracts::show),
        Route::at("/history").on(GET, Right::Read, history::results).query(&[
            "camera",
            "class",
            "zone",
            "min_confidence",
            "destination",
            "from",
            "to",
            "limit",
            "cursor",
            "format",
        ]),
        Route::at("/history/counts")
            .on(GET, Right::Read, history::counts)
            .query(&["camera", "class", "by", "from", "to", "limit"]),
        Route::at("/history/events").on(GET, Right::Read, history::events).query(&[
            "camera",
            "class",
            "zone",
            "min_confidence",
            "destination",
            "gap",
            "from",
            "to",
            "limit",
            "cursor",
        ]),
        Route::at("/history/thumbnails")
            .on(GET, Right::Read, history::thumbnails::list)
            .query(&["camera", "from", "to", "limit"]),
        Route::at("/history/thumbnails/{id}").on(GET, Right::Read, history::thumbnails::show),
        Route::at("/stats").on(GET, Right::Read, stats::show).query(&["since"]),
        Route::at("/assets/{version}/{file}").on(GET, Right::Public, page::asset),
    ]
}

/// A path, and what answers there. A right to send that is limited to some cameras goes by the
/// path's `{camera}`, or else by the query's `camera`.
struct Route {
    path: &'static str,
    /// What each method needs; HEAD is as GET.
    needs: Vec<Need>,
    handler: MethodRouter<Arc<App>>,
}

impl Route {
    fn at(path: &'static str) -> Self {
        Self { path, needs: Vec::new(), handler: MethodRouter::new() }
    }

    /// Answers a method. A GET that changes something, as a WebSocket that takes frames does, names
    /// the right to send: other sites' pages are kept from what needs that.
    fn on<H, T>(mut self, method: Method, right: Right, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("axum routes this method");
        // whoever opens a page may have come by an address to which somebody has added something
        let query = (right != Right::Public).then_some(&[][..]);
        self.needs.push(Need { method, right, query });
        self.handler = self.handler.on(filter, handler);
        self
    }

    /// Takes these names in the query, with the method that was named last; without, it takes none.
    fn query(mut self, names: &'static [&'static str]) -> Self {
        if let Some(need) = self.needs.last_mut() {
            need.query = Some(names);
        }
        self
    }
}

/// The whole surface.
pub(crate) fn router(app: Arc<App>) -> Router {
    let (mut router, mut needs) = (Router::new(), Vec::new());
    for route in routes() {
        router = router.route(route.path, route.handler);
        needs.push((route.path, route.needs));
    }
    router
        .fallback(|| async { RequestError::UnknownRoute })
        .layer(from_fn_with_state(Guard::new(app.access.clone(), needs), guard))
        .layer(from_fn_with_state(app.clone(), observe))
        .layer(from_fn_with_state(app.access.clone(), protect))
        .with_state(app)
}

/// Each method of each path, with the name of the right that it needs.
#[cfg(test)]
pub(crate) fn needs() -> Vec<(Method, &'static str, &'static str)> {
    let needs = |route: Route| {
        let of = move |need: Need| (need.method, route.path, need.right.name());
        route.needs.into_iter().map(of)
    };
    routes().into_iter().flat_map(needs).collect()
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
