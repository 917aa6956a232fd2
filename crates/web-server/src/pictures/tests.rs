//! Pictures as clients get them, of uploads that are still here.

use super::*;
use crate::jobs::samples;
use crate::testing::{app, call};
use axum::body::{Body, BodyDataStream, to_bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use frame::{FrameResult, ImageSize, RgbImage, Timestamp};
use futures_util::StreamExt;
use tokio::time::Instant;

/// A grey JPEG of the size that the samples of results tell.
fn upload(envelope: &Envelope, app: &App) {
    let size = ImageSize { width: 640, height: 480 };
    let grey = RgbImage::new(size, vec![100; 640 * 480 * 3]).unwrap();
    app.pictures.recent.keep(envelope, &vision::encode_jpeg(&grey, 80).unwrap());
}

fn finish(app: &App, result: &FrameResult) {
    let finished = Finished::new(result, None);
    if result.status.is_final() {
        app.store.finish(finished, Timestamp::now());
    } else {
        app.store.hold(finished, Timestamp::now());
    }
}

/// A frame of a camera that was uploaded, and is done.
fn frame(app: &App, camera: &str, sequence: u64) -> FrameId {
    let envelope = samples::envelope(camera, sequence);
    upload(&envelope, app);
    finish(app, &samples::done_for(envelope.frame_id, camera, sequence));
    envelope.frame_id
}

async fn get(app: &Arc<App>, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    call(&crate::routes::router(app.clone()), request.body(Body::empty()).unwrap()).await
}

async fn picture(response: Response) -> RgbImage {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "image/jpeg");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let body = to_bytes(response.into_body(), 1_000_000).await.unwrap();
    vision::decode(&body, &vision::Limits::default()).unwrap()
}

/// Whether the sample's box or its label is on the picture: something red near 12, 20.
fn is_drawn(picture: &RgbImage) -> bool {
    let x = picture.width() * 12 / 640;
    (0..picture.height() / 8).any(|y| {
        let [red, _, blue] = picture.data().as_chunks().0[(y * picture.width() + x) as usize];
        red.saturating_sub(blue) > 80
    })
}

async fn problem(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let body = to_bytes(response.into_body(), 100_000).await.unwrap();
    let problem: frame::Problem = serde_json::from_slice(&body).unwrap();
    (status, problem.kind)
}

#[tokio::test]
async fn a_jobs_picture_shows_what_was_found_and_never_changes() {
    let app = app(&[]);
    let id = frame(&app, "gate", 1);
    let path = format!("/jobs/{id}/annotated");
    let response = get(&app, &path, &[]).await;
    assert_eq!(response.headers()["cache-control"], "private, no-cache");
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let drawn = picture(response).await;
    assert_eq!(drawn.size(), ImageSize { width: 640, height: 480 });
    assert!(is_drawn(&drawn));
    let known = get(&app, &path, &[("if-none-match", &format!("\"x\", W/{tag}"))]).await;
    assert_eq!(
        (known.status(), known.headers()["etag"].to_str().unwrap()),
        (StatusCode::NOT_MODIFIED, &*tag)
    );

    let plain = get(&app, &format!("{path}?boxes=0"), &[("if-none-match", &tag)]).await;
    assert!(!is_drawn(&picture(plain).await));
    let small = picture(get(&app, &format!("{path}?width=300"), &[]).await).await;
    assert_eq!(small.size(), ImageSize { width: 320, height: 240 });
    assert!(is_drawn(&small));
    let wide = get(&app, &format!("{path}?width=0"), &[]).await;
    assert_eq!(
        problem(wide).await,
        (StatusCode::BAD_REQUEST, "/problems/invalid-parameter".into())
    );
}

#[tokio::test]
async fn a_jobs_picture_goes_by_its_state() {
    let app = app(&[]);
    let envelope = samples::envelope("gate", 1);
    let id = envelope.frame_id;
    let path = format!("/jobs/{id}/annotated");
    assert_eq!(get(&app, &path, &[]).await.status(), 202, "nothing is known of it");
    let unknown = get(&app, "/jobs/1/annotated", &[]).await;
    assert_eq!(problem(unknown).await.1, "/problems/unknown-job");

    upload(&envelope, &app);
    finish(&app, &samples::provisional_for(id, "gate", 1));
    let provisional = get(&app, &path, &[]).await;
    assert_eq!(provisional.headers()["cache-control"], "no-store");
    let tag = provisional.headers()["etag"].clone();
    assert!(is_drawn(&picture(provisional).await));
    finish(&app, &samples::done_for(id, "gate", 1));
    assert_ne!(get(&app, &path, &[]).await.headers()["etag"], tag);

    let failed = samples::envelope("gate", 2);
    upload(&failed, &app);
    let failed = failed.frame_id;
    finish(&app, &samples::failed_for(failed, "gate", 2));
    let refusal = get(&app, &format!("/jobs/{failed}/annotated"), &[]).await;
    assert_eq!(problem(refusal).await.1, "/problems/model-failed");
    let plain = get(&app, &format!("/jobs/{failed}/annotated?boxes=0"), &[]).await;
    assert!(!is_drawn(&picture(plain).await));

    let skipped = samples::envelope("gate", 3);
    upload(&skipped, &app);
    let result = FrameResult { frame_id: skipped.frame_id, ..samples::skipped(id) };
    finish(&app, &result);
    let same = get(&app, &format!("/jobs/{}/annotated", skipped.frame_id), &[]).await;
    assert!(is_drawn(&picture(same).await), "it equals a frame with a box");

    let elsewhere = samples::done("gate", 4);
    finish(&app, &elsewhere);
    let unread = get(&app, &format!("/jobs/{}/annotated", elsewhere.frame_id), &[]).await;
    assert_eq!(problem(unread).await.1, "/problems/frame-not-known");
    assert_eq!(app.fetches.available_permits(), crate::app::MAX_FETCHED_BYTES);
}

#[tokio::test]
async fn an_upload_that_cannot_be_decoded_is_told() {
    let app = app(&[]);
    let envelope = samples::envelope("gate", 1);
    app.pictures.recent.keep(&envelope, b"\xFF\xD8\xFF no picture");
    finish(&app, &samples::done_for(envelope.frame_id, "gate", 1));
    let refusal = get(&app, &format!("/jobs/{}/annotated", envelope.frame_id), &[]).await;
    assert_eq!(problem(refusal).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    tokio::spawn(drive(app.clone()));
    let refusal = get(&app, "/cameras/gate/latest.jpg", &[]).await;
    assert_eq!(problem(refusal).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    frame(&app, "gate", 2);
    assert!(is_drawn(&picture(get(&app, "/cameras/gate/latest.jpg", &[]).await).await));
}

#[tokio::test]
async fn a_picture_that_needs_too_much_memory_is_not_made() {
    // 48 MiB for pixels, which are 5 million of a JPEG
    let app = app(&[("MLVI_MEMORY_MIB", "128")]);
    let size = ImageSize { width: 3000, height: 2000 };
    let large = RgbImage::new(size, vec![100; 3000 * 2000 * 3]).unwrap();
    let envelope = samples::envelope("gate", 1);
    app.pictures.recent.keep(&envelope, &vision::encode_jpeg(&large, 50).unwrap());
    finish(&app, &samples::done_for(envelope.frame_id, "gate", 1));
    let refusal = get(&app, &format!("/jobs/{}/annotated", envelope.frame_id), &[]).await;
    assert_eq!(problem(refusal).await.1, "/problems/too-many-pixels");
}

#[tokio::test]
async fn a_cameras_latest_picture_follows_its_results() {
    let app = app(&[]);
    tokio::spawn(drive(app.clone()));
    let none = get(&app, "/cameras/gate/latest.jpg", &[]).await;
    assert_eq!(problem(none).await, (StatusCode::NOT_FOUND, "/problems/no-picture".into()));
    let mut tags = Vec::new();
    for sequence in 0..3 {
        let id = frame(&app, "gate", sequence);
        let response = get(&app, "/cameras/gate/latest.jpg", &[]).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["mlvi-frame-id"], id.to_string().as_str());
        tags.push(response.headers()["etag"].to_str().unwrap().to_owned());
        assert!(is_drawn(&picture(response).await));
    }
    let known = get(&app, "/cameras/gate/latest.jpg", &[("if-none-match", &tags[2])]).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let other = get(&app, "/cameras/gate/latest.jpg?boxes=0", &[("if-none-match", &tags[2])]).await;
    assert!(!is_drawn(&picture(other).await));
    assert_eq!(app.pictures.views.count(), (2, 0), "they linger for those who ask again");
}

/// Reads the parts of a live answer.
struct Parts {
    body: BodyDataStream,
    read: Vec<u8>,
}

impl Parts {
    async fn open(app: &Arc<App>, path: &str) -> Self {
        let response = get(app, path, &[]).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], CONTENT_TYPE);
        Self { body: response.into_body().into_data_stream(), read: Vec::new() }
    }

    /// The next part's head and picture; `None` at the end.
    async fn next(&mut self) -> Option<(String, RgbImage)> {
        const BOUNDARY: &[u8] = b"\r\n--mlvi\r\n";
        let find =
            |read: &[u8], what: &[u8]| read.windows(what.len()).position(|window| window == what);
        loop {
            let start = find(&self.read, BOUNDARY).map(|at| at + BOUNDARY.len());
            if let Some(start) = start
                && let Some(end) = find(&self.read[start..], BOUNDARY)
            {
                let part = self.read.drain(..start + end).skip(start).collect::<Vec<u8>>();
                let head = find(&part, b"\r\n\r\n").unwrap();
                let (head, jpeg) = (&part[..head], &part[head + 4..]);
                let picture = vision::decode(jpeg, &vision::Limits::default()).unwrap();
                return Some((String::from_utf8(head.to_vec()).unwrap(), picture));
            }
            match self.body.next().await {
                Some(piece) => self.read.extend_from_slice(&piece.unwrap()),
                None => {
                    assert!(self.read.ends_with(b"\r\n--mlvi--\r\n"));
                    return None;
                }
            }
        }
    }
}

/// Home Assistant's integration "MJPEG IP Camera" passes the stream on as it is, and takes for a
/// still image what lies from the first start of a JPEG to the first end of one
/// (`async_extract_image_from_mjpeg` in its `components/mjpeg/camera.py`), whatever the parts tell.
#[tokio::test]
async fn home_assistant_finds_the_picture_in_the_stream() {
    let app = app(&[]);
    tokio::spawn(drive(app.clone()));
    frame(&app, "gate", 1);
    let mut live = get(&app, "/cameras/gate/live.mjpeg", &[]).await.into_body().into_data_stream();
    let mut read: Vec<u8> = Vec::new();
    let find = |read: &[u8], marker: &[u8]| read.windows(2).position(|window| window == marker);
    let end = loop {
        read.extend_from_slice(&live.next().await.unwrap().unwrap());
        if let Some(end) = find(&read, b"\xFF\xD9") {
            break end + 2;
        }
    };
    let start = find(&read, b"\xFF\xD8").unwrap();
    let picture = vision::decode(&read[start..end], &vision::Limits::default()).unwrap();
    assert_eq!((picture.width(), picture.height()), (640, 480));
    assert!(is_drawn(&picture));
    // parts tell their lengths, for those that go by them
    let head = std::str::from_utf8(&read[..start]).unwrap();
    assert!(head.starts_with("\r\n--mlvi\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", end - start)), "{head}");
}

#[tokio::test]
async fn live_pictures_come_as_they_are_made_and_end_at_shutdown() {
    let app = app(&[]);
    tokio::spawn(drive(app.clone()));
    let none = get(&app, "/cameras/gate/live.mjpeg", &[]).await;
    assert_eq!(problem(none).await.1, "/problems/no-picture");
    let mut id = frame(&app, "gate", 0);
    let mut parts = Parts::open(&app, "/cameras/gate/live.mjpeg?width=160").await;
    for sequence in 1..4 {
        let (head, picture) = parts.next().await.unwrap();
        assert!(head.starts_with("Content-Type: image/jpeg\r\nContent-Length: "), "{head}");
        assert!(head.ends_with(&format!("mlvi-frame-id: {id}")), "{head}");
        assert_eq!(picture.width(), 160);
        id = frame(&app, "gate", sequence);
    }
    assert_eq!(app.pictures.views.count(), (1, 1));
    app.shutdown.cancel();
    while parts.next().await.is_some() {}
    drop(parts);
    assert_eq!(app.pictures.views.count().1, 0);
}

#[tokio::test]
async fn a_picture_is_made_once_for_all_viewers_and_slow_ones_skip() {
    let app = app(&[]);
    let driver = tokio::spawn(drive(app.clone()));
    frame(&app, "gate", 0);
    let variant = Variant { boxes: true, width: Some(160) };
    let join = || app.pictures.views.join(("gate".parse().unwrap(), variant)).unwrap();
    let (mut one, mut other, mut slow) = (join(), join(), join());
    let mut last = None;
    for sequence in 1..4 {
        frame(&app, "gate", sequence);
        let (position, _) = app.store.shown(&"gate".parse().unwrap()).unwrap();
        let (ours, theirs) = tokio::join!(one.newest(position), other.newest(position));
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        assert!(Arc::ptr_eq(&ours, &theirs));
        last = Some((position, ours));
    }
    let (position, picture) = last.unwrap();
    let (shown, _) = (slow.newest(position).await.unwrap(), driver.abort());
    assert!(Arc::ptr_eq(&shown, &picture), "the newest, not those that it missed");
}

/// Sets a mask over the left half of the camera `gate`, or none.
async fn mask(app: &App, points: &str) {
    let masks = if points.is_empty() { String::new() } else { format!("{{\"points\":{points}}}") };
    let value = format!("{{\"masks\":[{masks}]}}");
    let record = frame::SettingRecord::new(value, "a test".into(), None);
    let mut records = regions::Records::new(app.regions.clone());
    let key = frame::regions_key(&"gate".parse().unwrap());
    records.set(&key, &record.to_json(), 1);
    records.caught_up().await;
}

const LEFT: &str = "[[0,0],[0.5,0],[0.5,1],[0,1]]";

/// Whether the left half is black, and the right one is not.
fn is_masked(picture: &RgbImage) -> bool {
    let width = picture.width() as usize;
    let pixels = picture.data().as_chunks::<3>().0;
    let mean = |from: usize, to: usize| {
        let rows = pixels.chunks_exact(width).skip(picture.height() as usize / 2);
        let bytes: Vec<u64> =
            rows.flat_map(|row| row[from..to].iter().flatten().map(|it| u64::from(*it))).collect();
        bytes.iter().sum::<u64>() / bytes.len() as u64
    };
    assert!(mean(width / 2 + 2, width) > 90, "the other half is as it was");
    mean(0, width / 2 - 2) < 1
}

#[tokio::test]
async fn what_is_masked_is_shown_by_nothing() {
    let app = app(&[]);
    tokio::spawn(drive(app.clone()));
    let id = frame(&app, "gate", 1);
    let (job, upload) = (format!("/jobs/{id}/annotated?boxes=0"), format!("/jobs/{id}/frame"));
    let latest = "/cameras/gate/latest.jpg?boxes=0";
    let paths = [&*job, &format!("{job}&width=160"), &upload, latest];
    let mut live = Parts::open(&app, "/cameras/gate/live.mjpeg?boxes=0&width=160").await;
    let mut tags = Vec::new();
    for path in paths {
        let response = get(&app, path, &[]).await;
        tags.push(response.headers().get("etag").cloned());
        assert!(!is_masked(&picture(response).await), "{path}");
    }
    assert!(!is_masked(&live.next().await.unwrap().1));

    mask(&app, LEFT).await;
    // without a new frame
    while !is_masked(&live.next().await.unwrap().1) {}
    for (path, tag) in paths.into_iter().zip(&tags) {
        let tag = tag.as_ref().map_or("\"x\"", |tag| tag.to_str().unwrap());
        let response = get(&app, path, &[("if-none-match", tag)]).await;
        assert!(is_masked(&picture(response).await), "{path}");
    }
    // not even for a moment, from the first picture of a view on
    for width in [320, 480] {
        let view = format!("{latest}&width={width}");
        assert!(is_masked(&picture(get(&app, &view, &[]).await).await));
    }
    mask(&app, "").await;
    assert!(!is_masked(&picture(get(&app, &upload, &[]).await).await));
}

#[tokio::test]
async fn pictures_wait_until_masks_are_known() {
    let app = app(&[]);
    let id = frame(&app, "gate", 1);
    let unread = crate::testing::app_that_reads_settings(&[]);
    let envelope = samples::envelope("gate", 2);
    upload(&envelope, &unread);
    finish(&unread, &samples::done_for(envelope.frame_id, "gate", 2));
    let path = format!("/jobs/{}/frame", envelope.frame_id);
    let waiting = tokio::spawn({
        let (unread, path) = (unread.clone(), path.clone());
        async move { picture(get(&unread, &path, &[]).await).await }
    });
    // others are not concerned
    assert_eq!(get(&app, &format!("/jobs/{id}/frame"), &[]).await.status(), 200);
    assert!(!waiting.is_finished());
    mask(&unread, LEFT).await;
    assert!(is_masked(&waiting.await.unwrap()));
    // no topic is known as well
    let without = crate::testing::app_that_reads_settings(&[]);
    upload(&envelope, &without);
    finish(&without, &samples::done_for(envelope.frame_id, "gate", 2));
    without.regions.topic_is_there(false);
    assert_eq!(get(&without, &path, &[]).await.status(), 200);
}

#[tokio::test]
async fn viewers_are_bounded() {
    let app = app(&[("MLVI_MAX_VIEWERS", "2")]);
    tokio::spawn(drive(app.clone()));
    frame(&app, "gate", 0);
    let mut first = Parts::open(&app, "/cameras/gate/live.mjpeg").await;
    let second = Parts::open(&app, "/cameras/gate/live.mjpeg").await;
    for path in ["/cameras/gate/live.mjpeg", "/cameras/gate/latest.jpg"] {
        let refused = get(&app, path, &[]).await;
        assert_eq!(refused.headers()["retry-after"], "3");
        assert_eq!(problem(refused).await.1, "/problems/too-many-viewers");
    }
    assert!(first.next().await.is_some(), "the others are not concerned");
    drop(second);
    assert_eq!(get(&app, "/cameras/gate/latest.jpg", &[]).await.status(), 200);
    // views that nobody looks at make room for others
    for width in [160, 320, 640] {
        let path = format!("/cameras/gate/latest.jpg?width={width}");
        assert_eq!(get(&app, &path, &[]).await.status(), 200);
    }
    assert!(app.pictures.views.count().0 <= 2, "{:?}", app.pictures.views.count());
}

#[tokio::test]
async fn jobs_pictures_are_bounded() {
    let app = app(&[]);
    let id = frame(&app, "gate", 0);
    let all = app.pictures.waiting.try_acquire_many(MAX_WAITING as u32).unwrap();
    let refused = get(&app, &format!("/jobs/{id}/annotated"), &[]).await;
    assert_eq!(problem(refused).await.1, "/problems/too-many-pictures");
    drop(all);
    assert_eq!(get(&app, &format!("/jobs/{id}/annotated"), &[]).await.status(), 200);
}

/// The clock is given, so nothing is waited for.
#[tokio::test]
async fn pictures_are_due_at_most_ten_times_a_second_and_the_waiting_ones_first() {
    const TENTH: std::time::Duration = std::time::Duration::from_millis(100);
    let app = app(&[]);
    let views = app.pictures.views.clone();
    let variant = Variant { boxes: true, width: None };
    let keys = ["gate", "yard"].map(|camera| (camera.parse().unwrap(), variant));
    let picture = || Ok(Picture { id: FrameId::fresh(), jpeg: Bytes::new(), tag: String::new() });
    let viewers = keys.map(|key| views.join(key).unwrap());
    let start = Instant::now();
    assert!(views.due(&app.store, start, 9).0.is_empty(), "no result");
    for camera in ["gate", "yard"] {
        frame(&app, camera, 0);
    }
    let (first, _) = views.due(&app.store, start, 1);
    let (second, _) = views.due(&app.store, start, 9);
    let names = [&first[0], &second[0]].map(|due| due.key.0.as_str());
    assert!(names == ["gate", "yard"] || names == ["yard", "gate"], "{names:?}");
    assert!(views.due(&app.store, start, 9).0.is_empty(), "both are being made");
    for due in [&first[0], &second[0]] {
        views.made(&due.key, (due.position, due.generation), picture(), start);
    }
    assert!(views.due(&app.store, start + TENTH, 9).0.is_empty(), "nothing new");
    frame(&app, "gate", 1);
    let (early, next) = views.due(&app.store, start + TENTH / 2, 9);
    assert_eq!((early.len(), next), (0, Some(start + TENTH)));
    let (due, _) = views.due(&app.store, start + TENTH, 9);
    assert_eq!(due[0].key.0.as_str(), "gate");
    // what may pass is tried again a second later
    let at = (due[0].position, due[0].generation);
    views.made(&due[0].key, at, Err(RequestError::BusFull), start + TENTH);
    let (early, next) = views.due(&app.store, start + 5 * TENTH, 9);
    assert_eq!((early.len(), next), (0, Some(start + 11 * TENTH)));
    assert_eq!(views.due(&app.store, start + 11 * TENTH, 9).0.len(), 1);
    // who has nobody to look for is let go of after a while
    drop(viewers);
    assert_eq!(views.count(), (2, 0));
    views.due(&app.store, Instant::now() + 200 * TENTH, 9);
    assert_eq!(views.count(), (1, 0), "one is being made");
}
