//! `mlvi bench http --streams`: the same frames as streams and as single uploads.
//!
//! The web-server is a process of its own on one core (needs `taskset`), which both ways keep busy;
//! the embedded broker, the clients and the inference, which is played, are in this process. The
//! ways take turns, whoever begins changes, and each turn gives ratios: what else the machine does
//! weighs on all. Each way has as many frames in flight, over connections that stay open:
//! `in_flight` of a stream, and as many connections per camera with single uploads. A frame of a
//! stream is in flight until its result is there, and so is a single upload that waits for its own
//! (`?wait`); one that is over with `202` is in flight for a shorter time.

use super::busy::{Trust, Watch};
use super::http::{HttpArgs, response, send_single};
use super::played::Played;
use super::process::thread_times_of;
use super::section::{Grid, Section};
use super::stats::Series;
use super::web_server::WebServer;
use anyhow::Context;
use cli::table::number;
use embedded_broker::{Broker, BrokerConfig};
use serde::Serialize;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Connections and caches settle after each change.
const SETTLE: Duration = Duration::from_secs(1);

/// How frames are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// A request each, which is over when the frame is accepted.
    Accepted,
    /// A request each, which is over when its result is there.
    Answered,
    /// All of a camera in one request.
    Stream,
}

impl Way {
    const ALL: [Self; 3] = [Self::Accepted, Self::Answered, Self::Stream];
}

/// What one way came to within its time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Part {
    /// Accepted ones that were read from the broker.
    frames_per_s: f64,
    /// Of the web-server's process, user and system.
    cpu_us_per_frame: f64,
    /// The share of its core that it used.
    busy: f64,
}

/// All ways, one right after the other, in the order of [`Way::ALL`].
type Turn = [Part; 3];

/// Everything that was found.
#[derive(Serialize)]
struct Measured {
    cameras: usize,
    in_flight: usize,
    frame_bytes: usize,
    turns: Vec<Turn>,
    trust: Trust,
}

/// Measures all ways in turn.
///
/// # Errors
/// When the web-server is not built, does not start, or accepts no frame.
pub(super) fn section(args: &HttpArgs, frame: &Arc<Vec<u8>>) -> anyhow::Result<Section> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let dir = tempfile::tempdir()?;
    let (broker, server, played) = runtime.block_on(async {
        let broker = Broker::start(BrokerConfig::new(dir.path())).await?;
        let brokers = broker.address().to_string();
        // what is measured is not how it refuses
        let settings = [
            ("MLVI_MAX_EXPECTED_WAIT", "1h"),
            ("MLVI_MAX_PENDING_FRAMES", "100000"),
            ("MLVI_MAX_PENDING_MIB", "1000"),
            ("MLVI_MAX_CONNECTIONS_PER_PEER", "10000"),
        ];
        let server = WebServer::start(Some(args.core), &brokers, &settings).await?;
        anyhow::Ok((broker, server, Played::start(&brokers)?))
    })?;
    let watch = Watch::start(&[server.pid()])?;
    let mut turns = Vec::new();
    for turn in 0..args.turns {
        let mut parts: [Option<Part>; 3] = [None; 3];
        for place in 0..Way::ALL.len() {
            let way = (turn + place) % Way::ALL.len();
            parts[way] = Some(measure(args, frame, Way::ALL[way], &server, &played)?);
        }
        if let [Some(accepted), Some(answered), Some(stream)] = parts {
            turns.push([accepted, answered, stream]);
        }
    }
    let trust = watch.trust([])?;
    drop(played);
    server.stop()?;
    runtime.block_on(broker.shutdown())?;
    runtime.shutdown_background();
    let (cameras, in_flight, frame_bytes) =
        (args.cameras, usize::from(args.in_flight), frame.len());
    render(&Measured { cameras, in_flight, frame_bytes, turns, trust })
}

fn measure(
    args: &HttpArgs,
    frame: &Arc<Vec<u8>>,
    way: Way,
    server: &WebServer,
    played: &Played,
) -> anyhow::Result<Part> {
    let stop = Arc::new(AtomicBool::new(false));
    let connections = match way {
        Way::Accepted | Way::Answered => args.cameras * usize::from(args.in_flight),
        Way::Stream => args.cameras,
    };
    let start = |connection: usize| {
        let (frame, stop, http) = (Arc::clone(frame), Arc::clone(&stop), server.http);
        let (camera, in_flight) = (connection % args.cameras, args.in_flight);
        std::thread::spawn(move || match way {
            Way::Accepted => send_single(http, camera, "", &frame, &stop, |_, _| Ok(())),
            Way::Answered => send_single(http, camera, "?wait=10s", &frame, &stop, |_, _| Ok(())),
            Way::Stream => send_stream(http, camera, in_flight, &frame, &stop),
        })
    };
    let clients: Vec<JoinHandle<anyhow::Result<()>>> = (0..connections).map(start).collect();
    std::thread::sleep(SETTLE);
    let now = || anyhow::Ok((cpu_ms(server)?, played.read(), Instant::now()));
    let before = now()?;
    std::thread::sleep(Duration::from_secs(args.seconds));
    let after = now()?;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    let (frames, seconds) = ((after.1 - before.1) as f64, (after.2 - before.2).as_secs_f64());
    anyhow::ensure!(frames > 0.0, "no frame was accepted");
    let cpu_ms = after.0 - before.0;
    Ok(Part {
        frames_per_s: frames / seconds,
        cpu_us_per_frame: cpu_ms * 1000.0 / frames,
        busy: cpu_ms / 1000.0 / seconds,
    })
}

/// Processor time of the web-server so far, in milliseconds.
fn cpu_ms(server: &WebServer) -> anyhow::Result<f64> {
    Ok(thread_times_of(&server.pid().to_string())?.values().map(|(_, ms)| ms).sum())
}

/// Sends frames in one request, as fast as they are taken.
fn send_stream(
    http: SocketAddr,
    camera: usize,
    in_flight: u16,
    frame: &[u8],
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(http)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let head = format!(
        "POST /cameras/bench-{camera}/stream?drop=none&in_flight={in_flight} HTTP/1.1\r\n\
         Host: localhost\r\nContent-Type: video/x-motion-jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let size = format!("{:x}\r\n", frame.len());
    let chunk = [size.as_bytes(), frame, b"\r\n"].concat();
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(&chunk)?;
    }
    stream.write_all(b"0\r\n\r\n")?;
    let (status, body) = response(&mut reader)?;
    anyhow::ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&body));
    let summary: serde_json::Value = serde_json::from_slice(&body)?;
    anyhow::ensure!(summary["frames"]["dropped"] == 0, "frames were dropped: {summary}");
    Ok(())
}

fn render(measured: &Measured) -> anyhow::Result<Section> {
    let Measured { cameras, in_flight, frame_bytes, turns, trust } = measured;
    let title = format!(
        "One web-server on one core: frames of {} kB as streams and as single uploads, {cameras} \
         cameras with {in_flight} frames in flight each, {} turns",
        frame_bytes / 1000,
        turns.len()
    );
    let mut section = Section::new("ingest", &title, serde_json::to_value(measured)?);
    section.paragraph(trust.sentence());
    let mut grid = Grid::new(&[
        "medians",
        "single, accepted",
        "single, with result",
        "stream",
        "against accepted",
        "against with result",
    ]);
    let series = |of: &dyn Fn(&Turn) -> f64| {
        Series::new(turns.iter().map(of).collect()).context("nothing was measured")
    };
    let mut row = |what: &str, of: &dyn Fn(&Part) -> f64, more_is_better: bool| {
        let mut cells = vec![what.to_owned()];
        for way in 0..Way::ALL.len() {
            cells.push(number(series(&|turn| of(&turn[way]))?.median()));
        }
        for single in 0..2 {
            let ratios = series(&|turn| {
                let ratio = of(&turn[2]) / of(&turn[single]);
                if more_is_better { ratio } else { 1.0 / ratio }
            })?;
            let [low, median, high] = [ratios.min(), ratios.median(), ratios.max()];
            cells.push(format!("{median:.2} ({low:.2} to {high:.2})"));
        }
        grid.row(cells);
        anyhow::Ok(())
    };
    row("frames/s", &|part| part.frames_per_s, true)?;
    row("frames/s for a whole core's time", &|part| 1e6 / part.cpu_us_per_frame, true)?;
    row("processor time a frame, µs", &|part| part.cpu_us_per_frame, false)?;
    row("share of its core", &|part| part.busy, true)?;
    section.grid(grid);
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_has_ratios_and_the_median_counts() {
        let part = |frames_per_s, cpu| Part { frames_per_s, cpu_us_per_frame: cpu, busy: 1.0 };
        let turn =
            |single, stream| [part(single, 200.0), part(single / 2.0, 300.0), part(stream, 100.0)];
        let measured = Measured {
            cameras: 8,
            in_flight: 4,
            frame_bytes: 100_000,
            // the second turn was disturbed in one part
            turns: vec![turn(1000.0, 1500.0), turn(1000.0, 400.0), turn(800.0, 1280.0)],
            trust: Trust { others: 0.0, stolen: 0.0, scatter: 0.0 },
        };
        let text = render(&measured).unwrap().text();
        let cells = |what: &str| -> Vec<String> {
            let line = text.lines().find(|line| line.starts_with(what)).unwrap();
            let cells = line.trim_start_matches(what).split("  ").map(str::trim);
            cells.filter(|cell| !cell.is_empty()).map(Into::into).collect()
        };
        let frames = ["1000", "500.0", "1280", "1.50 (0.40 to 1.60)", "3.00 (0.80 to 3.20)"];
        assert_eq!(cells("frames/s  "), frames);
        let time = ["200.0", "300.0", "100.0", "2.00 (2.00 to 2.00)", "3.00 (3.00 to 3.00)"];
        assert_eq!(cells("processor time a frame, µs"), time);
    }
}
