//! An HTTP client for tests.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use ureq::http::{HeaderMap, Request};
use ureq::{Agent, SendBody};

/// Nothing here takes as long; a test that hangs must end.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no header {name}: {self:?}"))
            .to_str()
            .unwrap()
    }

    /// Panics unless this is a whole problem document.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16, kind: &str) -> Value {
        let problem = self.json();
        assert_eq!(
            (self.status, problem["type"].as_str()),
            (status, Some(format!("/problems/{kind}").as_str())),
            "{problem}"
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        let may_retry = matches!(status, 429 | 503);
        assert!(!may_retry || self.headers.contains_key("retry-after"), "{self:?}");
        problem
    }
}

fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .max_redirects(0);
    Agent::new_with_config(config.build())
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Reply {
    send(address, "GET", path, &[], None).await
}

/// The same from a server that may not answer any more.
pub(crate) async fn try_get(address: SocketAddr, path: &str) -> Option<Reply> {
    let request = Request::get(format!("http://{address}{path}"));
    let call = move || agent().run(request.body(()).unwrap()).ok().map(read);
    tokio::task::spawn_blocking(call).await.unwrap()
}

/// Posts with a `Content-Length`.
pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Reply {
    send(address, "POST", path, headers, Some(body)).await
}

/// Posts in chunks, without a `Content-Length`.
pub(crate) async fn post_chunked(address: SocketAddr, path: &str, body: Vec<u8>) -> Reply {
    let request = Request::post(format!("http://{address}{path}"));
    tokio::task::spawn_blocking(move || {
        let body = SendBody::from_owned_reader(std::io::Cursor::new(body));
        read(agent().run(request.body(body).unwrap()).unwrap())
    })
    .await
    .unwrap()
}

/// Sends a request of any method.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Vec<u8>>,
) -> Reply {
    let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let call = move || match body {
        Some(body) => read(agent().run(request.body(body).unwrap()).unwrap()),
        None => read(agent().run(request.body(()).unwrap()).unwrap()),
    };
    tokio::task::spawn_blocking(call).await.unwrap()
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Reply {
    let body = response.body_mut().with_config().limit(64 * 1024 * 1024).read_to_vec().unwrap();
    Reply { status: response.status().as_u16(), headers: response.headers().clone(), body }
}

/// Posts an image as the clients of MLVideoInference (rdsea/IoTCloudSamples) do.
pub(crate) async fn post_form(address: SocketAddr, path: &str, image: &[u8]) -> Reply {
    let mut body =
        b"--XX\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n".to_vec();
    body.extend_from_slice(
        b"--XX\r\nContent-Disposition: form-data; name=\"image\"; \
            filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n",
    );
    body.extend_from_slice(image);
    body.extend_from_slice(b"\r\n--XX--\r\n");
    post(address, path, &[("content-type", "multipart/form-data; boundary=XX")], body).await
}

/// Writes bytes as they are, then reads until the server closes the connection.
pub(crate) async fn talk(address: SocketAddr, bytes: Vec<u8>) -> String {
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    })
    .await
    .unwrap()
}

/// A stream of server-sent events, read on a thread of its own.
pub(crate) struct Events {
    receiver: tokio::sync::mpsc::UnboundedReceiver<Event>,
}

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Events {
    /// Returns once the server has begun to answer, so that everything after that is part of the
    /// stream.
    pub(crate) async fn open(
        address: SocketAddr,
        query: &str,
        last_event_id: Option<&str>,
    ) -> Self {
        let mut request = Request::get(format!("http://{address}/results{query}"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response =
            tokio::task::spawn_blocking(move || agent().run(request.body(()).unwrap()).unwrap())
                .await
                .unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let lines = std::io::BufRead::lines(std::io::BufReader::new(
                response.into_body().into_reader(),
            ));
            let mut event = Event::default();
            // an error is the end of the stream, too
            for line in lines.map_while(Result::ok) {
                match line.split_once(": ") {
                    Some(("event", value)) => event.event = value.into(),
                    Some(("id", value)) => event.id = value.into(),
                    Some(("data", value)) => event.data = value.into(),
                    _ if line.is_empty() && event != Event::default() => {
                        let _ = sender.send(std::mem::take(&mut event));
                    }
                    _ => {}
                }
            }
        });
        Self { receiver }
    }

    /// The next event; `None` when the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        tokio::time::timeout(PATIENCE, self.receiver.recv()).await.expect("no event came")
    }

    /// The next so many results, by frame id.
    pub(crate) async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let event = self.next().await.expect("the stream has ended");
            assert_eq!(event.event, "result", "{event:?}");
            ids.push(event.id);
        }
        ids
    }
}
