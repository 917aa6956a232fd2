//! `GET /`: the dashboard for browsers, and what there is for programs.

use crate::routes::page;
use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub(super) async fn show(headers: HeaderMap) -> Response {
    if page::is_wanted(&headers) {
        return page::document(&headers);
    }
    ([(header::VARY, "accept")], Json(list())).into_response()
}

/// Every endpoint by name.
pub(super) fn list() -> Value {
    json!({
        "service": "mlvi web-server",
        "version": env!("CARGO_PKG_VERSION"),
        "endpoints": {
            "upload": "POST /inference",
            "upload_of_a_camera": "POST /cameras/{camera}/frames",
            "video_of_a_camera": "POST /cameras/{camera}/stream",
            "socket_of_a_camera": "GET /cameras/{camera}/ws",
            "job": "GET /jobs/{id}",
            "frame_of_a_job": "GET /jobs/{id}/frame",
            "picture_of_a_job": "GET /jobs/{id}/annotated",
            "cameras": "GET /cameras",
            "latest_picture_of_a_camera": "GET /cameras/{camera}/latest.jpg",
            "live_pictures_of_a_camera": "GET /cameras/{camera}/live.mjpeg",
            "regions_of_a_camera": "GET /cameras/{camera}/regions",
            "regions": "GET /regions",
            "results": "GET /results",
            "policy": "GET /policy",
            "contracts": "GET /contracts",
            "session": "GET /session",
            "history": "GET /history",
            "counts_of_the_past": "GET /history/counts",
            "events_of_the_past": "GET /history/events",
            "picture_of_the_past": "GET /history/thumbnails/{id}",
            "stats": "GET /stats",
            "dashboard": "GET / (with Accept: text/html)",
            "documentation": "GET /docs",
            "description": "GET /openapi.json",
        },
        "try": "curl -F image=@photo.jpg 'http://HOST:PORT/inference?wait=10s'",
    })
}
