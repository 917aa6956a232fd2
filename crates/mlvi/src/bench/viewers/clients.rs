//! Who sends, and who looks.

use super::{PATIENCE, ViewersArgs};
use anyhow::Context;
use hyper::body::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Of each camera.
const FRAME_EVERY: Duration = Duration::from_secs(1);
/// How much a client reads at once, in bytes.
const PIECE: usize = 64 * 1024;

/// What clients who look have got.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) events: AtomicU64,
    pub(super) lagged: AtomicU64,
    pub(super) picture_bytes: AtomicU64,
}

fn camera_name(camera: usize) -> String {
    format!("bench-{camera}")
}

/// Streams a frame a second until it is stopped; gives how many the server accepted. Cameras begin
/// one after the other within a second, as those of a site do.
pub(super) async fn stream(
    http: SocketAddr,
    camera: usize,
    cameras: usize,
    frame: Bytes,
    stop: CancellationToken,
) -> anyhow::Result<u64> {
    let mut server = TcpStream::connect(http).await?;
    server.set_nodelay(true)?;
    let head = format!(
        "POST /cameras/{}/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: video/x-motion-jpeg\r\nTransfer-Encoding: chunked\r\n\r\n",
        camera_name(camera)
    );
    server.write_all(head.as_bytes()).await?;
    let size = format!("{:x}\r\n", frame.len());
    let chunk = [size.as_bytes(), &frame[..], &b"\r\n"[..]].concat();
    let mut next = Instant::now() + FRAME_EVERY.mul_f64(camera as f64 / cameras as f64);
    while stop.run_until_cancelled(sleep_until(next)).await.is_some() {
        server.write_all(&chunk).await?;
        next += FRAME_EVERY;
    }
    server.write_all(b"0\r\n\r\n").await?;
    let mut answer = Vec::new();
    timeout(PATIENCE, server.read_to_end(&mut answer)).await.context("no end of a stream")??;
    let answer = String::from_utf8_lossy(&answer);
    let json = answer.find('{').zip(answer.rfind('}')).context("no summary of a stream")?;
    let summary: serde_json::Value = serde_json::from_str(&answer[json.0..=json.1])
        .with_context(|| format!("a stream's summary: {answer}"))?;
    summary["frames"]["accepted"].as_u64().with_context(|| format!("a stream's end: {summary}"))
}

/// Clients who look until this is dropped.
pub(super) struct Looking(#[expect(dead_code, reason = "dropping it ends them")] JoinSet<()>);

impl Looking {
    /// Returns when all are connected.
    pub(super) async fn begin(
        args: &ViewersArgs,
        http: SocketAddr,
        counts: &Arc<Counts>,
    ) -> anyhow::Result<Self> {
        let mut clients = JoinSet::new();
        for _ in 0..args.events {
            let mut server = ask(http, "/results").await?;
            let counts = Arc::clone(counts);
            clients.spawn(async move {
                let mut piece = vec![0; PIECE];
                // one that is cut in two between two pieces is missed, which is rare
                let count = |piece: &[u8], what: &[u8]| {
                    piece.windows(what.len()).filter(|window| *window == what).count() as u64
                };
                while let Ok(read @ 1..) = server.read(&mut piece).await {
                    let piece = &piece[..read];
                    counts.events.fetch_add(count(piece, b"event: result"), Ordering::Relaxed);
                    counts.lagged.fetch_add(count(piece, b"event: lagged"), Ordering::Relaxed);
                }
            });
        }
        for viewer in 0..args.live {
            let camera = camera_name(viewer % args.streams);
            let mut server = ask(http, &format!("/cameras/{camera}/live.mjpeg")).await?;
            let counts = Arc::clone(counts);
            clients.spawn(async move {
                let mut piece = vec![0; PIECE];
                while let Ok(read @ 1..) = server.read(&mut piece).await {
                    counts.picture_bytes.fetch_add(read as u64, Ordering::Relaxed);
                }
            });
        }
        Ok(Self(clients))
    }
}

async fn ask(http: SocketAddr, path: &str) -> anyhow::Result<TcpStream> {
    let mut server = TcpStream::connect(http).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    server.write_all(request.as_bytes()).await?;
    let mut first = [0; 12];
    timeout(PATIENCE, server.read_exact(&mut first)).await.context("no answer")??;
    anyhow::ensure!(first.ends_with(b" 200"), "{path}: {}", String::from_utf8_lossy(&first));
    Ok(server)
}
