//! Bodies that are not sent as they are, and requests of odd forms.

use crate::client::{Reply, post, talk};
use crate::suite::{Kafka, Rest, Server, jpeg};
use std::net::SocketAddr;

const PATHS: [&str; 2] = ["/inference", "/cameras/gate/frames"];

/// One part named `image`, with these header lines.
async fn post_part(address: SocketAddr, path: &str, lines: &str, content: &[u8]) -> Reply {
    let mut body = format!("--XX\r\nContent-Disposition: form-data; name=\"image\"\r\n{lines}\r\n")
        .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--XX--\r\n");
    post(address, path, &[("content-type", "multipart/form-data; boundary=XX")], body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encoded_frame_gets_415_that_names_the_header() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    // what gzip makes of anything begins so; the bytes are never read
    let packed = b"\x1f\x8b\x08\0 and so on".to_vec();
    for path in PATHS {
        for content_type in
            ["image/jpeg", "multipart/form-data; boundary=XX", "application/octet-stream"]
        {
            for coding in ["gzip", "br", "identity, gzip", "unheard-of"] {
                let headers = [("content-type", content_type), ("content-encoding", coding)];
                let reply = post(server.http, path, &headers, packed.clone()).await;
                let problem = reply.expect_problem(415, "encoded-frame");
                assert_eq!(reply.header("accept-encoding"), "identity");
                assert_eq!(problem["header"], "Content-Encoding");
                assert!(problem["detail"].as_str().unwrap().contains(coding), "{problem}");
            }
        }
        let reply = post_part(server.http, path, "Content-Encoding: gzip\r\n", &packed).await;
        assert_eq!(reply.expect_problem(415, "encoded-frame")["header"], "Content-Encoding");
        let reply = post_part(
            server.http,
            path,
            "Content-Transfer-Encoding: base64\r\n",
            b"/9j/4AAQSkZJRg==",
        )
        .await;
        assert_eq!(
            reply.expect_problem(415, "encoded-frame")["header"],
            "Content-Transfer-Encoding"
        );
        for (name, value) in [("content-encoding", "identity"), ("content-encoding", "")] {
            assert_eq!(
                post(server.http, path, &[(name, value)], jpeg()).await.status,
                202,
                "{value}"
            );
        }
        assert_eq!(
            post_part(server.http, path, "Content-Transfer-Encoding: binary\r\n", &jpeg())
                .await
                .status,
            202
        );
    }
    assert_eq!(server.metric("mlvi_frames_refused_total{reason=\"encoded-frame\"}").await, 28.0);
    server.stop().await;
}

/// The answers to what is written in one go: the status of each, in order.
async fn statuses(address: SocketAddr, request: Vec<u8>) -> Vec<u16> {
    let answer = talk(address, request).await;
    let lines = answer.split("HTTP/1.1 ").skip(1);
    lines.map(|line| line[..3].parse().unwrap_or_else(|_| panic!("{answer}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_odd_forms_get_clear_answers() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let _rest = Rest::join(kafka.address).await;
    let image = jpeg();
    let length = image.len();
    let upload = |head: &str, body: &[u8]| {
        // on the loopback interface it answers to no other name
        let head = head.replace("host: x", "host: localhost").replace('\n', "\r\n");
        [format!("{head}\r\n\r\n").as_bytes(), body].concat()
    };
    let chunked = [format!("{length:x}\r\n").as_bytes(), &image, b"\r\n0\r\n\r\n"].concat();
    let many_headers: String = (0..150).map(|n| format!("x-{n}: y\n")).collect();
    let large_head =
        format!("GET / HTTP/1.1\nhost: x\nx: {}\nconnection: close", "y".repeat(400_000));
    let cases: Vec<(Vec<u8>, &[u16])> = vec![
        (
            upload(
                "GET http://elsewhere.example/openapi.json HTTP/1.1\nhost: x\nconnection: close",
                b"",
            ),
            &[421],
        ),
        (upload("HEAD /openapi.json HTTP/1.1\nhost: x\nconnection: close", b""), &[200]),
        (upload("OPTIONS /inference HTTP/1.1\nhost: x\nconnection: close", b""), &[204]),
        (upload("OPTIONS * HTTP/1.1\nhost: x\nconnection: close", b""), &[204]),
        (upload("CONNECT x:443 HTTP/1.1\nhost: x\nconnection: close", b""), &[421]),
        (
            upload(
                &format!(
                    "POST /inference HTTP/1.1\nhost: x\ncontent-length: {length}\nconnection: close"
                ),
                &image,
            ),
            &[202],
        ),
        (
            upload(
                &format!(
                    "POST /inference HTTP/1.1\nhost: x\nexpect: 100-continue\ncontent-length: \
                     {length}\nconnection: close"
                ),
                &image,
            ),
            &[100, 202],
        ),
        (
            upload(
                &format!(
                    "POST /inference HTTP/1.1\nhost: x\ncontent-length: {length}\ncontent-length: \
                     {length}\nconnection: close"
                ),
                &image,
            ),
            &[202],
        ),
        (
            upload(
                "POST /inference HTTP/1.1\nhost: x\ncontent-length: 5\ncontent-length: \
                 6\nconnection: close",
                b"abcdef",
            ),
            &[400],
        ),
        (
            upload("POST /inference HTTP/1.1\nhost: x\ncontent-length: -5\nconnection: close", b""),
            &[400],
        ),
        (
            upload(
                "POST /inference HTTP/1.1\nhost: x\ntransfer-encoding: chunked\nconnection: close",
                &chunked,
            ),
            &[202],
        ),
        (
            upload(
                "POST /inference HTTP/1.1\nhost: x\ntransfer-encoding: gzip, chunked\nconnection: \
                 close",
                &chunked,
            ),
            &[501],
        ),
        (
            upload(
                "POST /inference HTTP/1.1\nhost: x\ntransfer-encoding: gzip\nconnection: close",
                &chunked,
            ),
            &[400],
        ),
        (
            upload(
                "POST /inference HTTP/1.1\nhost: x\ntransfer-encoding: chunked\nconnection: close",
                b"zz\r\n",
            ),
            &[400],
        ),
        (upload(&format!("GET / HTTP/1.1\nhost: x\n{many_headers}connection: close"), b""), &[431]),
        (upload(&large_head, b""), &[431]),
        (
            upload(
                "GET / HTTP/1.1\nhost: x\n\nGET /nowhere HTTP/1.1\nhost: x\nconnection: close",
                b"",
            ),
            &[200, 404],
        ),
        (upload("nonsense", b""), &[400]),
    ];
    for (request, expected) in cases {
        let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
        assert_eq!(statuses(server.http, request).await, expected, "{shown}");
    }
    let old = talk(server.http, b"GET / HTTP/1.0\r\n\r\n".to_vec()).await;
    assert!(old.starts_with("HTTP/1.0 200 "), "{old}");
    server.stop().await;
}
