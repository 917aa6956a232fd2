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
            "job": "GET /jobs/{id}",
            "frame_of_a_job": "GET /jobs/{id}/frame",
            "picture_of_a_job": "GET /jobs/{id}/annotated",
            "cameras": "GET /cameras",
            "latest_picture_of_a_camera": "GET /cameras/{camera}/latest.jpg",
            "live_pictures_of_a_camera": "GET /cameras/{camera}/live.mjpeg",
            "results": "GET /results",
            "policy": "GET /policy",
            "description": "GET /openapi.json",
        },
        "try": "curl -F image=@photo.jpg 'http://HOST:PORT/inference?wait=10s'",
    }))
}
