//! `mlvi bench detector`: one frame on one thread, paired with ONNX Runtime.

use super::frames;
use super::peer::Peer;
use super::stats::Series;
use crate::models;
use anyhow::Context;
use clap::Args;
use detector::{Description, Detector, LoadOptions, Session};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What `mlvi bench detector` can be told.
#[derive(Debug, Args)]
pub struct DetectorArgs {
    /// The model
    #[arg(long, default_value = "yolov3-tiny")]
    model: String,
    /// How many frames are measured, after three that are not
    #[arg(long, value_name = "N", default_value_t = 40)]
    runs: usize,
    /// The photo that frames are cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    image: PathBuf,
    /// The same network as ONNX: is run by our detector and by ONNX Runtime, in turn
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// The description of the ONNX file
    #[arg(long, value_name = "NAME", default_value = "yolov3-tiny-416-heads")]
    onnx_model: String,
    /// A Python that has onnxruntime installed
    #[arg(long, default_value = "python3")]
    python: String,
}

struct Row {
    name: String,
    wall_ms: Vec<f64>,
    inference_ms: Vec<f64>,
    postprocess_ms: Vec<f64>,
}

impl Row {
    fn new(name: String) -> Self {
        Self { name, wall_ms: Vec::new(), inference_ms: Vec::new(), postprocess_ms: Vec::new() }
    }
}

const WARM_UP: usize = 3;

pub(super) fn run(args: &DetectorArgs, models_dir: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(args.runs > 0, "--runs must be at least 1");
    let frame = frames::from_photo(&args.image, 1)?.pop().context("one frame")?;
    let mut sessions = vec![(
        Row::new(format!("mlvi, {}", args.model)),
        load(models::ensure(models_dir, &args.model)?)?,
    )];
    let mut peer = None;
    if let Some(onnx) = &args.onnx {
        let description = Description::load(models_dir, &args.onnx_model)?.with_weights_at(onnx);
        sessions.push((Row::new(format!("mlvi, {}", args.onnx_model)), load(description)?));
        let started = Peer::start(&args.python, onnx)?;
        let row = Row::new(format!("{}, the same file", started.name));
        peer = Some((row, started));
    }
    // in turn, so that a machine whose speed drifts does so for all of them
    for run in 0..WARM_UP + args.runs {
        for (row, session) in &mut sessions {
            let started = Instant::now();
            let found = session.detect(&[&frame.image])?.pop().context("an answer to one image")?;
            if run >= WARM_UP {
                row.wall_ms.push(started.elapsed().as_secs_f64() * 1000.0);
                row.inference_ms.push(found.inference_ms);
                row.postprocess_ms.push(found.postprocess_ms);
            }
        }
        if let Some((row, peer)) = &mut peer {
            let ms = peer.run_once()?;
            if run >= WARM_UP {
                row.wall_ms.push(ms);
            }
        }
    }
    print(sessions.into_iter().map(|(row, _)| row).chain(peer.map(|(row, _)| row)).collect());
    Ok(())
}

fn load(description: Description) -> anyhow::Result<Session> {
    Ok(Detector::load(&description, LoadOptions::default())?.session()?)
}

fn print(rows: Vec<Row>) {
    println!("one frame on one thread, milliseconds\n");
    println!(
        "{:<40} {:>8} {:>8} {:>8} {:>11} {:>12}",
        "", "min", "median", "max", "inference", "postprocess"
    );
    let mut medians = Vec::new();
    for row in rows {
        let Some(wall) = Series::new(row.wall_ms) else { continue };
        let median = |values| {
            Series::new(values).map_or("-".into(), |series| format!("{:.1}", series.median()))
        };
        let (inference, postprocess) = (median(row.inference_ms), median(row.postprocess_ms));
        let (min, mid, max) = (wall.min(), wall.median(), wall.max());
        println!(
            "{:<40} {min:>8.1} {mid:>8.1} {max:>8.1} {inference:>11} {postprocess:>12}",
            row.name
        );
        medians.push((row.name, mid));
    }
    if let Some(((_, peer), ours)) = medians.split_last().filter(|(_, ours)| !ours.is_empty()) {
        println!();
        for (name, mid) in ours.iter().filter(|_| ours.len() > 1) {
            println!("{name}: {:.2} x the time of the peer (medians)", mid / peer);
        }
    }
    println!("\nours is letterbox, network and boxes; the peer's is the network alone");
}
