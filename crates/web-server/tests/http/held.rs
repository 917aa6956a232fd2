//! Clients that hold their connections: they do not read, hardly read, or open too many.

use crate::client::{get, post, talk};
use crate::suite::{Kafka, Rest, Server, jpeg, padded};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const NOT_TAKEN: &str = "mlvi_http_connections_closed_total{reason=\"answer-not-taken\"}";
/// A write timeout that the tests can wait for.
const SHORT: (&str, &str) = ("MLVI_WRITE_TIMEOUT", "700ms");

/// A client with room for two kilobytes, which has asked for something so many times.
async fn hold(address: SocketAddr, request: String, times: usize) -> TcpStream {
    tokio::task::spawn_blocking(move || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(2048).unwrap();
        socket.connect(&address.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream
            .write_all(format!("{request}\r\nhost: localhost\r\n\r\n").repeat(times).as_bytes())
            .unwrap();
        stream
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_take_no_answer_are_closed() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[SHORT, ("MLVI_MAX_CONNECTIONS", "8")]).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(hold(server.http, "GET /openapi.json HTTP/1.1".into(), 300).await);
    }
    server.until_metric("mlvi_http_connections", 8.0).await;
    assert_eq!(get(server.http, "/").await.status, 200, "there is a place again");
    server.until_metric(NOT_TAKEN, 8.0).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_idle_connection_makes_room() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[("MLVI_MAX_CONNECTIONS", "8")]).await;
    let mut waiting = hold(server.http, "GET /results HTTP/1.1".into(), 1).await;
    server.until_metric("mlvi_result_streams", 1.0).await;
    let _idle: Vec<TcpStream> = (0..7).map(|_| TcpStream::connect(server.http).unwrap()).collect();
    server.until_metric("mlvi_http_connections", 8.0).await;
    let started = Instant::now();
    assert_eq!(get(server.http, "/").await.status, 200);
    assert!(started.elapsed() < Duration::from_secs(3), "at once");
    server.until_metric("mlvi_http_connections_closed_total{reason=\"displaced\"}", 1.0).await;
    assert_eq!(server.metric("mlvi_result_streams").await, 1.0, "a stream does not idle");
    waiting.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(waiting.read(&mut [0; 10]).unwrap() > 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_streams_and_slow_readers_are_closed_too() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[SHORT]).await;
    let mut rest = Rest::join(kafka.address).await;
    let (reply, _) = tokio::join!(
        post(server.http, "/inference?wait=15s", &[], padded(1_000_000)),
        rest.serve(1)
    );
    let frame = format!("/jobs/{}/frame", reply.json()["frame_id"].as_str().unwrap());
    let whole = get(server.http, &frame).await;
    assert_eq!(
        (whole.status, whole.header("content-length")),
        (200, whole.body.len().to_string().as_str())
    );

    let _frame = hold(server.http, format!("GET {frame} HTTP/1.1"), 1).await;
    server.until_metric(NOT_TAKEN, 1.0).await;

    let mut trickle = hold(server.http, format!("GET {frame} HTTP/1.1"), 1).await;
    std::thread::spawn(move || {
        let mut few = [0; 8];
        while trickle.read(&mut few).is_ok_and(|bytes| bytes > 0) {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    server.until_metric(NOT_TAKEN, 2.0).await;

    // a stream is silent until there are results, and then it is not taken either
    let _stream = hold(server.http, "GET /results HTTP/1.1".into(), 1).await;
    server.until_metric("mlvi_result_streams", 1.0).await;
    let mut sent = 0;
    while server.metric(NOT_TAKEN).await < 3.0 {
        assert!(sent < 2000, "the stream is still open");
        for _ in 0..50 {
            assert_eq!(post(server.http, "/inference", &[], jpeg()).await.status, 202);
        }
        rest.serve(50).await;
        sent += 50;
    }
    assert_eq!(server.metric("mlvi_result_streams").await, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_slowly_but_steadily_or_waits_long_is_not_closed() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[SHORT]).await;
    let mut rest = Rest::join(kafka.address).await;
    let (reply, _) =
        tokio::join!(post(server.http, "/inference?wait=15s", &[], padded(300_000)), rest.serve(1));
    let frame = format!("/jobs/{}/frame", reply.json()["frame_id"].as_str().unwrap());
    let mut stream =
        hold(server.http, format!("GET {frame} HTTP/1.1\r\nconnection: close"), 1).await;
    let slowly = tokio::task::spawn_blocking(move || {
        let (started, mut taken, mut bytes) = (Instant::now(), 0, [0; 6000]);
        loop {
            match stream.read(&mut bytes).unwrap() {
                0 => return (taken, started.elapsed()),
                read => taken += read,
            }
            std::thread::sleep(Duration::from_millis(40));
        }
    });
    // nobody answers this frame: its client waits for longer than a write may take
    let waited = post(server.http, "/inference?wait=2s", &[], jpeg()).await;
    assert_eq!(waited.status, 202);
    let (taken, time) = slowly.await.unwrap();
    assert!(taken > 300_000 && time > Duration::from_millis(1400), "{taken} bytes in {time:?}");
    assert_eq!(server.metric(NOT_TAKEN).await, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_a_bound_unless_it_is_a_proxy() {
    let kafka = Kafka::start().await;
    let bound = ("MLVI_MAX_CONNECTIONS_PER_PEER", "3");
    let server = Server::ready(kafka.address, &[bound, ("MLVI_PROXIES", "none")]).await;
    let open: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(server.http).unwrap()).collect();
    server.until_metric("mlvi_http_connections", 3.0).await;
    let refused = talk(server.http, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()).await;
    assert!(
        refused.starts_with("HTTP/1.1 429 ") && refused.contains("retry-after: 1"),
        "{refused}"
    );
    assert!(
        refused.contains("/problems/too-many-connections") && refused.contains("3 connections"),
        "{refused}"
    );
    assert_eq!(server.metric("mlvi_http_connections_refused_total").await, 1.0);
    drop(open);
    while server.metric("mlvi_http_connections").await > 0.0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(get(server.http, "/").await.status, 200);
    server.stop().await;

    let server = Server::ready(kafka.address, &[bound]).await;
    let _open: Vec<TcpStream> = (0..5).map(|_| TcpStream::connect(server.http).unwrap()).collect();
    assert_eq!(get(server.http, "/").await.status, 200, "loopback stands for many");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_port_is_bounded_too() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut silent = Vec::new();
    // an answer of /metrics is some kilobytes, and the admin port is patient for ten seconds
    for _ in 0..3 {
        silent.push(hold(server.admin, "GET /metrics HTTP/1.1".into(), 400).await);
    }
    server
        .until_metric("mlvi_admin_connections_closed_total{reason=\"answer-not-taken\"}", 3.0)
        .await;
    server.stop().await;
}
