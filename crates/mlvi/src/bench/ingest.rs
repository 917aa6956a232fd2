//! `mlvi bench http --streams`: the same frames as streams and as single uploads.
//!
//! The web-server is a process of its own on one core (needs `taskset`), which both ways keep busy;
//! the embedded broker, the clients and the inference, which is played, are in this process. Both
//! ways take turns, whoever begins changes, and each pair gives a ratio: what else the machine does
//! weighs on both. In both there are as many frames in flight, over connections that stay open:
//! `in_flight` of a stream, and as many connections per camera with single uploads.

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
    /// A request each.
    Single,
    /// All of a camera in one request.
    Stream,
}

/// What one way came to within its time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Half {
    /// Accepted ones that were read from the broker.
    frames_per_s: f64,
    /// Of the web-server's process, user and system.
    cpu_us_per_frame: f64,
    /// The share of its core that it used.
    busy: f64,
}

/// Both ways, one right after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Pair {
    single: Half,
    stream: Half,
}

/// Everything that was found.
#[derive(Serialize)]
struct Measured {
    cameras: usize,
    in_flight: usize,
    frame_bytes: usize,
    pairs: Vec<Pair>,
    trust: Trust,
}

/// Measures both ways in turn.
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
    let mut pairs = Vec::new();
    for turn in 0..args.turns {
        let measure = |way| measure(args, frame, way, &server, &played);
        pairs.push(if turn % 2 == 0 {
            let single = measure(Way::Single)?;
            Pair { single, stream: measure(Way::Stream)? }
        } else {
            let stream = measure(Way::Stream)?;
            Pair { single: measure(Way::Single)?, stream }
        });
    }
    let trust = watch.trust([])?;
    drop(played);
    server.stop()?;
    runtime.block_on(broker.shutdown())?;
    runtime.shutdown_background();
    let (cameras, in_flight, frame_bytes) =
        (args.cameras, usize::from(args.in_flight), frame.len());
    render(&Measured { cameras, in_flight, frame_bytes, pairs, trust })
}

fn measure(
    args: &HttpArgs,
    frame: &Arc<Vec<u8>>,
    way: Way,
    server: &WebServer,
    played: &Played,
) -> anyhow::Result<Half> {
    let stop = Arc::new(AtomicBool::new(false));
    let connections = match way {
        Way::Single => args.cameras * usize::from(args.in_flight),
        Way::Stream => args.cameras,
    };
    let start = |connection: usize| {
        let (frame, stop, http) = (Arc::clone(frame), Arc::clone(&stop), server.http);
        let (camera, in_flight) = (connection % args.cameras, args.in_flight);
        std::thread::spawn(move || match way {
            Way::Single => send_single(http, camera, &frame, &stop, |_, _| Ok(())),
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
    Ok(Half {
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
    let Measured { cameras, in_flight, frame_bytes, pairs, trust } = measured;
    let title = format!(
        "One web-server on one core: frames of {} kB as streams and as single uploads, {cameras} \
         cameras with {in_flight} frames in flight each, {} pairs",
        frame_bytes / 1000,
        pairs.len()
    );
    let mut section = Section::new("ingest", &title, serde_json::to_value(measured)?);
    section.paragraph(trust.sentence());
    let mut grid = Grid::new(&["medians", "single uploads", "streams", "ratio", "of all pairs"]);
    let mut row = |what: &str, of: &dyn Fn(&Half) -> f64, ratio: &dyn Fn(f64, f64) -> f64| {
        let median = |values: Vec<f64>| Series::new(values).map(|series| series.median());
        let single = median(pairs.iter().map(|pair| of(&pair.single)).collect());
        let stream = median(pairs.iter().map(|pair| of(&pair.stream)).collect());
        let ratios = pairs.iter().map(|pair| ratio(of(&pair.single), of(&pair.stream))).collect();
        let ratios = Series::new(ratios).context("no pair was measured")?;
        let cell = |value: Option<f64>| number(value.unwrap_or(f64::NAN));
        grid.row(vec![
            what.into(),
            cell(single),
            cell(stream),
            format!("{:.2}", ratios.median()),
            format!("{:.2} to {:.2}", ratios.min(), ratios.max()),
        ]);
        anyhow::Ok(())
    };
    row("frames/s", &|half| half.frames_per_s, &|single, stream| stream / single)?;
    let of_cpu = |half: &Half| 1e6 / half.cpu_us_per_frame;
    row("frames/s for a whole core's time", &of_cpu, &|single, stream| stream / single)?;
    row("processor time a frame, µs", &|half| half.cpu_us_per_frame, &|one, two| one / two)?;
    row("share of its core", &|half| half.busy, &|single, stream| stream / single)?;
    section.grid(grid);
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_has_a_ratio_and_the_median_counts() {
        let half =
            |frames_per_s, cpu_us_per_frame| Half { frames_per_s, cpu_us_per_frame, busy: 1.0 };
        let pair =
            |single, stream| Pair { single: half(single, 200.0), stream: half(stream, 100.0) };
        let measured = Measured {
            cameras: 8,
            in_flight: 4,
            frame_bytes: 100_000,
            // the second pair was disturbed in one half
            pairs: vec![pair(1000.0, 1500.0), pair(1000.0, 400.0), pair(800.0, 1280.0)],
            trust: Trust { others: 0.0, stolen: 0.0, scatter: 0.0 },
        };
        let text = render(&measured).unwrap().text();
        let cells = |what: &str| -> Vec<String> {
            let line = text.lines().find(|line| line.starts_with(what)).unwrap();
            line.trim_start_matches(what).split_whitespace().map(Into::into).collect()
        };
        assert_eq!(cells("frames/s  "), ["1000", "1280", "1.50", "0.40", "to", "1.60"]);
        let whole = cells("frames/s for a whole core's time");
        assert_eq!(whole, ["5000", "10000", "2.00", "2.00", "to", "2.00"]);
        let time = cells("processor time a frame, µs");
        assert_eq!(time, ["200.0", "100.0", "2.00", "2.00", "to", "2.00"]);
    }
}
