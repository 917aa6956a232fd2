//! `mlvi bench unit`: how fast the edge-inference process is ready, and how much memory it takes
//! under load.

use super::frames;
use super::process::resident_mb;
use crate::models;
use anyhow::Context;
use clap::Args;
use embedded_broker::{Broker, BrokerConfig};
use frame::{Decision, Destination, Envelope, ImageFormat, Prepared, Timestamp, Topics};
use frame_bus::{Bus, BusConfig, Outgoing, TailEvent};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What `mlvi bench unit` can be told.
#[derive(Debug, Args)]
pub struct UnitArgs {
    /// The model
    #[arg(long, default_value = "yolov3-tiny")]
    model: String,
    /// Its model threads
    #[arg(long, value_name = "N", default_value_t = 2)]
    model_threads: usize,
    /// How many frames are sent
    #[arg(long, value_name = "N", default_value_t = 300)]
    frames: usize,
    /// The photo that the 640x480 frames are cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    image: PathBuf,
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
    models::ensure(models_dir, &args.model)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(args, models_dir))
}

async fn measure(args: &UnitArgs, models_dir: &Path) -> anyhow::Result<()> {
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

    let admin = free_port()?;
    let started = Instant::now();
    let unit = Unit(spawn(args, models_dir, broker.address(), admin)?);
    while crate::suite::readyz(admin).await.is_err() {
        anyhow::ensure!(
            started.elapsed() < Duration::from_secs(60),
            "edge-inference is not ready after 60 s"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ready_ms = started.elapsed().as_millis();
    let (idle_mb, _) = resident_mb(unit.0.id())?;

    let cut = frames::from_photo(&args.image, 8)?;
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
        }
    }
    let seconds = loaded.elapsed().as_secs_f64();
    let (now_mb, peak_mb) = resident_mb(unit.0.id())?;
    println!(
        "edge-inference, {} model threads, {} frames of 640x480",
        args.model_threads, args.frames
    );
    println!("  ready after           {ready_ms:>8} ms");
    println!("  resident when ready   {idle_mb:>8.0} MB");
    println!("  resident after load   {now_mb:>8.0} MB");
    println!("  resident at its peak  {peak_mb:>8.0} MB");
    println!("  frames per second     {:>8.1}", args.frames as f64 / seconds);
    drop(unit);
    bus.close(Duration::from_secs(1)).await;
    broker.shutdown().await?;
    Ok(())
}

fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn spawn(
    args: &UnitArgs,
    models_dir: &Path,
    broker: SocketAddr,
    admin: SocketAddr,
) -> anyhow::Result<Child> {
    let binary = std::env::current_exe()?.with_file_name("edge-inference");
    Command::new(&binary)
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
