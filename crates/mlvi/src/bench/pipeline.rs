//! `mlvi bench pipeline`: what the pipeline adds to the inference.

use super::frames::{self, BenchFrame};
use super::process::cpu_ms;
use crate::models;
use crate::suite::{Suite, SuiteConfig, UnitKind};
use anyhow::Context;
use clap::Args;
use detector::{Description, Detector, LoadOptions};
use frame::{FrameResult, Status, TimingsMs};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What `mlvi bench pipeline` can be told.
#[derive(Debug, Args)]
pub struct PipelineArgs {
    /// The model of both tiers
    #[arg(long, default_value = "yolov3-tiny")]
    model: String,
    /// Model threads in total, at least 2: half of them on each tier
    #[arg(long, value_name = "N", default_value_t = 2)]
    model_threads: usize,
    /// Concurrent cameras
    #[arg(long, value_name = "N", default_value_t = 8)]
    cameras: usize,
    /// How long each part is measured, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    seconds: u64,
    /// The photo that the 640x480 frames are cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    image: PathBuf,
}

struct Measured {
    frames: usize,
    seconds: f64,
    cpu_ms: f64,
}

impl Measured {
    fn per_second(&self) -> f64 {
        self.frames as f64 / self.seconds
    }

    fn cpu_ms_per_frame(&self) -> f64 {
        self.cpu_ms / self.frames.max(1) as f64
    }
}

pub(super) fn run(args: &PipelineArgs, models_dir: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.model_threads >= 2,
        "--model-threads must be at least 2: the edge and the cloud have one each"
    );
    anyhow::ensure!(
        args.cameras >= 1 && args.seconds >= 1,
        "--cameras and --seconds must be at least 1"
    );
    let description = models::ensure(models_dir, &args.model)?;
    let frames = Arc::new(frames::from_photo(&args.image, args.cameras)?);
    let time = Duration::from_secs(args.seconds);
    println!("{} frames of 640x480, {} kB each as JPEG", frames.len(), frames[0].jpeg.len() / 1000);
    println!(
        "\n1. the detector alone, {} threads, decoded frames, {} s …",
        args.model_threads, args.seconds
    );
    let alone = detector_alone(&description, &frames, args.model_threads, time)?;
    println!("2. the whole suite, {} cameras, {} s …", args.cameras, args.seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (whole, stages) = runtime.block_on(whole_suite(args, models_dir, &frames, time))?;
    print(&alone, &whole, &stages);
    Ok(())
}

fn detector_alone(
    description: &Description,
    frames: &Arc<Vec<BenchFrame>>,
    threads: usize,
    time: Duration,
) -> anyhow::Result<Measured> {
    let detector = Detector::load(description, LoadOptions::default())?;
    let mut sessions = Vec::new();
    for _ in 0..threads {
        let mut session = detector.session()?;
        session.detect(&[&frames[0].image])?;
        sessions.push(session);
    }
    let (started, cpu_before) = (Instant::now(), cpu_ms()?);
    let threads: Vec<_> = sessions
        .into_iter()
        .map(|mut session| {
            let frames = Arc::clone(frames);
            std::thread::spawn(move || -> anyhow::Result<usize> {
                let mut count = 0;
                while started.elapsed() < time {
                    session.detect(&[&frames[count % frames.len()].image])?;
                    count += 1;
                }
                Ok(count)
            })
        })
        .collect();
    let mut count = 0;
    for thread in threads {
        count += thread.join().map_err(|_| anyhow::anyhow!("a model thread panicked"))??;
    }
    Ok(Measured {
        frames: count,
        seconds: started.elapsed().as_secs_f64(),
        cpu_ms: cpu_ms()? - cpu_before,
    })
}

async fn whole_suite(
    args: &PipelineArgs,
    models_dir: &Path,
    frames: &Arc<Vec<BenchFrame>>,
    time: Duration,
) -> anyhow::Result<(Measured, Vec<TimingsMs>)> {
    let dir = tempfile::tempdir()?;
    let config = SuiteConfig::embedded(dir.path())
        .with("MLVI_MODELS_DIR", models_dir.display())
        .with("MLVI_MODEL", &args.model)
        .with("MLVI_POLICY", "alternate")
        .with_unit(UnitKind::EdgeInference, "MLVI_MODEL_THREADS", args.model_threads.div_ceil(2))
        .with_unit(UnitKind::CloudInference, "MLVI_MODEL_THREADS", args.model_threads / 2);
    let mut suite = Suite::start(config).await?;
    suite.ready(Duration::from_secs(60)).await?;
    let counting = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let cameras: Vec<_> = (0..args.cameras)
        .map(|camera| {
            let (frames, counting, stop, http) =
                (Arc::clone(frames), Arc::clone(&counting), Arc::clone(&stop), suite.http());
            std::thread::spawn(move || {
                run_camera(http, camera, &frames[camera].jpeg, &counting, &stop)
            })
        })
        .collect();
    // connections, groups and caches settle first
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (started, cpu_before) = (Instant::now(), cpu_ms()?);
    counting.store(true, Ordering::Relaxed);
    tokio::time::sleep(time).await;
    counting.store(false, Ordering::Relaxed);
    let (seconds, cpu_ms) = (started.elapsed().as_secs_f64(), cpu_ms()? - cpu_before);
    stop.store(true, Ordering::Relaxed);
    let mut stages = Vec::new();
    for camera in cameras {
        let join = tokio::task::spawn_blocking(move || camera.join());
        stages.extend(join.await?.map_err(|_| anyhow::anyhow!("a camera panicked"))??);
    }
    suite.stop().await?;
    Ok((Measured { frames: stages.len(), seconds, cpu_ms }, stages))
}

/// Sends a frame, waits for its result, sends the next; gives the timings of those that came while
/// counting.
fn run_camera(
    http: SocketAddr,
    camera: usize,
    jpeg: &[u8],
    counting: &AtomicBool,
    stop: &AtomicBool,
) -> anyhow::Result<Vec<TimingsMs>> {
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(60))).build(),
    );
    let url = format!("http://{http}/cameras/bench-{camera}/frames?wait=30s");
    let mut timings = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let mut response = agent.post(&url).content_type("image/jpeg").send(jpeg)?;
        let result: FrameResult = response.body_mut().read_json().context("no result in time")?;
        anyhow::ensure!(result.status == Status::Done, "a frame failed: {:?}", result.error);
        if counting.load(Ordering::Relaxed) {
            timings.push(result.timings_ms);
        }
    }
    Ok(timings)
}

/// One of a frame's times.
type Stage = fn(&TimingsMs) -> Option<f64>;

fn print(alone: &Measured, whole: &Measured, stages: &[TimingsMs]) {
    println!("\n{:<34} {:>10} {:>20}", "", "frames/s", "CPU ms per frame");
    for (name, measured) in [("detector alone", alone), ("whole suite (with its clients)", whole)] {
        println!(
            "{name:<34} {:>10.2} {:>20.1}",
            measured.per_second(),
            measured.cpu_ms_per_frame()
        );
    }
    println!(
        "\nthe suite reaches {:.1} % of the detector alone",
        100.0 * whole.per_second() / alone.per_second()
    );
    println!(
        "the pipeline costs {:.1} ms of processor time per frame",
        whole.cpu_ms_per_frame() - alone.cpu_ms_per_frame()
    );
    println!(
        "\nmean wall time of a frame in each stage, milliseconds (stages share the processors)"
    );
    let mean = |stage: Stage| {
        let values: Vec<f64> = stages.iter().filter_map(stage).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    let rows: [(&str, Stage); 8] = [
        ("upload", |timings| timings.upload),
        ("queue of the preprocessor", |timings| timings.queue_frames),
        ("preprocess", |timings| timings.preprocess),
        ("queue of the inference", |timings| timings.queue_inference),
        ("decode", |timings| timings.decode),
        ("inference", |timings| timings.inference),
        ("postprocess", |timings| timings.postprocess),
        ("end to end", |timings| timings.end_to_end),
    ];
    for (name, stage) in rows {
        println!("  {name:<26} {:>9.2}", mean(stage));
    }
}
