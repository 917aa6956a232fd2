//! What unit tests need to call the routes without a network: the broker is away, as far as they
//! are concerned.

use crate::Config;
use crate::access::Access;
use crate::app::App;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use frame::ServedBy;
use frame_bus::Bus;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use settings::Settings;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// An app that has caught up, with settings on top of the defaults.
pub(crate) fn app(settings: &[(&str, &str)]) -> Arc<App> {
    // port 9 is "discard": nothing answers there
    let mut settings = Settings::from_pairs([("MLVI_BROKERS", "127.0.0.1:9")])
        .with_overrides(settings.iter().copied());
    let config = Config::from_settings(&mut settings);
    settings.finish().unwrap();
    let bus = Bus::open(config.bus).unwrap();
    let app = App::new(
        ServedBy::default(),
        Access::new(config.access),
        config.limits,
        config.topics,
        bus,
        CancellationToken::new(),
    );
    app.has_caught_up();
    Arc::new(app)
}

/// Lets the router answer one request.
pub(crate) async fn call(router: &Router, request: Request<Body>) -> Response {
    TowerToHyperService::new(router.clone()).call(request).await.unwrap()
}
