//! A fake API server that answers each path with one text.

use ports::ReservedPort;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Code and body of an answer, by path.
pub(crate) type Answers = BTreeMap<String, (u16, String)>;

/// A server that answers until it is dropped, and the kubeconfig that leads to it.
pub(crate) struct FakeApi {
    folder: tempfile::TempDir,
    _serving: JoinSet<()>,
    /// The port on which nobody listens.
    _silent: Option<ReservedPort>,
}

impl FakeApi {
    /// Serves these answers; every other path is not found.
    pub(crate) async fn serve(answers: Answers) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let answers = Arc::new(answers);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let answers = Arc::clone(&answers);
                // a client that goes away in the middle is no concern of the server
                connections.spawn(async move { drop(respond(stream, &answers).await) });
            }
        });
        Ok(Self { folder: kubeconfig(address)?, _serving: serving, _silent: None })
    }

    /// A kubeconfig that leads to an address on which nobody listens.
    pub(crate) async fn absent() -> anyhow::Result<Self> {
        let port = ReservedPort::loopback()?;
        let folder = kubeconfig(port.address())?;
        Ok(Self { folder, _serving: JoinSet::new(), _silent: Some(port) })
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        file_in(self.folder.path())
    }
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("config")
}

/// The namespace comes from the context.
fn kubeconfig(address: SocketAddr) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let context = json!({"cluster": "fake", "user": "tester", "namespace": "video"});
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "tester", "user": {"token": "secret"}}],
        "contexts": [{"name": "fake", "context": context}]});
    std::fs::write(file_in(folder.path()), config.to_string())?;
    Ok(folder)
}

/// One request a connection.
async fn respond(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split([' ', '?']).nth(1).unwrap_or_default();
    let not_found = || failure(404, "the server could not find the requested resource");
    let (code, body) = answers.get(path).cloned().unwrap_or_else(not_found);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {code} Fake\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The answer to a list.
pub(crate) fn list(items: &Value) -> (u16, String) {
    let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"},
        "items": items});
    (200, list.to_string())
}

/// The answer that says why there is no other.
pub(crate) fn failure(code: u16, message: &str) -> (u16, String) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": "Because", "message": message});
    (code, status.to_string())
}
