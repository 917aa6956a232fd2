//! Pictures of frames that were uploaded at this replica, or at another one.

use crate::client::{get, post};
use crate::suite::{Kafka, PATIENCE, Rest, Server};
use frame::{
    BoundingBox, Detection, FrameResult, ImageSize, ModelInfo, Origin, RgbImage, ServedBy,
    TimingsMs,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const NOT_TAKEN: &str =
    "mlvi_web_server_http_connections_closed_total{reason=\"answer-not-taken\"}";

/// A photo that does not compress well: about 100 kB.
fn photo(seed: u32) -> Vec<u8> {
    let size = ImageSize { width: 480, height: 360 };
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let noise = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    let pixels = (0..size.width * size.height * 3).map(noise).collect();
    vision::encode_jpeg(&RgbImage::new(size, pixels).unwrap(), 80).unwrap()
}

/// Uploads a photo of the camera `gate`, which is answered with a dog in the middle.
async fn send(server: &Server, rest: &mut Rest, seed: u32) -> FrameResult {
    let accepted = post(server.http, "/cameras/gate/frames", &[], photo(seed)).await;
    assert_eq!(accepted.status, 202);
    let (message, envelope) = rest.frame().await;
    let model =
        ModelInfo { name: "m".into(), version: "0".into(), input: "1x1".into(), resize: None };
    let bounding_box = BoundingBox { x: -50.0, y: 100.0, width: 200.0, height: 150.0 };
    let dog =
        Detection { class: "dog".into(), class_id: 5, confidence: 0.75, bounding_box, zones: None };
    let done = envelope.done(vec![dog], model, ServedBy::default(), TimingsMs::default());
    let result = FrameResult { image: Some(ImageSize { width: 480, height: 360 }), ..done };
    let origin = Origin { partition: message.partition, offset: message.offset };
    rest.answer(&envelope, &result, Some(origin)).await;
    result
}

/// The blue border of the dog's box, at the picture's left edge where the box is cut.
fn has_box(jpeg: &[u8]) -> bool {
    let picture = vision::decode(jpeg, &vision::Limits::default()).unwrap();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let row = |y: usize| {
        let pixels = &picture.data().as_chunks::<3>().0[y * width..][..width / 8];
        pixels.iter().filter(|[red, _, blue]| *blue > *red && blue - red > 60).count()
    };
    // the noise is blue here and there, a line nearly everywhere
    (height * 99 / 360..height * 103 / 360).any(|y| row(y) > width / 8 * 3 / 4)
}

/// Looks at the camera, on a thread: gives each part's frame.
fn look(address: SocketAddr) -> tokio::sync::mpsc::UnboundedReceiver<(String, Vec<u8>)> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // as HTTP/1.0, so that the body is not in chunks
        stream.write_all(b"GET /cameras/gate/live.mjpeg HTTP/1.0\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let (mut id, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            match line.trim_end().split_once(": ") {
                Some(("mlvi-frame-id", value)) => id = value.into(),
                Some(("Content-Length", value)) => length = value.parse().unwrap(),
                _ if line == "\r\n" && length > 0 => {
                    let mut jpeg = vec![0; std::mem::take(&mut length)];
                    reader.read_exact(&mut jpeg).unwrap();
                    let _ = sender.send((id.clone(), jpeg));
                }
                _ => {}
            }
        }
    });
    receiver
}

async fn until_shown(
    parts: &mut tokio::sync::mpsc::UnboundedReceiver<(String, Vec<u8>)>,
    result: &FrameResult,
) -> Vec<u8> {
    let wait = async {
        loop {
            let (id, jpeg) = parts.recv().await.expect("the stream has ended");
            if id == result.frame_id.to_string() {
                return jpeg;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the picture did not come")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_replica_shows_what_was_found() {
    let kafka = Kafka::start().await;
    let (server, other) =
        tokio::join!(Server::ready(kafka.address, &[]), Server::ready(kafka.address, &[]));
    let mut rest = Rest::join(kafka.address).await;
    let first = send(&server, &mut rest, 1).await;
    for replica in [&server, &other] {
        let path = format!("/jobs/{}", first.frame_id);
        let clipped = get(replica.http, &format!("{path}?wait=15s&clip=1")).await.json();
        assert_eq!(clipped["detections"][0]["box"]["x"], 0.0);
        assert_eq!(clipped["detections"][0]["box"]["width"], 150.0);
        let as_it_is = get(replica.http, &path).await.json();
        assert_eq!(as_it_is["detections"][0]["box"]["x"], -50.0);
        let drawn = get(replica.http, &format!("{path}/annotated")).await;
        assert_eq!((drawn.status, drawn.header("content-type")), (200, "image/jpeg"));
        assert!(has_box(&drawn.body));
        let plain = get(replica.http, &format!("{path}/annotated?boxes=0")).await;
        assert!(plain.status == 200 && !has_box(&plain.body));
        let latest = get(replica.http, "/cameras/gate/latest.jpg").await;
        assert!(latest.status == 200 && has_box(&latest.body));
        let cameras = get(replica.http, "/cameras").await.json();
        assert_eq!(cameras["cameras"][0]["camera"], "gate");
        assert_eq!(cameras["cameras"][0]["results"]["done"], 1);
        assert_eq!(cameras["total"], 1);
    }

    let mut parts = [look(server.http), look(other.http)];
    for seed in 2..5 {
        let result = send(&server, &mut rest, seed).await;
        for parts in &mut parts {
            assert!(has_box(&until_shown(parts, &result).await));
        }
    }
    // who takes frames in while they are watched need not read them back
    let fetched = "mlvi_web_server_frames_fetched_total{from=\"memory\"}";
    assert!(server.metric(fetched).await >= 3.0);
    server.until_metric("mlvi_web_server_picture_viewers", 1.0).await;
    server.stop().await;
    other.stop().await;
    for parts in &mut parts {
        while parts.recv().await.is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_does_not_read_is_disconnected() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[("MLVI_WRITE_TIMEOUT", "700ms")]).await;
    let mut rest = Rest::join(kafka.address).await;
    let result = send(&server, &mut rest, 1).await;
    let job = format!("/jobs/{}?wait=15s", result.frame_id);
    assert_eq!(get(server.http, &job).await.status, 200);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.connect(&server.http.into()).unwrap();
    let mut idle = TcpStream::from(socket);
    idle.write_all(b"GET /cameras/gate/live.mjpeg HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    server.until_metric("mlvi_web_server_picture_viewers", 1.0).await;
    let mut watching = look(server.http);
    let closed = async {
        let mut seed = 2;
        while server.metric(NOT_TAKEN).await < 1.0 {
            let result = send(&server, &mut rest, seed).await;
            until_shown(&mut watching, &result).await;
            seed += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("it is still there");
    drop(idle);
    server.stop().await;
}
