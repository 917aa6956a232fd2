//! A played API server.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Barrier};

/// What a played API server has; everything else is not found.
#[derive(Default)]
pub(crate) struct Played {
    lists: BTreeMap<String, Value>,
    refused: Vec<String>,
    texts: BTreeMap<String, String>,
    together: Option<Barrier>,
}

impl Played {
    /// Answers a path with a list of objects.
    pub(crate) fn list(mut self, path: &str, items: Value) -> Self {
        self.lists.insert(path.to_owned(), items);
        self
    }

    /// Forbids all paths that end so.
    pub(crate) fn refuse(mut self, end: &str) -> Self {
        self.refused.push(end.to_owned());
        self
    }

    /// Answers a path with a text.
    pub(crate) fn text(mut self, path: &str, text: &str) -> Self {
        self.texts.insert(path.to_owned(), text.to_owned());
        self
    }

    /// Answers with texts only when so many are asked for at the same time.
    pub(crate) fn texts_together(mut self, count: usize) -> Self {
        self.together = Some(Barrier::new(count));
        self
    }

    /// Serves until the test ends; gives the folder with the kubeconfig, and its path.
    pub(crate) fn serve(self) -> anyhow::Result<(tempfile::TempDir, PathBuf)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let played = Arc::new(self);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), played) = (stream, Arc::clone(&played)) else { return };
                std::thread::spawn(move || played.answer(stream));
            }
        });
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("config");
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "played",
            "clusters": [{"name": "played", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "tester", "user": {"token": "secret"}}],
            "contexts": [{"name": "played", "context": {"cluster": "played", "user": "tester"}}]});
        std::fs::write(&kubeconfig, config.to_string())?;
        Ok((folder, kubeconfig))
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split([' ', '?']).nth(1).unwrap_or_default();
        let (code, body) = self.answer_to(path);
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {code} Played\r\nContent-Type: application/json\r\nContent-Length: \
             {length}\r\nConnection: close\r\n\r\n"
        );
        // a client that goes away is no concern of the server
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
    }

    fn answer_to(&self, path: &str) -> (u16, String) {
        let failure = |code: u16, message: &str| {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message});
            (code, status.to_string())
        };
        if self.refused.iter().any(|end| path.ends_with(end)) {
            return failure(403, "that is forbidden");
        }
        if let Some(items) = self.lists.get(path) {
            let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items});
            return (200, list.to_string());
        }
        if let Some(text) = self.texts.get(path) {
            if let Some(together) = &self.together {
                together.wait();
            }
            return (200, text.clone());
        }
        failure(404, "the server could not find the requested resource")
    }
}
