//! The admin port: `/livez`, `/readyz`, `/metrics`.

use crate::{Health, Metrics, TaskFailure};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

pub(crate) fn router(health: Health, metrics: Metrics) -> Router {
    let health_routes =
        Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(health);
    health_routes.merge(Router::new().route("/metrics", get(scrape)).with_state(metrics))
}

/// Alive unless a loop stands still or a background task has failed; a broker that is away does not
/// make a unit dead.
async fn livez(State(health): State<Health>) -> impl IntoResponse {
    let failures = health.failures();
    let dead: Vec<String> =
        failures.iter().map(ToString::to_string).chain(health.overdue()).collect();
    if dead.is_empty() {
        (StatusCode::OK, "alive\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, dead.join("\n") + "\n")
    }
}

async fn readyz(State(health): State<Health>) -> impl IntoResponse {
    let is_ready = health.is_ready();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let line = |(name, reason): (&str, Option<String>)| match reason {
        None => format!("ready      {name}\n"),
        // it was ready once, and answers its clients without
        Some(reason) if is_ready => format!("without    {name}: {reason}\n"),
        Some(reason) => format!("not ready  {name}: {reason}\n"),
    };
    let failed = |failure: TaskFailure| format!("not ready  {failure}\n");
    let failures = health.failures().into_iter().map(failed);
    (status, health.conditions().into_iter().map(line).chain(failures).collect::<String>())
}

async fn scrape(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], metrics.encode())
}
