//! `mlvi bench http`: what it costs to take a frame, from the request to the broker's
//! acknowledgement.
//!
//! The web-server and the embedded broker run in this process, and so do the clients; processor
//! time is told apart by thread. Inference is played: every frame gets an empty result at once, so
//! that admission sees a suite that keeps up.

use super::busy::{Trust, Watch};
use super::frames;
use super::ingest;
use super::process::{ThreadTimes, thread_times};
use super::section::{Grid, Section};
use super::show;
use super::stats::Series;
use crate::suite::{Setup, UnitKind, set_up};
use anyhow::Context;
use clap::Args;
use cli::table::number;
use embedded_broker::{Broker, BrokerConfig};
use frame::{CameraId, Envelope, ImageFormat, ModelInfo, ResultMessage, ServedBy, Topics};
use frame_bus::{Bus, BusConfig};
use serde::{Deserialize, Serialize};
use settings::Settings;
use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use unit::Listen;

/// Connections, groups and caches settle first.
const SETTLE: Duration = Duration::from_secs(2);
/// How long the web-server may take to become ready.
const PATIENCE: Duration = Duration::from_secs(30);
/// A frame that is refused for the moment is sent again after this time, as a stream does.
const AGAIN: Duration = Duration::from_millis(50);
/// The clients' threads; their time is not the suite's.
const CLIENT: &str = "bench-client";

/// What `mlvi bench http` can be told.
#[derive(Debug, Args)]
pub struct HttpArgs {
    /// Concurrent cameras, each with a connection of its own
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(super) cameras: usize,
    /// How long is measured, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(super) seconds: u64,
    /// The size of a frame in kB: the photo's JPEG, with a comment that fills it up
    #[arg(long, value_name = "KB", default_value_t = 100)]
    pub(super) kilobytes: usize,
    /// The photo that the 640x480 frames are cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    pub(super) image: PathBuf,
    /// Measure the same frames as one stream per camera, too, in turn with single uploads to a
    /// web-server on one core
    #[arg(long)]
    pub(super) streams: bool,
    /// With --streams: how often each way is measured
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub(super) turns: usize,
    /// With --streams: frames in flight of each camera, as many connections with single uploads
    #[arg(long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) in_flight: u16,
    /// With --streams: the core that the web-server runs on
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(super) core: usize,
}

/// A frame that was accepted.
#[derive(Deserialize)]
struct Ticket {
    job_uuid: String,
}

pub(super) fn run(args: &HttpArgs) -> anyhow::Result<()> {
    show(&sections(args)?, false)
}

/// Loads the web-server; with `--streams` both ways in turn, too.
///
/// # Errors
/// When it does not start, or accepts no frame.
pub(super) fn sections(args: &HttpArgs) -> anyhow::Result<Vec<Section>> {
    anyhow::ensure!(
        args.cameras >= 1 && args.seconds >= 1 && args.turns >= 1,
        "--cameras, --seconds and --turns must be at least 1"
    );
    let frame = frames::from_photo(&args.image, 1)?.remove(0);
    let frame = Arc::new(filled_up(frame.jpeg, args.kilobytes * 1000)?);
    let mut sections = vec![render(&measure(args, &frame)?)?];
    if args.streams {
        sections.push(ingest::section(args, &frame)?);
    }
    Ok(sections)
}

fn measure(args: &HttpArgs, frame: &Arc<Vec<u8>>) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let dir = tempfile::tempdir()?;
    let server = runtime.block_on(Server::start(dir.path().into()))?;
    let load = Arc::new(Load::default());
    let (played, others) = Played::start(&server.brokers)?;

    let clients: Vec<_> = (0..args.cameras)
        .map(|camera| {
            let (load, frame, ids) = (Arc::clone(&load), Arc::clone(frame), played.ids.clone());
            let http = server.http;
            std::thread::Builder::new()
                .name(CLIENT.into())
                .spawn(move || run_camera(http, camera, &frame, &load, &ids))
        })
        .collect::<Result<_, _>>()?;
    std::thread::sleep(SETTLE);
    let watch = Watch::start(&[])?;
    let before = (thread_times()?, load.frames.load(Ordering::Relaxed), Instant::now());
    std::thread::sleep(Duration::from_secs(args.seconds));
    let after = (thread_times()?, load.frames.load(Ordering::Relaxed), Instant::now());
    let trust = watch.trust([])?;
    load.stop.store(true, Ordering::Relaxed);
    let mut waits = Vec::new();
    for client in clients {
        waits.extend(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
    }
    let (frames, seconds) = (after.1 - before.1, (after.2 - before.2).as_secs_f64());
    anyhow::ensure!(frames > 0, "no frame was accepted");
    let waits = Series::new(waits).context("no frame was accepted")?;
    played.stop();
    runtime.block_on(server.stop())?;
    Ok(Measured {
        cameras: args.cameras,
        frame_bytes: frame.len(),
        frames,
        seconds,
        wait_ms: waits.median(),
        wait_p99_ms: waits.quantile(0.99),
        cpu_ms_by_thread: spent(&before.0, &after.0, &others),
        trust,
    })
}

/// Everything that was found.
#[derive(Serialize)]
struct Measured {
    cameras: usize,
    frame_bytes: usize,
    /// Accepted ones.
    frames: u64,
    seconds: f64,
    /// Median and 99th percentile of the time until a frame's answer.
    wait_ms: f64,
    wait_p99_ms: f64,
    /// In web-server and broker.
    cpu_ms_by_thread: BTreeMap<String, f64>,
    trust: Trust,
}

/// The web-server and its broker.
struct Server {
    broker: Broker,
    brokers: String,
    http: SocketAddr,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Server {
    async fn start(dir: PathBuf) -> anyhow::Result<Self> {
        let broker = Broker::start(BrokerConfig::new(dir)).await?;
        let brokers = broker.address().to_string();
        let settings = Settings::from_pairs([
            ("MLVI_BROKERS", brokers.as_str()),
            ("MLVI_MAX_EXPECTED_WAIT", "1h"),
            ("MLVI_MAX_PENDING_FRAMES", "100000"),
            ("MLVI_MAX_PENDING_MIB", "1000"),
        ]);
        let (http_port, http) = Listen::loopback()?;
        let (admin_port, admin) = Listen::loopback()?;
        let setup = Setup { admin: Some(admin_port), http: Some(http_port), ..Setup::default() };
        let shutdown = CancellationToken::new();
        let unit = set_up(UnitKind::WebServer, settings, setup, shutdown.clone())?;
        let task = tokio::spawn(unit);
        let started = Instant::now();
        let ready = || ureq::get(format!("http://{admin}/readyz")).call().is_ok();
        while !tokio::task::block_in_place(ready) {
            anyhow::ensure!(started.elapsed() < PATIENCE, "the web-server does not become ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Self { broker, brokers, http, shutdown, task })
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.task.await??;
        Ok(self.broker.shutdown().await?)
    }
}

/// Inference that finds nothing, at once.
struct Played {
    runtime: Runtime,
    ids: mpsc::UnboundedSender<String>,
}

impl Played {
    /// Also gives the threads that it runs on.
    fn start(brokers: &str) -> anyhow::Result<(Self, HashSet<u64>)> {
        let before: HashSet<u64> = thread_times()?.into_keys().collect();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bench-played")
            .enable_all()
            .build()?;
        let bus = {
            let _inside = runtime.enter();
            Bus::open(BusConfig::new(brokers, "bench"))?
        };
        let (ids, mut accepted) = mpsc::unbounded_channel::<String>();
        runtime.spawn(async move {
            while let Some(id) = accepted.recv().await {
                let bus = bus.clone();
                tokio::spawn(async move {
                    // a result that is lost is one frame more that seems to wait
                    if let Some(result) = empty_result(&id) {
                        let topic = Topics::default().results;
                        drop(bus.send_result(&topic, result, &CancellationToken::new()).await);
                    }
                });
            }
        });
        // the client's threads have started by then
        std::thread::sleep(Duration::from_millis(500));
        let own = thread_times()?.into_keys().filter(|thread| !before.contains(thread)).collect();
        Ok((Self { runtime, ids }, own))
    }

    fn stop(self) {
        drop(self.ids);
        self.runtime.shutdown_timeout(Duration::from_secs(2));
    }
}

fn empty_result(id: &str) -> Option<ResultMessage> {
    let received = Envelope::received_now(CameraId::unnamed(), 0, ImageFormat::Jpeg);
    let envelope = Envelope { frame_id: id.parse().ok()?, ..received };
    let (name, version, input) = ("played".into(), String::new(), "1x1".into());
    let model = ModelInfo { name, version, input, resize: None };
    let result = envelope.done(vec![], model, ServedBy::default(), envelope.timings());
    Some(ResultMessage::of(&envelope, result))
}

/// What all clients share.
#[derive(Default)]
struct Load {
    frames: AtomicU64,
    stop: AtomicBool,
}

/// Sends frames over one connection, each when the one before is accepted; gives how long each
/// took, in milliseconds.
fn run_camera(
    http: SocketAddr,
    camera: usize,
    frame: &[u8],
    load: &Load,
    ids: &mpsc::UnboundedSender<String>,
) -> anyhow::Result<Vec<f64>> {
    let mut waits = Vec::new();
    send_single(http, camera, "", frame, &load.stop, |time, answer| {
        waits.push(time.as_secs_f64() * 1000.0);
        let Ticket { job_uuid } = serde_json::from_slice(answer)?;
        load.frames.fetch_add(1, Ordering::Relaxed);
        drop(ids.send(job_uuid));
        Ok(())
    })?;
    Ok(waits)
}

/// Sends frames over one connection, each when the one before is answered, until `stop`, with this
/// query; `answered` gets how long that took, and the answer. A refusal for the moment (at the start nobody knows yet
/// how fast results come) closes the connection, and there is another one.
pub(super) fn send_single(
    http: SocketAddr,
    camera: usize,
    query: &str,
    frame: &[u8],
    stop: &AtomicBool,
    mut answered: impl FnMut(Duration, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let head = format!(
        "POST /cameras/bench-{camera}/frames{query} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
        frame.len()
    );
    let request = [head.as_bytes(), frame].concat();
    while !stop.load(Ordering::Relaxed) {
        let mut stream = TcpStream::connect(http)?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        while !stop.load(Ordering::Relaxed) {
            let started = Instant::now();
            stream.write_all(&request)?;
            let (status, body) = response(&mut reader)?;
            if status == 429 {
                std::thread::sleep(AGAIN);
                break;
            }
            let is_taken = matches!(status, 200 | 202);
            anyhow::ensure!(is_taken, "{status}: {}", String::from_utf8_lossy(&body));
            answered(started.elapsed(), &body)?;
        }
    }
    Ok(())
}

/// Status and body of the next response, which tells its length.
pub(super) fn response(reader: &mut impl BufRead) -> anyhow::Result<(u16, Vec<u8>)> {
    let (mut line, mut status, mut length) = (String::new(), 0, 0);
    loop {
        line.clear();
        anyhow::ensure!(reader.read_line(&mut line)? > 0, "the connection was closed");
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        if let Some((name, value)) = text.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("a length")?;
            }
        } else {
            let code = text.split(' ').nth(1).context("a status line")?;
            status = code.parse().context("a status")?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((status, body))
}

/// The JPEG with comments behind its first marker, so that it has as many bytes.
fn filled_up(jpeg: Vec<u8>, bytes: usize) -> anyhow::Result<Vec<u8>> {
    const START: usize = 2;
    /// A comment's marker and length, and the most that it holds.
    const HEAD: usize = 4;
    const MOST: usize = 65_533;
    let mut comments = Vec::new();
    let mut missing = bytes.saturating_sub(jpeg.len());
    while missing > HEAD {
        let content = (missing - HEAD).min(MOST);
        comments.extend_from_slice(&[0xFF, 0xFE]);
        comments.extend_from_slice(&u16::try_from(content + 2)?.to_be_bytes());
        comments.resize(comments.len() + content, b' ');
        missing -= HEAD + content;
    }
    Ok([&jpeg[..START], &comments, &jpeg[START..]].concat())
}

/// Milliseconds by the name of the thread, without the clients' and the played inference's.
fn spent(
    before: &ThreadTimes,
    after: &ThreadTimes,
    others: &HashSet<u64>,
) -> BTreeMap<String, f64> {
    let mut by_name = BTreeMap::new();
    for (thread, (name, ms)) in after {
        if name == CLIENT || others.contains(thread) {
            continue;
        }
        let earlier = before.get(thread).map_or(0.0, |(_, ms)| *ms);
        *by_name.entry(name.clone()).or_default() += ms - earlier;
    }
    by_name
}

fn render(measured: &Measured) -> anyhow::Result<Section> {
    let Measured { cameras, frame_bytes, frames, cpu_ms_by_thread, trust, .. } = measured;
    let title = format!(
        "Frames of {} kB over HTTP to the broker's acknowledgement, {cameras} cameras",
        frame_bytes / 1000
    );
    let mut section = Section::new("http", &title, serde_json::to_value(measured)?);
    section.paragraph(trust.sentence());
    let mut grid = Grid::new(&["what", "is"]);
    let mut row = |what: &str, value: f64| grid.row(vec![what.into(), number(value)]);
    row("accepted frames/s", measured.rate());
    row("median until the answer, ms", measured.wait_ms);
    row("p99 until the answer, ms", measured.wait_p99_ms);
    row("processor time a frame in web-server and broker, ms", measured.cpu_ms());
    row("frames/s on one core", 1000.0 / measured.cpu_ms());
    section.grid(grid);
    let count = *frames as f64;
    let mut threads: Vec<_> =
        cpu_ms_by_thread.iter().filter(|(_, ms)| **ms / count >= 0.001).collect();
    threads.sort_by(|one, other| other.1.total_cmp(one.1));
    let mut grid = Grid::new(&["thread", "ms a frame"]);
    for (name, ms) in threads {
        grid.row(vec![name.clone(), format!("{:.3}", ms / count)]);
    }
    section.grid(grid);
    Ok(section)
}

impl Measured {
    /// Accepted frames a second.
    fn rate(&self) -> f64 {
        self.frames as f64 / self.seconds
    }

    /// Milliseconds of processor time a frame.
    fn cpu_ms(&self) -> f64 {
        self.cpu_ms_by_thread.values().sum::<f64>() / self.frames as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vision::{Limits, decode, probe};

    #[test]
    fn a_frame_that_is_filled_up_shows_the_same_picture() {
        let size = frame::ImageSize { width: 16, height: 16 };
        let image = frame::RgbImage::new(size, vec![77; 768]).unwrap();
        let jpeg = vision::encode_jpeg(&image, 90).unwrap();
        let limits = Limits::default();
        for bytes in [0, jpeg.len() + 3, 5_000, 70_000, 200_000] {
            let filled = filled_up(jpeg.clone(), bytes).unwrap();
            assert!(filled.len() >= bytes.min(filled.len()) && filled.len() + 4 >= bytes);
            assert!(filled.len() <= bytes.max(jpeg.len()));
            assert_eq!(probe(&filled, &limits).unwrap().size, size);
            assert_eq!(decode(&filled, &limits), decode(&jpeg, &limits));
        }
    }

    #[test]
    fn answers_are_read_one_after_the_other() {
        let text = "HTTP/1.1 202 Accepted\r\ncontent-length: 3\r\nx: y\r\n\r\nabc\
                    HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n";
        let mut reader = text.as_bytes();
        assert_eq!(response(&mut reader).unwrap(), (202, b"abc".to_vec()));
        assert_eq!(response(&mut reader).unwrap(), (429, vec![]));
        assert!(response(&mut reader).is_err());
    }

    #[test]
    fn the_table_has_rates_and_threads() {
        let measured = Measured {
            cameras: 8,
            frame_bytes: 100_000,
            frames: 2000,
            seconds: 2.0,
            wait_ms: 4.0,
            wait_p99_ms: 9.0,
            cpu_ms_by_thread: BTreeMap::from([("one".into(), 600.0), ("two".into(), 400.0)]),
            trust: Trust { others: 0.0, stolen: 0.0, scatter: 0.0 },
        };
        let text = render(&measured).unwrap().text();
        let last = |what: &str| {
            let line = text.lines().find(|line| line.starts_with(what)).unwrap();
            line.split_whitespace().last().unwrap().to_owned()
        };
        assert_eq!(last("accepted frames/s"), "1000");
        assert_eq!(last("frames/s on one core"), "2000");
        assert_eq!([last("one"), last("two")], ["0.300", "0.200"]);
    }

    #[test]
    fn the_time_of_clients_is_not_the_suites() {
        let times = |ms: [f64; 3]| {
            let names = ["tokio-rt-worker", CLIENT, "rdk:main"].map(String::from);
            (0..).zip(names.into_iter().zip(ms)).collect::<ThreadTimes>()
        };
        let (before, after) = (times([1.0, 2.0, 3.0]), times([5.0, 50.0, 7.0]));
        let expected = BTreeMap::from([("tokio-rt-worker".to_owned(), 4.0)]);
        assert_eq!(spent(&before, &after, &HashSet::from([2])), expected);
    }
}
