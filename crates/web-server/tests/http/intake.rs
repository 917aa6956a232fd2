//! What comes in, and what bad input gets.

use crate::client::{get, post, post_chunked, post_form, talk};
use crate::suite::{Kafka, Rest, Server, jpeg, padded};
use frame::{MAX_FRAME_BYTES, TraceParent};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_gets_a_problem_document_and_puts_nothing_on_the_bus() {
    let kafka = Kafka::start().await;
    let server = Server::ready(
        kafka.address,
        &[("MLVI_MAX_PIXELS", "10000"), ("MLVI_UPLOAD_TIMEOUT", "300ms")],
    )
    .await;
    let good = jpeg();
    let half = good[..good.len() / 2].to_vec();
    let large = {
        let size = frame::ImageSize { width: 101, height: 100 };
        let pixels = vec![0; 101 * 100 * 3];
        vision::encode_jpeg(&frame::RgbImage::new(size, pixels).unwrap(), 80).unwrap()
    };
    for path in ["/inference", "/cameras/gate/frames"] {
        for (body, status, kind) in [
            (Vec::new(), 400, "empty-body"),
            (b"no image".to_vec(), 415, "not-an-image"),
            (half.clone(), 422, "undecodable-frame"),
            (large.clone(), 422, "too-many-pixels"),
        ] {
            post(server.http, path, &[("content-type", "image/jpeg")], body.clone())
                .await
                .expect_problem(status, kind);
            post_form(server.http, path, &body).await.expect_problem(status, kind);
        }
        let multipart = [("content-type", "multipart/form-data; boundary=XX")];
        post(server.http, path, &multipart, b"nonsense".to_vec())
            .await
            .expect_problem(400, "malformed-multipart");
        post(server.http, path, &multipart, b"--XX--\r\n".to_vec())
            .await
            .expect_problem(400, "missing-image");
        for query in [
            "?wait=soon",
            "?wait=61s",
            "?sequence=-1",
            "?deadline=x",
            "?captured_at=x",
            "?captured_at=1764335000",
        ] {
            post(server.http, &format!("{path}{query}"), &[], good.clone())
                .await
                .expect_problem(400, "invalid-parameter");
        }
    }
    let problem = post(server.http, "/inference?wait=2m", &[], good.clone())
        .await
        .expect_problem(400, "invalid-parameter");
    assert!(problem["detail"].as_str().unwrap().contains("at most 1m"), "{problem}");
    post(server.http, "/inference?camera=a%20b", &[], good.clone())
        .await
        .expect_problem(400, "invalid-parameter");
    post(server.http, "/cameras/a%20b/frames", &[], good.clone())
        .await
        .expect_problem(400, "invalid-parameter");
    get(server.http, "/nowhere").await.expect_problem(404, "unknown-route");
    get(server.http, "/inference").await.expect_problem(405, "wrong-method");
    post(server.http, "/jobs/x", &[], Vec::new()).await.expect_problem(405, "wrong-method");
    get(server.http, "/jobs/x").await.expect_problem(404, "unknown-job");
    get(server.http, "/jobs/01890000-0000-7000-8000-000000000000/frame")
        .await
        .expect_problem(404, "unknown-job");

    // one byte of a promised hundred, and then nothing
    let slow = talk(
        server.http,
        b"POST /inference HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n\xFF".to_vec(),
    )
    .await;
    assert!(
        slow.starts_with("HTTP/1.1 408 ") && slow.contains("/problems/upload-timeout"),
        "{slow}"
    );

    assert!(server.metric("mlvi_frames_refused_total{reason=\"not-an-image\"}").await >= 4.0);
    assert_eq!(server.metric("mlvi_frames_accepted_total").await, 0.0);
    assert_eq!(server.metric("mlvi_pending_frames").await, 0.0);
    assert_eq!(server.metric("mlvi_pending_bytes").await, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_is_too_large_gets_413_and_the_client_sees_it() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let largest = padded(MAX_FRAME_BYTES);
    assert!(
        largest.len() <= MAX_FRAME_BYTES && largest.len() > MAX_FRAME_BYTES - 1000,
        "{}",
        largest.len()
    );
    assert_eq!(post(server.http, "/inference", &[], largest.clone()).await.status, 202);
    assert_eq!(post_form(server.http, "/inference", &largest).await.status, 202);
    assert_eq!(post_chunked(server.http, "/inference", largest).await.status, 202);

    let over = padded(MAX_FRAME_BYTES + 200_000);
    let problem = post(server.http, "/inference", &[], over.clone())
        .await
        .expect_problem(413, "frame-too-large");
    assert_eq!(problem["limit_bytes"], MAX_FRAME_BYTES);
    post_form(server.http, "/inference", &over).await.expect_problem(413, "frame-too-large");
    post_chunked(server.http, "/inference", over).await.expect_problem(413, "frame-too-large");
    // several times the limit: the client is still let finish
    post(server.http, "/inference", &[], vec![0xFF; 5 * MAX_FRAME_BYTES])
        .await
        .expect_problem(413, "frame-too-large");

    // a client that asks first never sends its body
    let head = "POST /inference HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
        content-length: 99999999\r\n\r\n";
    let answer = talk(server.http, head.into()).await;
    assert!(
        answer.starts_with("HTTP/1.1 413 ") && answer.contains("connection: close"),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_said_about_a_frame_travels_with_it() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let image = jpeg();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let captured_at = frame::Timestamp::now().as_micros() - 60_000_000;
    let written = captured_at.to_string();
    let headers =
        [("traceparent", trace), ("mlvi-captured-at", written.as_str()), ("mlvi-deadline", "1m")];
    let reply =
        post(server.http, "/cameras/gate/frames?sequence=41", &headers, image.clone()).await;
    let ticket = reply.json();
    assert_eq!(
        (reply.status, ticket["status"].as_str(), ticket["success"].as_str()),
        (202, Some("pending"), Some("true"))
    );
    assert_eq!(reply.header("location"), ticket["location"]);
    assert_eq!(ticket["location"], format!("/jobs/{}", ticket["job_uuid"].as_str().unwrap()));
    assert_eq!(
        (&ticket["camera"], &ticket["sequence"], &ticket["frame_id"]),
        (&"gate".into(), &41.into(), &ticket["job_uuid"])
    );

    let (message, envelope) = rest.frame().await;
    assert_eq!(message.payload, image);
    assert_eq!(message.key.as_deref(), Some(&b"gate"[..]));
    assert_eq!(ticket["job_uuid"], envelope.frame_id.to_string());
    assert_eq!((envelope.camera.as_str(), envelope.sequence), ("gate", 41));
    assert_eq!(envelope.captured_at.unwrap().as_micros(), captured_at);
    assert_eq!(envelope.deadline.unwrap().ms_since(envelope.received_at), 60_000.0);
    assert_eq!(envelope.traceparent.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    // the request's own span, under which the one that sends the frame stands
    let answered: TraceParent = reply.header("traceparent").parse().unwrap();
    assert_eq!(answered.trace_id(), envelope.traceparent.trace_id());
    assert_ne!(answered.span_id(), envelope.traceparent.span_id());
    assert_eq!(envelope.format, frame::ImageFormat::Jpeg);
    assert!(envelope.sent_at >= envelope.received_at && envelope.upload.upload_ms > 0.0);

    // a camera that does not count goes on from there; frames without a camera spread by their id
    assert_eq!(
        post(server.http, "/cameras/gate/frames", &[], image.clone()).await.json()["sequence"],
        42
    );
    assert_eq!(post_form(server.http, "/inference", &image).await.json()["camera"], "unnamed");
    assert_eq!(
        post_form(server.http, "/inference?camera=yard", &image).await.json()["camera"],
        "yard"
    );
    let keys: Vec<_> = [rest.frame().await, rest.frame().await, rest.frame().await]
        .into_iter()
        .filter(|(_, envelope)| envelope.camera.is_unnamed())
        .map(|(message, envelope)| (message.key.unwrap(), envelope.frame_id.to_string()))
        .collect();
    assert!(matches!(&keys[..], [(key, id)] if key == id.as_bytes()), "{keys:?}");
    server.stop().await;
}
