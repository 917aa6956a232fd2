//! The past, asked for over HTTP.

use crate::routes::router;
use crate::testing::{app, call};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use frame::{
    BoundingBox, Decision, Destination, Detection, FrameId, FrameResult, ServedBy, Status,
    TimingsMs,
};
use results_db::{Access, Batch, Database};
use serde_json::Value;

fn result(camera: &str, found: &[(&str, f32)]) -> FrameResult {
    let bounding_box = BoundingBox { x: 1.0, y: 2.0, width: 3.0, height: 4.0 };
    let detection = |(class, confidence): &(&str, f32)| Detection {
        class: (*class).into(),
        class_id: 1,
        confidence: *confidence,
        bounding_box,
        zones: None,
    };
    FrameResult {
        frame_id: FrameId::fresh(),
        camera: camera.parse().unwrap(),
        sequence: 7,
        status: Status::Done,
        error: None,
        image: None,
        detections: found.iter().map(detection).collect(),
        decision: Some(Decision::new(Destination::Cloud, "in-time", "deadline")),
        same_as: None,
        attempt: None,
        hardness: None,
        overtaken_by: None,
        model: None,
        served_by: ServedBy::default(),
        timings_ms: TimingsMs::default(),
    }
}

async fn get(router: &Router, path: &str, accept: &str) -> (u16, String) {
    let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
    let response = call(router, request).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1_000_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn json(router: &Router, path: &str) -> Value {
    let (status, text) = get(router, path, "application/json").await;
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// A router over a database with these results.
async fn past(results: &[FrameResult]) -> (tempfile::TempDir, Router) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("results.sqlite").display());
    let database = Database::open(&url.parse().unwrap(), Access::Write).await.unwrap();
    database.store(&Batch::of(results.to_vec())).await.unwrap();
    (dir, router(app(&[("MLVI_DATABASE_URL", &url)])))
}

#[tokio::test]
async fn pages_follow_each_other_in_every_form() {
    let results: Vec<_> = (0..5).map(|_| result("gate", &[("dog", 0.5), ("cat", 0.25)])).collect();
    let (_dir, router) = past(&results).await;
    let mut path = "/history?limit=2&class=dog".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = json(&router, &path).await;
        for held in page["results"].as_array().unwrap() {
            seen.push(serde_json::from_value::<FrameResult>(held.clone()).unwrap());
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/history?limit=2&class=dog&cursor={next}");
    }
    let mut expected = results.clone();
    expected.sort_by_key(|result| std::cmp::Reverse(result.frame_id));
    assert_eq!(seen, expected);

    let (_, lines) = get(&router, "/history", "application/x-ndjson").await;
    assert_eq!(lines.lines().count(), 5);
    let (_, table) = get(&router, "/history", "text/csv, application/x-ndjson;q=0.5").await;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 1 + 10, "a head, and a line for each detection");
    let first = &expected[0].frame_id;
    assert!(lines[1].starts_with(&format!("{first},")), "{table}");
    assert!(lines[1].ends_with(",gate,7,done,cloud,in-time,,dog,0.5,1,2,3,4"), "{table}");
}

#[tokio::test]
async fn counts_and_events_are_made_of_detections() {
    let results = [
        result("gate", &[("dog", 0.5), ("dog", 0.75)]),
        result("gate", &[("dog", 0.625)]),
        result("yard", &[("cat", 0.5)]),
    ];
    let (_dir, router) = past(&results).await;
    let counts = json(&router, "/history/counts?by=day&class=dog").await;
    let total = |key: &str| -> u64 {
        counts["counts"].as_array().unwrap().iter().map(|count| count[key].as_u64().unwrap()).sum()
    };
    // the frames may lie on both sides of midnight
    assert_eq!((total("detections"), total("frames")), (3, 2), "{counts}");
    let events = json(&router, "/history/events?camera=gate&gap=1m").await;
    let event = &events["events"][0];
    assert_eq!(events["events"].as_array().unwrap().len(), 1, "{events}");
    assert_eq!((event["frames"].as_u64(), event["most"].as_u64()), (Some(2), Some(2)));
    assert_eq!(event["best_frame"], results[0].frame_id.to_string());
    assert_eq!(events["looked_back_to_ms"], Value::Null);
}

#[tokio::test]
async fn without_a_database_it_says_so_and_all_else_goes_on() {
    let router = router(app(&[]));
    for path in ["/history", "/history/counts", "/history/events"] {
        let (status, text) = get(&router, path, "application/json").await;
        assert!(status == 404 && text.contains("/problems/no-history"), "{path}: {text}");
    }
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("none.sqlite").display());
    let router = super::super::router(app(&[("MLVI_DATABASE_URL", &url)]));
    let (status, text) = get(&router, "/history", "application/json").await;
    assert!(status == 503 && text.contains("/problems/history-away"), "{text}");
    assert_eq!(get(&router, "/stats", "application/json").await.0, 200);
}
