//! Cameras on WebSockets.

use crate::client::{get, post};
use crate::suite::{Kafka, PATIENCE, Rest, Server, jpeg};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

struct Camera(WebSocketStream<TcpStream>);

impl Camera {
    async fn connect(address: SocketAddr, query: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/cameras/gate/ws{query}");
        Self(client_async(url, stream).await.unwrap().0)
    }

    async fn send(&mut self, image: Vec<u8>) {
        self.0.send(Message::binary(image)).await.unwrap();
    }

    async fn message(&mut self) -> Message {
        let next = async {
            loop {
                match self.0.next().await.expect("the connection ended").unwrap() {
                    Message::Ping(_) | Message::Pong(_) => {}
                    message => return message,
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("no message came")
    }

    /// The next text, whose type must be this one.
    async fn expect(&mut self, kind: &str) -> Value {
        let Message::Text(text) = self.message().await else { panic!("it is no text") };
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["type"], kind, "{value}");
        value
    }

    async fn closed(&mut self) -> CloseCode {
        match self.message().await {
            Message::Close(Some(frame)) => frame.code,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_go_in_and_results_come_out() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let mut camera = Camera::connect(server.http, "?in_flight=1&drop=newest").await;
    camera.send(jpeg()).await;
    let accepted = camera.expect("accepted").await;
    let frame = rest.frame().await;
    assert_eq!(accepted["frame_id"], frame.1.frame_id.to_string());
    assert_eq!((&accepted["frame"], frame.1.camera.as_str()), (&json!(0), "gate"));
    rest.provisional(&frame).await;
    let provisional = camera.expect("provisional").await;
    assert_eq!(provisional["result"]["detections"][0]["class"], "dog");

    // the second waits, the third is one too many, the fourth waits no longer than the first
    camera.send(jpeg()).await;
    camera.send(jpeg()).await;
    let dropped = camera.expect("dropped").await;
    assert_eq!(dropped, json!({"type": "dropped", "frame": 2, "reason": "others-wait"}));
    rest.done(&frame).await;
    let result = camera.expect("result").await;
    assert_eq!(result["result"]["status"], "done");
    assert_eq!(result["frame"], 0);
    assert_eq!(camera.expect("accepted").await["frame"], 1);
    rest.serve(1).await;
    assert_eq!(camera.expect("result").await["frame"], 1);

    // what is no image is told at once, and the connection goes on
    camera.send(b"no image".to_vec()).await;
    assert_eq!(camera.expect("dropped").await["reason"], "not-an-image");
    camera.0.send(Message::Ping("are you there".into())).await.unwrap();
    camera.0.send(Message::text("end")).await.unwrap();
    let summary = &camera.expect("end").await["summary"];
    assert_eq!(summary["frames"]["received"], 4, "{summary}");
    assert_eq!(summary["results"], json!({"done": 2}), "{summary}");
    assert_eq!(camera.closed().await, CloseCode::Normal);
    assert_eq!(server.metric("mlvi_web_server_pending_bytes").await, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_frame_ends_the_connection_and_so_does_a_shutdown() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut camera = Camera::connect(server.http, "").await;
    camera.0.send(Message::text("hello")).await.unwrap();
    assert_eq!(camera.closed().await, CloseCode::Unsupported);
    let mut camera = Camera::connect(server.http, "").await;
    // it is closed while it still sends
    let _ = camera.0.send(Message::binary(vec![0; 9 << 20])).await;
    assert_eq!(camera.closed().await, CloseCode::Size);
    let mut camera = Camera::connect(server.http, "").await;
    camera.0.close(None).await.unwrap();
    assert!(matches!(camera.message().await, Message::Close(_)));

    get(server.http, "/cameras/gate/ws").await.expect_problem(426, "no-websocket");
    post(server.http, "/cameras/gate/ws", &[], jpeg()).await.expect_problem(405, "wrong-method");
    let address = server.http;
    let handshake = |origin: String| async move {
        let url = format!("ws://{address}/cameras/gate/ws");
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        client_async(request, TcpStream::connect(address).await.unwrap()).await
    };
    handshake(format!("http://{address}")).await.unwrap();
    match handshake("http://elsewhere".into()).await.unwrap_err() {
        Error::Http(answer) => assert_eq!(answer.status().as_u16(), 403),
        other => panic!("{other}"),
    }

    let mut camera = Camera::connect(server.http, "").await;
    let stopping = tokio::spawn(server.stop());
    assert_eq!(camera.expect("end").await["summary"]["ended_by"], "shutdown");
    assert_eq!(camera.closed().await, CloseCode::Away);
    drop(camera);
    stopping.await.unwrap();
}
