//! What is open ends with the right to it.

use crate::client::{get, post};
use crate::suite::{Kafka, PATIENCE, Rest, Server, jpeg};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use web_server::Secret;

/// Makes a token that may do everything; another one alone is in the file afterwards.
struct Token {
    file: PathBuf,
    bearer: String,
}

impl Token {
    fn new(dir: &Path) -> Self {
        let file = dir.join("tokens.toml");
        let secret = Self::write(&file);
        Self { file, bearer: format!("Bearer {}", secret.reveal()) }
    }

    fn write(file: &Path) -> Secret {
        let secret = Secret::fresh().unwrap();
        let hash = secret.hash().unwrap();
        let lines = format!("[[token]]\nname = 'a'\nhash = '{hash}'\nrights = ['send', 'read']\n");
        std::fs::write(file, lines).unwrap();
        secret
    }

    fn take_back(&self) {
        Self::write(&self.file);
    }
}

/// Sends a request whose connection stays open, and reads until the server ends it.
fn hold(address: SocketAddr, request: String, body: Vec<u8>) -> JoinHandle<String> {
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_streams_end_when_the_token_is_taken_back() {
    let kafka = Kafka::start().await;
    let token = Token::new(kafka.dir.path());
    let settings =
        [("MLVI_TOKENS_FILE", token.file.to_str().unwrap()), ("MLVI_FILES_RELOAD", "10ms")];
    let server = Server::ready(kafka.address, &settings).await;
    let mut rest = Rest::join(kafka.address).await;
    let bearer = [("authorization", token.bearer.as_str())];
    let (shown, _) = tokio::join!(
        post(server.http, "/cameras/gate/frames?wait=15s", &bearer, jpeg()),
        rest.serve(1)
    );
    assert_eq!(shown.status, 200, "{shown:?}");

    let head = |line: &str| {
        format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: {}\r\n",
            token.bearer
        )
    };
    let results = hold(server.http, head("GET /results") + "\r\n", Vec::new());
    let pictures = hold(server.http, head("GET /cameras/gate/live.mjpeg") + "\r\n", Vec::new());
    let image = jpeg();
    let mut chunk = format!("{:x}\r\n", image.len()).into_bytes();
    chunk.extend_from_slice(&image);
    chunk.extend_from_slice(b"\r\n");
    let of_stream = "content-type: video/x-motion-jpeg\r\ntransfer-encoding: chunked\r\n\r\n";
    let video = head("POST /cameras/gate/stream?wait=0") + of_stream;
    let video = hold(server.http, video, chunk);
    // nothing was sent yet: no summary tells of it
    let silent = hold(server.http, head("POST /cameras/yard/stream") + of_stream, Vec::new());
    let mut request =
        format!("ws://{}/cameras/gate/ws", server.http).into_client_request().unwrap();
    request.headers_mut().insert("authorization", token.bearer.parse().unwrap());
    let connection = tokio::net::TcpStream::connect(server.http).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, connection).await.unwrap();
    socket.send(Message::Ping(Vec::new().into())).await.unwrap();
    server.until_metric("mlvi_result_streams", 1.0).await;
    server.until_metric("mlvi_web_server_picture_viewers", 1.0).await;
    server.until_metric("mlvi_web_server_camera_streams", 3.0).await;
    rest.serve(1).await;

    token.take_back();
    let results = results.await.unwrap();
    assert!(results.starts_with("HTTP/1.1 200") && results.ends_with("\r\n0\r\n\r\n"), "{results}");
    let pictures = pictures.await.unwrap();
    assert!(pictures.starts_with("HTTP/1.1 200") && pictures.ends_with("\r\n0\r\n\r\n"));
    let video = video.await.unwrap();
    let (_, summary) = video.split_once("\r\n\r\n").unwrap();
    let summary: Value = serde_json::from_str(summary).unwrap();
    assert_eq!(
        (&summary["ended_by"], &summary["frames"]["accepted"]),
        (&"right-over".into(), &1.into())
    );
    let silent = silent.await.unwrap();
    assert!(silent.starts_with("HTTP/1.1 401") && silent.contains("right-over"), "{silent}");
    let mut told = Vec::new();
    let close = loop {
        match socket.next().await.expect("the connection ended").unwrap() {
            Message::Text(text) => told.push(serde_json::from_str::<Value>(&text).unwrap()),
            Message::Close(frame) => break frame.unwrap(),
            _ => {}
        }
    };
    assert_eq!(close.code, CloseCode::Policy, "{close}");
    assert_eq!(told.last().unwrap()["summary"]["ended_by"], "right-over", "{told:?}");
    server.until_metric("mlvi_web_server_camera_streams", 0.0).await;
    assert_eq!(get(server.http, "/cameras").await.status, 401);
    server.stop().await;
}
