//! What unit tests need to call the routes without a network: the broker is away, as far as they
//! are concerned.

use crate::Config;
use crate::access::Access;
use crate::app::{App, Sources};
use crate::history::History;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, header};
use axum::response::Response;
use frame::ServedBy;
use frame_bus::Bus;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use settings::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use unit::Traces;

/// An app that has caught up, with settings on top of the defaults.
pub(crate) fn app(settings: &[(&str, &str)]) -> Arc<App> {
    let app = app_that_reads_settings(settings);
    app.regions.has_been_read();
    app
}

/// The same while it does not know yet what is set.
pub(crate) fn app_that_reads_settings(settings: &[(&str, &str)]) -> Arc<App> {
    // port 9 is "discard": nothing answers there
    let mut settings = Settings::from_pairs([("MLVI_BROKERS", "127.0.0.1:9")])
        .with_overrides(settings.iter().copied());
    let config = Config::from_settings(&mut settings);
    settings.finish().unwrap();
    let bus = Bus::open(config.bus).unwrap();
    let regions = Arc::into_inner(config.regions.book()).unwrap();
    let regions = regions.absent_after(Duration::from_millis(100));
    let app = App::new(
        ServedBy::default(),
        Arc::new(Access::new(config.access, true)),
        config.limits,
        config.topics,
        Sources {
            history: History::new(config.database),
            regions: Arc::new(regions),
            traces: Traces::default(),
        },
        bus,
        CancellationToken::new(),
    );
    let start =
        |name: &str, run| std::thread::Builder::new().name(name.into()).spawn(run).map(|_| ());
    app.pictures.start(start).unwrap();
    app.has_caught_up();
    Arc::new(app)
}

/// Lets the router answer one request, which is for this machine if it does not say.
pub(crate) async fn call(router: &Router, mut request: Request<Body>) -> Response {
    let here = HeaderValue::from_static("localhost");
    request.headers_mut().entry(header::HOST).or_insert(here);
    TowerToHyperService::new(router.clone()).call(request).await.unwrap()
}
