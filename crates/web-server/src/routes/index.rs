//! `GET /`: what there is.

use axum::Json;
use serde_json::{Value, json};

pub(super) async fn show() -> Json<Value> {
    Json(json!({
        "service": "mlvi web-server",
        "version": env!("CARGO_PKG_VERSION"),
        "endpoints": {
            "upload": "POST /inference",
            "upload_of_a_camera": "POST /cameras/{camera}/frames",
            "video_of_a_camera": "POST /cameras/{camera}/stream",
            "socket_of_a_camera": "GET /cameras/{camera}/ws",
            "job": "GET /jobs/{id}",
            "frame_of_a_job": "GET /jobs/{id}/frame",
            "results": "GET /results",
            "description": "GET /openapi.json",
        },
        "try": "curl -F image=@photo.jpg 'http://HOST:PORT/inference?wait=10s'",
    }))
}
