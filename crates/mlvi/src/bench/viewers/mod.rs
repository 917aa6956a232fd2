//! `mlvi bench viewers`: what it costs a web-server that others look on.
//!
//! The web-server is a process of its own, on one core (needs `taskset`); the embedded broker,
//! the clients and the inference, which is played, are in this process. Cameras stream all the
//! time. Clients who look come and go in turns, and single frames at even distances tell by how
//! much an answer is later with them than without.

mod clients;

use super::busy::{Trust, Watch};
use super::frames;
use super::load::client::Client;
use super::played::Played;
use super::process::resident_mb;
use super::section::{Grid, Section};
use super::show;
use super::stats::Series;
use super::web_server::WebServer;
use crate::server::ServerArgs;
use anyhow::Context;
use clap::Args;
use cli::table::number;
use clients::{Counts, Looking, stream};
use embedded_broker::{Broker, BrokerConfig};
use hyper::body::Bytes;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How long the web-server may take to become ready, and frames to be accounted for at the end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections and caches settle after each turn.
const SETTLE: Duration = Duration::from_secs(2);
/// The bound on memory that is promised, in MiB, without what jobs may take.
const BASE_MIB: u64 = 64;
const UPLOAD_MIB: u64 = 8;
/// What the web-server is told to keep of results, in MiB.
const JOBS_MIB: u64 = 64;

/// What `mlvi bench viewers` can be told.
#[derive(Debug, Args)]
pub struct ViewersArgs {
    /// Clients of GET /results
    #[arg(long, value_name = "N", default_value_t = 200)]
    events: usize,
    /// Clients of a camera's live.mjpeg
    #[arg(long, value_name = "N", default_value_t = 20)]
    live: usize,
    /// Cameras that stream all the time, a frame a second each
    #[arg(long, value_name = "N", default_value_t = 50)]
    streams: usize,
    /// Single frames a second, whose answers are timed
    #[arg(long, value_name = "FPS", default_value_t = 10.0)]
    rate: f64,
    /// How often clients come and go
    #[arg(long, value_name = "N", default_value_t = 3)]
    turns: usize,
    /// How long each half of a turn is measured, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// The core that the web-server runs on
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    core: usize,
    /// The photo that the 640x480 frames are cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    image: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ViewersArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.streams >= 1 && args.turns >= 1 && args.seconds >= 1,
        "--streams, --turns and --seconds must be at least 1"
    );
    anyhow::ensure!(args.rate.is_finite() && args.rate > 0.0, "--rate must be above 0");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(measure(args));
    runtime.shutdown_background();
    show(&[render(args, &measured?)?], args.json)
}

/// Everything that was found.
#[derive(Serialize)]
struct Measured {
    /// Frames that streams and single uploads had accepted.
    accepted: u64,
    /// Of these, how many the broker gave to whoever reads them.
    read: u64,
    /// Median of the single frames' answers, in milliseconds, without and with viewers.
    alone_ms: f64,
    viewed_ms: f64,
    /// The 99th percentiles.
    alone_p99_ms: f64,
    viewed_p99_ms: f64,
    /// Single frames without an answer.
    failed: usize,
    /// What clients who look got in all turns: events, and bytes of pictures.
    events: u64,
    picture_bytes: u64,
    /// How often a client was told that it was too slow.
    lagged: u64,
    /// Resident, in MB, at its peak; and what is promised.
    peak_mb: f64,
    promised_mb: f64,
    trust: Trust,
}

async fn measure(args: &ViewersArgs) -> anyhow::Result<Measured> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(BrokerConfig::new(dir.path())).await?;
    let brokers = broker.address().to_string();
    let kept = JOBS_MIB.to_string();
    let jobs = ("MLVI_MAX_JOBS_MIB", kept.as_str());
    let server = WebServer::start(Some(args.core), &brokers, &[jobs]).await?;
    let played = Played::start(&brokers)?;
    let frames = frames::from_photo(&args.image, args.streams.min(8))?;
    let frames: Vec<Bytes> = frames.into_iter().map(|frame| frame.jpeg.into()).collect();

    let (stop, counts) = (CancellationToken::new(), Arc::new(Counts::default()));
    let mut streams = tokio::task::JoinSet::new();
    for camera in 0..args.streams {
        let frame = frames[camera % frames.len()].clone();
        streams.spawn(stream(server.http, camera, args.streams, frame, stop.clone()));
    }
    let single = ServerArgs::of(format!("http://{}", server.http));
    let client = Arc::new(Client::new(&single, PATIENCE)?);
    let (mut alone, mut viewed, mut failed, mut single_frames) = (vec![], vec![], 0, 0);
    let watch = Watch::start(&[server.pid()])?;
    for _ in 0..args.turns {
        for looked_at in [false, true] {
            let looking = if looked_at {
                Some(Looking::begin(args, server.http, &counts).await?)
            } else {
                None
            };
            sleep(SETTLE).await;
            let answers = time_answers(args, &client, &frames[0]).await;
            drop(looking);
            single_frames += answers.iter().filter(|answer| answer.is_some()).count() as u64;
            failed += answers.iter().filter(|answer| answer.is_none()).count();
            if looked_at { &mut viewed } else { &mut alone }.extend(answers.into_iter().flatten());
        }
    }
    let trust = watch.trust([])?;
    stop.cancel();
    let mut accepted = single_frames;
    while let Some(ended) = streams.join_next().await {
        accepted += ended??;
    }
    let all = async {
        while played.read() < accepted {
            sleep(Duration::from_millis(50)).await;
        }
    };
    // what has not come by then is lost
    drop(timeout(PATIENCE, all).await);
    let (_, peak_mb) = resident_mb(server.pid())?;
    let promised = (BASE_MIB + UPLOAD_MIB * args.streams as u64 + JOBS_MIB) << 20;
    let read = played.read();
    server.stop()?;
    broker.shutdown().await?;
    let none = "no single frame was answered";
    let (alone, viewed) = (Series::new(alone).context(none)?, Series::new(viewed).context(none)?);
    Ok(Measured {
        accepted,
        read,
        alone_ms: alone.median(),
        viewed_ms: viewed.median(),
        alone_p99_ms: alone.quantile(0.99),
        viewed_p99_ms: viewed.quantile(0.99),
        failed,
        events: counts.events.load(Ordering::Relaxed),
        picture_bytes: counts.picture_bytes.load(Ordering::Relaxed),
        lagged: counts.lagged.load(Ordering::Relaxed),
        peak_mb,
        promised_mb: promised as f64 / 1e6,
        trust,
    })
}

/// Sends single frames at even distances; gives the milliseconds from the moment of each to its
/// result, `None` where there is none.
async fn time_answers(args: &ViewersArgs, client: &Arc<Client>, frame: &Bytes) -> Vec<Option<f64>> {
    let distance = Duration::from_secs_f64(1.0 / args.rate);
    let count = (args.seconds as f64 * args.rate).ceil() as u32;
    let started = Instant::now();
    let mut sendings = tokio::task::JoinSet::new();
    for index in 0..count {
        let at = started + distance * index;
        sleep_until(at).await;
        let (client, frame) = (Arc::clone(client), frame.clone());
        sendings.spawn(async move {
            let answer = client.post("/cameras/single/frames?wait=10s", frame).await;
            let ms = at.elapsed().as_secs_f64() * 1000.0;
            answer.is_ok_and(|answer| answer.status == 200).then_some(ms)
        });
    }
    sendings.join_all().await
}

fn render(args: &ViewersArgs, measured: &Measured) -> anyhow::Result<Section> {
    let ViewersArgs { events, live, streams, .. } = args;
    let title = format!(
        "One web-server on one core: {streams} streams, with and without {events} readers of \
         results and {live} viewers of pictures"
    );
    let mut section = Section::new("viewers", &title, serde_json::to_value(measured)?);
    section.paragraph(measured.trust.sentence());
    let mut grid = Grid::new(&["what", "is"]);
    let mut row = |what: &str, value: f64| grid.row(vec![what.into(), number(value)]);
    row("frames that were accepted", measured.accepted as f64);
    row("lost on the bus", measured.accepted.saturating_sub(measured.read) as f64);
    row("single frames without an answer", measured.failed as f64);
    row("median of an answer without viewers, ms", measured.alone_ms);
    row("the same with viewers, ms", measured.viewed_ms);
    row("added at the median, ms", measured.viewed_ms - measured.alone_ms);
    row("p99 without viewers, ms", measured.alone_p99_ms);
    row("p99 with viewers, ms", measured.viewed_p99_ms);
    row("events that viewers got", measured.events as f64);
    row("pictures that viewers got, MB", measured.picture_bytes as f64 / 1e6);
    row("times that a reader of results was too slow", measured.lagged as f64);
    row("resident at its peak, MB", measured.peak_mb);
    row("resident, as promised, MB", measured.promised_mb);
    section.grid(grid);
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        viewers: ViewersArgs,
    }

    #[test]
    fn the_table_says_what_viewers_cost() {
        let measured = Measured {
            accepted: 1000,
            read: 997,
            alone_ms: 10.0,
            viewed_ms: 14.0,
            alone_p99_ms: 20.0,
            viewed_p99_ms: 40.0,
            failed: 0,
            events: 5,
            picture_bytes: 7_000_000,
            lagged: 0,
            peak_mb: 90.0,
            promised_mb: 500.0,
            trust: Trust { others: 0.0, stolen: 0.0, scatter: 0.0 },
        };
        let args = Cli::parse_from(["viewers"]).viewers;
        let text = render(&args, &measured).unwrap().text();
        let last = |what: &str| {
            let line = text.lines().find(|line| line.starts_with(what)).unwrap();
            line.split_whitespace().last().unwrap().to_owned()
        };
        assert_eq!(last("lost on the bus"), "3.00");
        assert_eq!(last("added at the median"), "4.00");
        assert_eq!(last("pictures that viewers got"), "7.00");
    }
}
