//! A played API server: lists and watches of Deployments and autoscalers over HTTP/1.1, with
//! everything that can go wrong.

mod world;

pub(crate) use world::{Ending, Kind, World};

use ports::ReservedPort;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The server. Its world outlives it, so that it can go away and come back.
pub(crate) struct PlayedApi {
    pub(crate) address: SocketAddr,
    _port: ReservedPort,
    shared: Arc<Shared>,
    running: JoinSet<()>,
}

struct Shared {
    world: Mutex<World>,
    changes: watch::Sender<u64>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no test panics while it changes the world")
    }
}

impl PlayedApi {
    /// An address on which nobody listens yet.
    pub(crate) async fn away() -> anyhow::Result<Self> {
        let port = ReservedPort::loopback()?;
        let shared = Shared { world: Mutex::new(World::default()), changes: watch::Sender::new(0) };
        let (address, shared) = (port.address(), Arc::new(shared));
        Ok(Self { address, _port: port, shared, running: JoinSet::new() })
    }

    /// A server that answers.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let mut api = Self::away().await?;
        api.come().await?;
        Ok(api)
    }

    /// Listens.
    pub(crate) async fn come(&mut self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        let shared = Arc::clone(&self.shared);
        self.running.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                // a client that goes away in the middle is no concern of the server
                connections.spawn(async move { drop(serve(stream, &shared).await) });
            }
        });
        Ok(())
    }

    /// Stops listening and drops every connection.
    pub(crate) async fn go(&mut self) {
        self.running.shutdown().await;
    }

    /// Changes the world all at once, and tells every watch.
    pub(crate) fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.shared.world());
        self.shared.changes.send_modify(|count| *count += 1);
    }

    /// Reads something off the world.
    pub(crate) fn count(&self, count: impl FnOnce(&World) -> u64) -> u64 {
        count(&self.shared.world())
    }

    /// Waits until the world is as described.
    pub(crate) async fn wait_for(
        &self,
        what: &str,
        mut is_so: impl FnMut(&World) -> bool,
    ) -> anyhow::Result<()> {
        let mut changes = self.shared.changes.subscribe();
        super::patiently(what, changes.wait_for(|_| is_so(&self.shared.world()))).await??;
        Ok(())
    }
}

/// One request a connection.
async fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.replace("%3D", "="))
    };
    let named = parameter("fieldSelector")
        .and_then(|fields| fields.strip_prefix("metadata.name=").map(str::to_owned));
    let watching = parameter("watch").is_some();
    let answer = shared.world().answer(path, named.as_deref(), watching);
    let (code, body) = match answer {
        Ok((kind, _)) if watching => {
            shared.changes.send_modify(|count| *count += 1);
            let version =
                parameter("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0);
            return stream_events(&mut stream, shared, kind, named.as_deref(), version).await;
        }
        Ok((_, list)) => (200, list),
        Err(status) => (status["code"].as_u64().unwrap_or(500), status),
    };
    respond(&mut stream, code, &body.to_string()).await?;
    // whoever waits for a number of requests
    shared.changes.send_modify(|count| *count += 1);
    Ok(())
}

async fn respond(stream: &mut TcpStream, code: u64, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {code} Played\r\nContent-Type: application/json\r\nContent-Length: \
         {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// A watch from `version` on, until the world ends it.
async fn stream_events(
    stream: &mut TcpStream,
    shared: &Shared,
    kind: Kind,
    named: Option<&str>,
    mut version: u64,
) -> std::io::Result<()> {
    let mut changes = shared.changes.subscribe();
    let endings = shared.world().endings;
    stream
        .write_all(
            b"HTTP/1.1 200 Played\r\nContent-Type: application/json\r\nTransfer-Encoding: \
              chunked\r\n\r\n",
        )
        .await?;
    loop {
        changes.mark_unchanged();
        let (events, ending) = {
            let mut world = shared.world();
            let ending = (world.endings != endings).then_some(world.ending);
            if version < world.oldest {
                world.expired += 1;
                let status = json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired",
                    "message": format!("too old resource version: {version} ({})", world.oldest)});
                (vec![json!({"type": "ERROR", "object": status})], Some(Ending::Clean))
            } else if ending.is_some() {
                // what happens while watches end is for the next one
                (Vec::new(), ending)
            } else {
                let (events, seen) = world.events(kind, named, version);
                version = seen;
                (events, None)
            }
        };
        for event in events {
            let line = format!("{event}\n");
            stream.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes()).await?;
        }
        match ending {
            Some(Ending::Clean) => {
                stream.write_all(b"0\r\n\r\n").await?;
                return stream.shutdown().await;
            }
            // in the middle of a line in the middle of a chunk
            Some(Ending::Cut) => return stream.write_all(b"40\r\n{\"type\":\"MODI").await,
            None => {}
        }
        if changes.changed().await.is_err() {
            return Ok(());
        }
    }
}
