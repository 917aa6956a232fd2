//! `mlvi bench load`: an open-loop generator of load.
//!
//! A closed loop sends its next frame when the last one is answered, so a server that stalls is
//! asked less, and the stall hardly shows (coordinated omission, as Gil Tene named it). Here every
//! frame has a moment of its own, and latency counts from that moment.

mod arrivals;
pub(super) mod client;
mod record;
#[cfg(test)]
mod tests;

use super::frames;
use super::progress::Progress;
use super::report;
use super::section::{Grid, Section};
use crate::server::ServerArgs;
use anyhow::Context;
use arrivals::{Arrivals, Spread};
use clap::Args;
use cli::plot::{Axis, Chart, Kind, Series, colour};
use cli::table::number;
use client::Client;
use hyper::body::Bytes;
use record::{Record, Summary};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Behind this, the generator itself is too slow for its rate.
const TOO_LATE: Duration = Duration::from_millis(50);
/// After `--wait` the server answers; a little more for the way.
const FOR_THE_WAY: Duration = Duration::from_secs(10);

/// What `mlvi bench load` can be told.
#[derive(Debug, Args)]
pub struct LoadArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Frames per second, all cameras together; several, separated by commas, are held in turn
    #[arg(long, value_name = "FPS", default_value = "10", value_delimiter = ',')]
    rate: Vec<f64>,
    /// How long each rate is held, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    seconds: u64,
    /// How long it is held before anything counts, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    warm_up: u64,
    /// How many cameras the frames count as
    #[arg(long, value_name = "N", default_value_t = 8)]
    cameras: usize,
    /// How the sendings are spread over time
    #[arg(long, value_enum, default_value = "poisson")]
    spread: Spread,
    /// How long to wait for a result, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
    /// How many frames may be under way; a frame whose moment comes then is not sent, and counted
    #[arg(long, value_name = "N", default_value_t = 1000)]
    most_open: usize,
    /// Makes the moments of a run repeatable
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// The photo that the 640x480 frames are cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    image: PathBuf,
    /// Write load.md, load.json and the plots (SVG) into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &LoadArgs) -> anyhow::Result<()> {
    let section = section(args, &Progress::new())?;
    if let Some(dir) = &args.out {
        let writing = || format!("cannot write into {}", dir.display());
        std::fs::create_dir_all(dir).with_context(writing)?;
        std::fs::write(dir.join("load.md"), section.markdown()).with_context(writing)?;
        let json = serde_json::to_string_pretty(&section.data)?;
        std::fs::write(dir.join("load.json"), json + "\n").with_context(writing)?;
        section.write_charts(dir).with_context(writing)?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report::json(&[section]))?);
    } else {
        println!("{}", section.text());
    }
    Ok(())
}

fn section(args: &LoadArgs, progress: &Progress) -> anyhow::Result<Section> {
    anyhow::ensure!(
        args.rate.iter().all(|rate| *rate > 0.0 && rate.is_finite()),
        "--rate must be above 0"
    );
    anyhow::ensure!(
        args.seconds >= 1 && args.cameras >= 1 && args.most_open >= 1,
        "--seconds, --cameras and --most-open must be at least 1"
    );
    let frames = frames::from_photo(&args.image, args.cameras)?;
    let frames: Vec<Bytes> = frames.into_iter().map(|frame| frame.jpeg.into()).collect();
    let wait = Duration::from_secs(args.wait);
    let client = Arc::new(Client::new(&args.server, wait + FOR_THE_WAY)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let records = runtime.block_on(async {
        let mut records = Vec::new();
        for rate in &args.rate {
            let seconds = args.warm_up + args.seconds;
            progress.begin(&format!("{rate} frames/s"), seconds);
            records.push((*rate, hold(args, *rate, &client, &frames, progress).await));
        }
        records
    });
    runtime.shutdown_background();
    let nothing = records.iter().all(|(_, record)| record.answered() == 0);
    if let Some(reason) = records[0].1.misses.keys().next().filter(|_| nothing) {
        anyhow::bail!("no frame got a result from {}: {reason}", args.server.address());
    }
    render(args, &records)
}

/// Sends at one rate until its time is over and everything is answered or given up.
async fn hold(
    args: &LoadArgs,
    rate: f64,
    client: &Arc<Client>,
    frames: &[Bytes],
    progress: &Progress,
) -> Record {
    let warm_up = Duration::from_secs(args.warm_up);
    let time = warm_up + Duration::from_secs(args.seconds);
    let record = Arc::new(Mutex::new(Record::default()));
    let of = |record: &Mutex<Record>, note: &mut dyn FnMut(&mut Record)| {
        note(&mut record.lock().unwrap_or_else(PoisonError::into_inner));
    };
    let mut sendings = tokio::task::JoinSet::new();
    let started = Instant::now();
    let mut shown = 0;
    for (number, at) in Arrivals::new(args.spread, rate, time, args.seed).enumerate() {
        tokio::time::sleep_until(started + at).await;
        while shown < at.as_secs() {
            progress.step();
            shown += 1;
        }
        while sendings.try_join_next().is_some() {}
        let counts = at >= warm_up;
        let late = started.elapsed().saturating_sub(at);
        if counts {
            of(&record, &mut |record| record.late = record.late.max(late));
        }
        if sendings.len() >= args.most_open {
            if counts {
                let reason = format!("not sent: {} were under way", args.most_open);
                of(&record, &mut |record| record.miss(reason.as_str()));
            }
            continue;
        }
        let camera = number % frames.len();
        let path = format!("/cameras/load-{camera}/frames?wait={}s", args.wait);
        let (client, frame, record) =
            (Arc::clone(client), frames[camera].clone(), Arc::clone(&record));
        sendings.spawn(async move {
            let outcome = client.post(&path, frame).await;
            let took = (started + at).elapsed();
            if counts {
                let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                record.add(at - warm_up, took, outcome);
            }
        });
    }
    while sendings.join_next().await.is_some() {}
    let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *record)
}

fn render(args: &LoadArgs, records: &[(f64, Record)]) -> anyhow::Result<Section> {
    let time = Duration::from_secs(args.seconds);
    let summaries: Vec<Summary> =
        records.iter().map(|(rate, record)| record.summary(*rate, time)).collect();
    let title = format!(
        "Open loop: frames of {} cameras to {}, {} s at each rate",
        args.cameras,
        args.server.address(),
        args.seconds
    );
    let mut section = Section::new("load", &title, serde_json::to_value(&summaries)?);
    section.paragraph(
        "Latency in ms, from the moment at which a frame was to be sent until its result was \
         there.",
    );
    let mut grid = Grid::new(&[
        "frames/s",
        "results/s",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "edge",
        "cloud",
        "missed",
    ]);
    for summary in &summaries {
        let ms = |quantile: &str| {
            summary.latency_ms.get(quantile).map_or_else(|| "-".to_owned(), |ms| number(*ms))
        };
        let count = |tier: &str| summary.results.get(tier).copied().unwrap_or(0).to_string();
        grid.row(vec![
            number(summary.rate),
            number(summary.results_per_s),
            ms("0.5"),
            ms("0.9"),
            ms("0.99"),
            ms("0.999"),
            ms("1"),
            count("edge"),
            count("cloud"),
            summary.misses.values().sum::<u64>().to_string(),
        ]);
    }
    section.grid(grid);
    let missed = summaries.iter().flat_map(|summary| {
        let line = |(reason, count): (&String, &u64)| {
            format!("at {} frames/s, {count} frames: {reason}", number(summary.rate))
        };
        summary.misses.iter().map(line)
    });
    let late = summaries
        .iter()
        .filter(|summary| Duration::from_secs_f64(summary.generator_late_ms / 1000.0) > TOO_LATE);
    let late = late.map(|summary| {
        format!(
            "at {} frames/s the generator itself was up to {:.0} ms late, which counts as \
             latency: it needs more of a processor",
            number(summary.rate),
            summary.generator_late_ms
        )
    });
    section.list(missed.chain(late).collect());
    section.chart("load-latency", quantiles(records));
    section.chart("load-time", over_time(records, time));
    Ok(section)
}

fn series(
    records: &[(f64, Record)],
    kind: Kind,
    points: impl Fn(&Record) -> Vec<(f64, f64)>,
) -> Vec<Series> {
    let one = |(index, (rate, record)): (usize, &(f64, Record))| Series {
        name: format!("{} frames/s", number(*rate)),
        points: points(record),
        colour: colour(index + 1),
        kind,
    };
    records.iter().enumerate().map(one).collect()
}

/// Latency by quantile, each step to the right a digit more.
fn quantiles(records: &[(f64, Record)]) -> Chart {
    let series = series(records, Kind::Line, Record::curve);
    let points = || series.iter().flat_map(|series| &series.points);
    let x = Axis::logarithmic(
        "1 / (1 - quantile): 10 is p90, 100 is p99, 1000 is p99.9",
        points().map(|point| point.0),
    );
    let y = Axis::logarithmic("latency, ms", points().map(|point| point.1));
    let title = "Latency by quantile".into();
    Chart { title, x, y, series, spans: None, mark: None }
}

/// Each frame's latency, by the moment at which it was to be sent.
fn over_time(records: &[(f64, Record)], time: Duration) -> Chart {
    let series = series(records, Kind::Dots, |record| {
        record.points.iter().map(|(at, took)| (*at, took * 1000.0)).collect()
    });
    let points = || series.iter().flat_map(|series| &series.points);
    let y = Axis::from_zero("latency, ms", points().map(|point| point.1));
    let x = Axis { name: "time, s".into(), range: 0.0..time.as_secs_f64(), logarithmic: false };
    let title = "Latency over time".into();
    Chart { title, x, y, series, spans: None, mark: None }
}
