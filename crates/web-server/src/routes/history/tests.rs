//! The past, asked for over HTTP.

use crate::routes::router;
use crate::testing::{app, app_that_reads_settings, call};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use frame::{BoundingBox, Decision, Destination, Detection, FrameId, FrameResult, Status};
use results_db::{Access, Batch, Database, Thumbnail};
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
        detections: found.iter().map(detection).collect(),
        decision: Some(Decision::new(Destination::Cloud, "in-time", "deadline")),
        ..FrameResult::new(FrameId::fresh(), camera.parse().unwrap(), 7, Status::Done)
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

/// The same at this time, in milliseconds since the epoch.
fn result_at(at_ms: u64, camera: &str, found: &[(&str, f32)]) -> FrameResult {
    let mut bytes = *FrameId::from_then_on(at_ms).as_bytes();
    (bytes[6], bytes[8]) = (0x70, 0x80);
    FrameResult { frame_id: FrameId::from_bytes(bytes), ..result(camera, found) }
}

#[tokio::test]
async fn pages_of_events_have_each_event_once_and_whole() {
    const START: u64 = 1_769_896_800_000;
    // a dog all the time, in more sightings than are read at once, and a cat now and then
    let mut results: Vec<_> = (0..4_500)
        .map(|n| {
            let found = [("dog", 0.5), ("cat", 0.5)];
            let classes = if n % 600 == 300 { 2 } else { 1 };
            result_at(START + n * 100, "gate", &found[..classes])
        })
        .collect();
    // two that end in the same millisecond
    results.push(result_at(START - 900_000, "yard", &[("cup", 0.5), ("vase", 0.5)]));
    let (_dir, router) = past(&results).await;
    let span = "from=2026-01-31T21:00:00Z&to=2026-01-31T23:00:00Z";
    let first = json(&router, &format!("/history/events?{span}&limit=1000")).await;
    let expected = first["events"].as_array().unwrap();
    assert_eq!(expected.len(), 1 + 7 + 2, "{first}");
    assert_eq!(first["next"], Value::Null);
    for limit in [1, 2, 3, 10] {
        let asked = format!("/history/events?{span}&limit={limit}");
        let (mut path, mut seen) = (asked.clone(), Vec::new());
        loop {
            let page = json(&router, &path).await;
            seen.extend(page["events"].as_array().unwrap().clone());
            assert!(seen.len() <= expected.len(), "{limit} at a time: {page}");
            let Some(next) = page["next"].as_str() else { break };
            path = format!("{asked}&cursor={next}");
        }
        assert_eq!(&seen, expected, "{limit} at a time");
    }
}

#[tokio::test]
async fn without_a_database_it_says_so_and_all_else_goes_on() {
    let router = router(app(&[]));
    let thumbnail = format!("/history/thumbnails/{}", FrameId::fresh());
    for path in
        ["/history", "/history/counts", "/history/events", "/history/thumbnails", &thumbnail]
    {
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

/// A white picture of 64 by 48 pixels.
fn white() -> Vec<u8> {
    let size = frame::ImageSize { width: 64, height: 48 };
    let picture = frame::RgbImage::new(size, vec![255; 64 * 48 * 3]).unwrap();
    vision::encode_jpeg(&picture, 90).unwrap()
}

#[tokio::test]
async fn events_name_their_pictures_which_are_given_without_what_is_masked_now() {
    let (first, best) = (result("gate", &[("dog", 0.5)]), result("gate", &[("dog", 0.75)]));
    let other = result("yard", &[("cat", 0.5)]);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("results.sqlite").display());
    let database = Database::open(&url.parse().unwrap(), Access::Write).await.unwrap();
    database.store(&Batch::of([first.clone(), best.clone(), other.clone()])).await.unwrap();
    let pictures = [&best, &other].map(|of| Thumbnail {
        frame_id: of.frame_id,
        camera: of.camera.clone(),
        jpeg: white(),
    });
    database.keep_thumbnails(pictures.to_vec(), 1 << 20).await.unwrap();
    let regions = dir.path().join("regions.toml");
    let mask = "[[cameras.gate.masks]]\npoints = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]\n";
    std::fs::write(&regions, mask).unwrap();
    let app = app_that_reads_settings(&[
        ("MLVI_DATABASE_URL", &url),
        ("MLVI_REGIONS_FILE", regions.to_str().unwrap()),
    ]);
    let router = router(app.clone());

    let events = json(&router, "/history/events?camera=gate").await;
    let event = &events["events"][0];
    let (first, best, other) =
        (first.frame_id.to_string(), best.frame_id.to_string(), other.frame_id.to_string());
    assert_eq!(
        (&event["first_frame"], &event["best_frame"]),
        (&first.clone().into(), &best.clone().into())
    );
    assert_eq!(event["thumbnails"], serde_json::json!([best]), "the first one has none");
    let all = json(&router, "/history/thumbnails").await;
    assert_eq!(all["thumbnails"].as_array().unwrap().len(), 2, "{all}");
    let gate = json(&router, "/history/thumbnails?camera=gate").await;
    assert_eq!(gate["thumbnails"], serde_json::json!([best]));
    let (status, problem) =
        get(&router, &format!("/history/thumbnails/{first}"), "image/jpeg").await;
    assert!(status == 404 && problem.contains("/problems/no-thumbnail"), "{problem}");
    let (status, problem) = get(&router, "/history/thumbnails/x", "image/jpeg").await;
    assert!(status == 400 && problem.contains("'id'"), "{problem}");

    // nobody knows yet what is masked
    let path = |id: &str| format!("/history/thumbnails/{id}");
    let request = Request::get(path(&best)).body(Body::empty()).unwrap();
    let soon = std::time::Duration::from_millis(100);
    assert!(tokio::time::timeout(soon, call(&router, request)).await.is_err(), "it waits");
    app.regions.has_been_read();
    let request = |id: &str| Request::get(path(id)).body(Body::empty()).unwrap();
    for (id, masked) in [(&best, true), (&other, false)] {
        let response = call(&router, request(id)).await;
        assert_eq!(response.status(), 200);
        let headers = response.headers().clone();
        assert_eq!(headers["content-type"], "image/jpeg");
        assert_eq!(headers["cache-control"], "private, no-cache");
        let jpeg = to_bytes(response.into_body(), 1_000_000).await.unwrap();
        let picture = vision::decode(&jpeg, &vision::Limits::default()).unwrap();
        let at = |x: usize| picture.data()[(24 * 64 + x) * 3];
        assert_eq!((at(8) == 0, at(56) > 250), (masked, true), "{}", at(8));
        let again = Request::get(path(id)).header("if-none-match", &headers["etag"]);
        let again = call(&router, again.body(Body::empty()).unwrap()).await;
        assert_eq!(again.status(), 304);
        let head = Request::head(path(id)).body(Body::empty()).unwrap();
        let head = call(&router, head).await;
        assert_eq!((head.status().as_u16(), &head.headers()["etag"]), (200, &headers["etag"]));
    }
}

#[tokio::test]
async fn a_link_says_its_form_in_the_query_and_gets_a_file() {
    let (_dir, router) = past(&[result("gate", &[("dog", 0.5)])]).await;
    let request = Request::get("/history?format=csv").body(Body::empty()).unwrap();
    let response = call(&router, request).await;
    assert_eq!(response.headers()["content-type"], "text/csv");
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"history.csv\"");
    let (_, lines) = get(&router, "/history?format=ndjson", "text/csv").await;
    assert!(lines.starts_with('{') && lines.ends_with("}\n"), "{lines}");
    let (status, text) = get(&router, "/history?format=xml", "text/csv").await;
    assert!(status == 400 && text.contains("'format'"), "{text}");
    let none = json(&router, "/history/events?destination=edge").await;
    assert_eq!(none["events"], serde_json::json!([]), "it was sent to the cloud");
}
