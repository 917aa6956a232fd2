//! Streams of frames that come in.

use crate::client::{get, post, talk};
use crate::suite::{Kafka, PATIENCE, Rest, Server, jpeg};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

const VIDEO: &[(&str, &str)] = &[("content-type", "video/x-motion-jpeg")];

/// A camera that sends its stream piece by piece.
struct Camera(TcpStream);

impl Camera {
    fn connect(address: SocketAddr, path: &str) -> Self {
        Self::with_type(address, path, "video/x-motion-jpeg")
    }

    fn with_type(address: SocketAddr, path: &str, content_type: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\n\
             transfer-encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).unwrap();
        self.0.write_all(bytes).unwrap();
        self.0.write_all(b"\r\n").unwrap();
    }

    /// The answer to the end of the stream.
    fn finish(mut self) -> Value {
        self.0.write_all(b"0\r\n\r\n").unwrap();
        self.answer()
    }

    /// Waits for the answer, whether or not the stream is at its end.
    fn answer(mut self) -> Value {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        serde_json::from_str(body).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_of_a_video_comes_onto_the_bus_and_the_answer_sums_up() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let mut broken = jpeg();
    broken.truncate(broken.len() / 2);
    let video = [&jpeg()[..], b"garbage", &jpeg(), &broken, &jpeg()].concat();
    let path = "/cameras/gate/stream?drop=none&in_flight=2";
    let (reply, results) =
        tokio::join!(post(server.http, path, VIDEO, video.clone()), rest.serve(4));
    assert_eq!(results.iter().map(|result| result.sequence).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(results.iter().all(|result| result.camera.as_str() == "gate"));
    let summary = reply.json();
    assert_eq!(reply.status, 200, "{summary}");
    let frames = json!({"received": 4, "accepted": 4, "dropped": 0, "dropped_by_reason": {}});
    assert_eq!(summary["frames"], frames);
    assert_eq!(summary["results"], json!({"done": 4}));
    for (member, value) in [
        ("camera", json!("gate")),
        ("ended_by", json!("complete")),
        ("bytes", json!(video.len())),
        ("skipped_bytes", json!(7)),
        ("pending", json!(0)),
    ] {
        assert_eq!(summary[member], value, "{summary}");
    }
    assert_eq!(server.metric("mlvi_web_server_stream_skipped_bytes_total").await, 7.0);
    let accepted = "mlvi_web_server_stream_frames_total{outcome=\"accepted\"}";
    assert_eq!(server.metric(accepted).await, 4.0);
    assert_eq!(server.metric("mlvi_web_server_pending_bytes").await, 0.0);

    // the same as parts, of which one is no image
    let part = |body: &[u8]| {
        let head = format!("--b\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body, b"\r\n"].concat()
    };
    let parts = [part(&jpeg()), part(b"<html>"), part(&jpeg())].concat();
    let headers = [("content-type", "multipart/x-mixed-replace; boundary=b")];
    let (reply, _) = tokio::join!(post(server.http, path, &headers, parts), rest.serve(2));
    let frames = &reply.json()["frames"];
    assert_eq!((&frames["accepted"], &frames["received"]), (&json!(2), &json!(3)));
    assert_eq!(frames["dropped_by_reason"], json!({"not-an-image": 1}));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_sent_together_stay_in_order_under_their_numbers() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let part = |number: u64| {
        let head =
            format!("--b\r\nContent-Length: {}\r\nMLVI-Sequence: {number}\r\n\r\n", jpeg().len());
        [head.as_bytes(), &jpeg(), b"\r\n"].concat()
    };
    // the last one does not tell its number, so it gets the next one
    let last =
        [format!("--b\r\nContent-Length: {}\r\n\r\n", jpeg().len()).as_bytes(), &jpeg()].concat();
    let numbers: Vec<u64> = (0..60).map(|n| 1000 + 2 * n).collect();
    let video = [numbers.iter().map(|number| part(*number)).collect::<Vec<_>>().concat(), last];
    let path = "/cameras/gate/stream?drop=none&in_flight=16";
    let headers = [("content-type", "multipart/x-mixed-replace; boundary=b")];
    let (reply, results) =
        tokio::join!(post(server.http, path, &headers, video.concat()), rest.serve(61));
    assert_eq!(reply.json()["frames"]["accepted"], 61, "{}", reply.json());
    let sequences: Vec<u64> = results.iter().map(|result| result.sequence).collect();
    assert_eq!(sequences, [numbers, vec![1119]].concat());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ffmpeg_writes_is_a_stream() {
    const FRAMES: usize = 12;
    if !requires::ffmpeg() {
        return;
    }
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    for (format, content_type) in
        [("mjpeg", "video/x-motion-jpeg"), ("mpjpeg", "multipart/x-mixed-replace; boundary=ffmpeg")]
    {
        let path = format!("/cameras/{format}/stream?drop=none");
        let mut camera = Camera::with_type(server.http, &path, content_type);
        let played = tokio::task::spawn_blocking(move || {
            let mut ffmpeg = Command::new("ffmpeg")
                .args(["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=24"])
                .args(["-frames:v", &FRAMES.to_string(), "-f", format, "-"])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let (mut output, mut bytes) = (ffmpeg.stdout.take().unwrap(), [0; 4096]);
            loop {
                match output.read(&mut bytes).unwrap() {
                    0 => break,
                    count => camera.send(&bytes[..count]),
                }
            }
            assert!(ffmpeg.wait().unwrap().success());
            camera.finish()
        });
        let (summary, results) = tokio::join!(played, rest.serve(FRAMES));
        let summary = summary.unwrap();
        assert_eq!(summary["frames"]["accepted"], FRAMES, "{format}: {summary}");
        assert_eq!(summary["skipped_bytes"], 0, "{format}: {summary}");
        assert!(results.is_sorted_by_key(|result| result.sequence));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_too_fast_is_dropped_as_the_client_says() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    // of the frames behind the one that is in flight: which one is kept, and why the others are not
    for (drop, kept, reason) in
        [("oldest", 3, "replaced-by-newer"), ("newest", 1, "others-wait"), ("none", 1, "")]
    {
        let path = format!("/cameras/{drop}/stream?drop={drop}&in_flight=1&deadline=20s");
        let mut camera = Camera::connect(server.http, &path);
        // the number of a frame is its number of bytes behind the first
        let numbered = |number: usize| {
            let comment = [&[0xFF, 0xFE, 0, 2 + number as u8][..], &vec![b'.'; number]].concat();
            [&jpeg()[..2], &comment, &jpeg()[2..]].concat()
        };
        camera.send(&numbered(0));
        let first = rest.frame().await;
        for number in 1..4 {
            camera.send(&numbered(number));
        }
        if !reason.is_empty() {
            let name = format!("mlvi_web_server_stream_frames_total{{outcome=\"{reason}\"}}");
            server.until_metric_appears(&format!("{name} 2\n")).await;
        }
        rest.done(&first).await;
        let second = rest.frame().await;
        assert_eq!(second.0.payload, numbered(kept), "{drop}");
        assert!(second.1.deadline.is_some());
        rest.done(&second).await;
        let rest_of_it = tokio::task::spawn_blocking(move || camera.finish());
        let left = if drop == "none" { 2 } else { 0 };
        let (summary, _) = tokio::join!(rest_of_it, rest.serve(left));
        let summary = summary.unwrap();
        assert_eq!(summary["frames"]["received"], 4, "{summary}");
        assert_eq!(summary["frames"]["dropped"], 2 - left, "{summary}");
        assert_eq!(summary["results"]["done"], 2 + left, "{summary}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_stream_is_refused() {
    let kafka = Kafka::start().await;
    let settings = [("MLVI_UPLOAD_TIMEOUT", "200ms"), ("MLVI_MAX_CAMERA_STREAMS", "1")];
    let server = Server::ready(kafka.address, &settings).await;
    let path = "/cameras/gate/stream";
    let refused = |headers, body: &[u8]| post(server.http, path, headers, body.to_vec());
    refused(VIDEO, b"").await.expect_problem(400, "empty-body");
    refused(VIDEO, b"no image at all").await.expect_problem(415, "no-frames");
    refused(&[("content-type", "multipart/form-data; boundary=x")], b"--x")
        .await
        .expect_problem(400, "malformed-multipart");
    refused(&[("content-encoding", "gzip")], b"x").await.expect_problem(415, "encoded-frame");
    let silent = talk(
        server.http,
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nabc").into(),
    );
    assert!(silent.await.contains("/problems/upload-stalled"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_bounded_and_a_shutdown_sums_up() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[("MLVI_MAX_CAMERA_STREAMS", "1")]).await;
    let mut rest = Rest::join(kafka.address).await;
    let mut camera = Camera::connect(server.http, "/cameras/gate/stream");
    camera.send(&jpeg());
    let frame = rest.frame().await;
    post(server.http, "/cameras/yard/stream", VIDEO, jpeg())
        .await
        .expect_problem(503, "too-many-streams");
    assert_eq!(server.metric("mlvi_web_server_camera_streams").await, 1.0);
    // an upload has a place all the same
    assert_eq!(post(server.http, "/inference", &[], jpeg()).await.status, 202);
    rest.done(&frame).await;
    let job = format!("/jobs/{}?wait=15s", frame.1.frame_id);
    assert_eq!(get(server.http, &job).await.status, 200);
    let answer = tokio::task::spawn_blocking(move || camera.answer());
    server.stop().await;
    let summary = answer.await.unwrap();
    assert_eq!(summary["ended_by"], "shutdown", "{summary}");
    assert_eq!(summary["frames"]["accepted"], 1, "{summary}");
}
