//! `mlvi bench unit`: how fast the edge-inference process is ready, and how much memory it takes
//! under load.

use super::busy::{Trust, Watch};
use super::frames;
use super::process::resident_mb;
use super::progress::Progress;
use super::section::{Grid, Section};
use super::show;
use super::stats::Series;
use crate::models;
use anyhow::Context;
use clap::Args;
use embedded_broker::{Broker, BrokerConfig};
use frame::{Decision, Destination, Envelope, ImageFormat, Prepared, Timestamp, Topics};
use frame_bus::{Bus, BusConfig, Outgoing, TailEvent};
use ports::ReservedPort;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What `mlvi bench unit` can be told.
#[derive(Clone, Debug, Args)]
pub struct UnitArgs {
    /// The model
    #[arg(long, default_value = "yolov3-tiny")]
    pub model: String,
    /// Its model threads
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub model_threads: usize,
    /// How many frames are sent
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub frames: usize,
    /// The photo that the 640x480 frames are cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    pub image: PathBuf,
    /// How often it is started, for the time until it is ready
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub starts: u32,
    /// A setting of the unit, e.g. MLVI_MODEL_KERNELS=small; can be given several times
    #[arg(long = "set", value_name = "VARIABLE=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (variable, value) = text.split_once('=').ok_or("expected is VARIABLE=VALUE")?;
    if variable.is_empty() {
        return Err("the variable has no name".into());
    }
    Ok((variable.into(), value.into()))
}

/// The unit with settings of its own.
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) settings: Vec<(String, String)>,
}

/// Everything that was found; memory in MB (10^6 bytes).
#[derive(Debug, Serialize)]
struct Measured {
    variant: &'static str,
    settings: Vec<(String, String)>,
    /// Of each start, until `/readyz` says so.
    ready_ms: Vec<f64>,
    ready_mb: f64,
    loaded_mb: f64,
    peak_mb: f64,
    frames_per_second: f64,
    /// Of the load.
    trust: Trust,
}

/// Kills the unit if the benchmark ends early.
struct Unit(Child);

impl Drop for Unit {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn run(args: &UnitArgs, models_dir: &Path) -> anyhow::Result<()> {
    let variant = Variant { name: "is", settings: args.settings.clone() };
    show(&[section(args, &[variant], models_dir, &Progress::new())?], args.json)
}

/// Starts the unit and loads it, in each of its variants.
///
/// # Errors
/// When its binary is not there, or it does not get ready.
pub(super) fn section(
    args: &UnitArgs,
    variants: &[Variant],
    models_dir: &Path,
    progress: &Progress,
) -> anyhow::Result<Section> {
    anyhow::ensure!(args.frames > 0, "--frames must be at least 1");
    models::ensure(models_dir, &args.model)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = variants
        .iter()
        .map(|variant| runtime.block_on(measure(args, variant, models_dir, progress)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    render(args, &measured)
}

async fn measure(
    args: &UnitArgs,
    variant: &Variant,
    models_dir: &Path,
    progress: &Progress,
) -> anyhow::Result<Measured> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(BrokerConfig::new(dir.path())).await?;
    let topics = Topics::default();
    let bus = Bus::open(BusConfig::new(broker.address().to_string(), "bench"))?;
    bus.ensure_topics(
        &frame_bus::topic_specs(&topics, 6),
        &tokio_util::sync::CancellationToken::new(),
    )
    .await?;
    let mut results = bus.tail(&topics.results, Timestamp::now())?;

    progress.begin("edge-inference starts", u64::from(args.starts));
    let mut ready_ms = Vec::new();
    let mut running = None;
    for number in 0..args.starts {
        // the one before is gone first, but not from its group, which the next must not wait for
        drop(running.take());
        let group = format!("bench-{number}");
        let (unit, ms) = start(args, variant, models_dir, (broker.address(), &group)).await?;
        ready_ms.push(ms);
        running = Some(unit);
        progress.step();
    }
    let unit = running.context("--starts must be at least 1")?;
    let (ready_mb, _) = resident_mb(unit.0.id())?;

    progress.begin("edge-inference under load", args.frames as u64);
    let cut = frames::from_photo(&args.image, 8)?;
    let watch = Watch::start(&[unit.0.id()])?;
    let loaded = Instant::now();
    for index in 0..args.frames {
        let frame = &cut[index % cut.len()];
        let envelope = envelope(index, frame.image.size())?;
        bus.send(Outgoing {
            topic: topics.frames_edge.clone(),
            key: envelope.key(),
            headers: envelope.to_headers(),
            payload: frame.jpeg.clone(),
        })
        .await?;
    }
    let mut answered = 0;
    while answered < args.frames {
        if let TailEvent::Message(_) = results.recv().await? {
            answered += 1;
            progress.step();
        }
    }
    let seconds = loaded.elapsed().as_secs_f64();
    let (loaded_mb, peak_mb) = resident_mb(unit.0.id())?;
    let trust = watch.trust([])?;
    drop(unit);
    bus.close(Duration::from_secs(1)).await;
    broker.shutdown().await?;
    Ok(Measured {
        variant: variant.name,
        settings: variant.settings.clone(),
        ready_ms,
        ready_mb,
        loaded_mb,
        peak_mb,
        frames_per_second: args.frames as f64 / seconds,
        trust,
    })
}

/// Starts the unit and waits until it is ready; milliseconds.
async fn start(
    args: &UnitArgs,
    variant: &Variant,
    models_dir: &Path,
    (broker, group): (SocketAddr, &str),
) -> anyhow::Result<(Unit, f64)> {
    let port = ReservedPort::loopback()?;
    let admin = port.address();
    let started = Instant::now();
    let mut unit = Unit(spawn(args, variant, models_dir, (broker, admin, group))?);
    while crate::suite::readyz(admin).await.is_err() {
        if let Some(status) = unit.0.try_wait()? {
            anyhow::bail!("edge-inference has ended before it was ready: {status}");
        }
        anyhow::ensure!(
            started.elapsed() < Duration::from_secs(60),
            "edge-inference is not ready after 60 s"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((unit, started.elapsed().as_secs_f64() * 1000.0))
}

fn render(args: &UnitArgs, measured: &[Measured]) -> anyhow::Result<Section> {
    let title = format!(
        "Start and memory of edge-inference, {}, {} model threads, {} frames of 640x480",
        args.model, args.model_threads, args.frames
    );
    let mut section = Section::new("unit", &title, serde_json::to_value(measured)?);
    let header: Vec<&str> =
        std::iter::once("what").chain(measured.iter().map(|measured| measured.variant)).collect();
    let mut grid = Grid::new(&header);
    let mut row = |what: &str, of: &dyn Fn(&Measured) -> String| {
        grid.row(std::iter::once(what.to_owned()).chain(measured.iter().map(of)).collect());
    };
    let ready = |measured: &Measured| Series::new(measured.ready_ms.clone());
    row("ready after, ms (median)", &|measured| {
        ready(measured).map_or("–".into(), |ready| format!("{:.0}", ready.median()))
    });
    row("resident when ready, MB", &|measured| format!("{:.0}", measured.ready_mb));
    row("resident after load, MB", &|measured| format!("{:.0}", measured.loaded_mb));
    row("resident at its peak, MB", &|measured| format!("{:.0}", measured.peak_mb));
    row("frames per second", &|measured| format!("{:.1}", measured.frames_per_second));
    let disturbed = measured.iter().max_by(|a, b| a.trust.others.total_cmp(&b.trust.others));
    section.paragraph(disturbed.context("at least one variant")?.trust.sentence());
    section.grid(grid);
    let settings = measured.iter().filter(|measured| !measured.settings.is_empty());
    let settings = settings.map(|measured| {
        let pairs = measured.settings.iter().map(|(variable, value)| format!("{variable}={value}"));
        format!("{}: {}", measured.variant, pairs.collect::<Vec<_>>().join(" "))
    });
    section.list(settings.collect());
    Ok(section)
}

fn spawn(
    args: &UnitArgs,
    variant: &Variant,
    models_dir: &Path,
    (broker, admin, group): (SocketAddr, SocketAddr, &str),
) -> anyhow::Result<Child> {
    let binary = std::env::current_exe()?.with_file_name("edge-inference");
    Command::new(&binary)
        .env("MLVI_GROUP", group)
        .envs(variant.settings.iter().map(|(variable, value)| (variable, value)))
        .env("MLVI_BROKERS", broker.to_string())
        .env("MLVI_ADMIN_LISTEN", admin.to_string())
        .env("MLVI_MODELS_DIR", models_dir)
        .env("MLVI_MODEL", &args.model)
        .env("MLVI_MODEL_THREADS", args.model_threads.to_string())
        .env("MLVI_LOG", "warn")
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| {
            format!(
                "cannot start {}; build it with: cargo build --release -p edge-inference",
                binary.display()
            )
        })
}

fn envelope(index: usize, image: frame::ImageSize) -> anyhow::Result<Envelope> {
    let camera = format!("bench-{}", index % 8).parse()?;
    let prepared = Prepared::now(image, Decision::new(Destination::Edge, "benchmark", "edge-only"));
    let sequence = index as u64 / 8;
    Ok(Envelope {
        prepared: Some(prepared),
        ..Envelope::received_now(camera, sequence, ImageFormat::Jpeg)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        unit: UnitArgs,
    }

    #[test]
    fn settings_are_pairs() {
        let parse =
            |text| Cli::try_parse_from(["unit", "--set", text]).map(|cli| cli.unit.settings);
        assert_eq!(parse("A=b=c").unwrap(), [("A".to_owned(), "b=c".to_owned())]);
        assert!(parse("A").is_err() && parse("=b").is_err());
    }

    #[test]
    fn variants_stand_side_by_side() {
        let measured = |variant, mb: f64, settings| Measured {
            variant,
            settings,
            ready_ms: vec![300.0, 100.0, 200.0],
            ready_mb: mb,
            loaded_mb: mb + 1.0,
            peak_mb: mb + 2.0,
            frames_per_second: 12.5,
            trust: Trust { others: 0.0, stolen: 0.0, scatter: 0.0 },
        };
        let small = vec![("MLVI_MODEL_KERNELS".to_owned(), "small".to_owned())];
        let both = [measured("default", 150.0, vec![]), measured("small", 90.0, small)];
        let args = Cli::try_parse_from(["unit"]).unwrap().unit;
        let text = render(&args, &both).unwrap().text();
        let cells = |what: &str| -> Vec<&str> {
            let row = text.lines().find(|line| line.starts_with(what)).unwrap();
            row.split_whitespace().rev().take(2).collect()
        };
        assert_eq!(cells("ready after"), ["200", "200"]);
        assert_eq!(cells("resident at its peak"), ["92", "152"]);
        assert!(text.contains("- small: MLVI_MODEL_KERNELS=small"), "{text}");
    }
}
