//! `mlvi bench pipeline`: what the pipeline adds to the inference, and how a pipeline in Python
//! does.

mod load;
mod python;

use super::contest::{self, Absent, Outcome, Plan, Runner, Unit};
use super::files::NetworkFiles;
use super::frames::{self, BenchFrame};
use super::process::{cpu_ms, cpu_ms_of};
use super::progress::Progress;
use super::section::{Grid, Section};
use super::show;
use super::stats::Series;
use crate::models;
use crate::suite::{Suite, SuiteConfig, UnitKind};
use anyhow::Context;
use clap::{Args, ValueEnum};
use cli::table::number;
use detector::{Description, Detector, LoadOptions};
use frame::{FrameResult, Status, TimingsMs};
use load::{Answer, Loaded, Target};
use python::{Pipeline, PythonPipeline};
use serde::Serialize;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What `mlvi bench pipeline` can be told.
#[derive(Clone, Debug, Args)]
pub struct PipelineArgs {
    /// The model of both tiers
    #[arg(long, value_name = "NAME", default_value = "yolov3-tiny")]
    pub model: String,
    /// Model threads in total, at least 2: half of them on each tier
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub model_threads: usize,
    /// Concurrent cameras
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub cameras: usize,
    /// How long each turn is measured, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub seconds: u64,
    /// How many turns each has, after one that does not count
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub turns: usize,
    /// The photo that the 640x480 frames are cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    pub image: PathBuf,
    /// Load another pipeline too, in turn, on the same embedded broker
    #[arg(long, value_name = "WHICH")]
    pub against: Option<Against>,
    /// The Python that has what bench/pipeline/requirements.txt names
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    pub python: String,
    /// The folder of the peers' programs, `bench` of the repository
    #[arg(long, value_name = "DIR", default_value = "bench")]
    pub bench_dir: PathBuf,
    /// Print JSON instead of tables
    #[arg(long)]
    pub json: bool,
}

/// Another pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// FastAPI, aiokafka, Pillow and ONNX Runtime, with a worker for each model thread
    Python,
}

/// Connections, groups and caches settle at the begin of each turn.
const SETTLE: Duration = Duration::from_secs(1);

/// The detector without anything around it.
#[derive(Clone, Copy, Debug, Serialize)]
struct Alone {
    frames_per_second: f64,
    cpu_ms_per_frame: f64,
}

/// One system over all its turns.
#[derive(Debug, Default)]
struct Turns {
    latencies_ms: Vec<f64>,
    timings: Vec<TimingsMs>,
    frames: usize,
    /// Without the cameras.
    cpu_ms: f64,
    /// Of the network alone, where the answers tell it.
    model_cpu_ms: f64,
}

/// One system in a report; milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Figures {
    name: String,
    frames_per_second: f64,
    latency_median: f64,
    latency_p95: f64,
    cpu_per_frame: f64,
    cpu_outside_model: f64,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Measured {
    cameras: usize,
    jpeg_bytes: usize,
    alone: Alone,
    outcome: Outcome,
    figures: Vec<Figures>,
    stages_ms: Vec<(String, f64)>,
}

pub(super) fn run(args: &PipelineArgs, models_dir: &Path) -> anyhow::Result<()> {
    show(&sections(args, models_dir, &Progress::new())?, args.json)
}

/// Everything that the arguments ask for.
///
/// # Errors
/// When the model cannot be had, or a frame is not answered.
pub(super) fn sections(
    args: &PipelineArgs,
    models_dir: &Path,
    progress: &Progress,
) -> anyhow::Result<Vec<Section>> {
    anyhow::ensure!(
        args.model_threads >= 2,
        "--model-threads must be at least 2: the edge and the cloud have one each"
    );
    anyhow::ensure!(
        args.cameras >= 1 && args.seconds >= 1 && args.turns >= 1,
        "--cameras, --seconds and --turns must be at least 1"
    );
    // its worker knows these heads alone
    anyhow::ensure!(
        args.against.is_none() || args.model.starts_with("yolov3-tiny"),
        "the pipeline in Python runs yolov3-tiny alone, and not {}",
        args.model
    );
    let description = models::ensure(models_dir, &args.model)?;
    let frames = Arc::new(frames::from_photo(&args.image, args.cameras)?);
    progress.tell("the detector alone");
    let time = Duration::from_secs(args.seconds);
    let alone = detector_alone(&description, &frames, args.model_threads, time)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    progress.tell("the suite starts");
    let dir = tempfile::tempdir()?;
    let suite = runtime.block_on(start_suite(args, models_dir, dir.path()))?;
    let (mut absent, mut python, mut onnx) = (Vec::new(), None, None);
    if args.against == Some(Against::Python) {
        progress.tell("the pipeline in Python starts");
        let mut session = Detector::load(&description, LoadOptions::default())?.session()?;
        let files = NetworkFiles::write(&description, &mut session, &frames[0].image, 1)?;
        runtime.block_on(python::make_topics(suite.brokers()))?;
        let start = python::Start {
            python: &args.python,
            bench_dir: &args.bench_dir,
            brokers: suite.brokers(),
            model: &files.onnx,
            workers: args.model_threads,
        };
        match python::start(&start)? {
            Pipeline::Ready(pipeline) => python = Some(pipeline),
            Pipeline::Missing(why) => {
                absent.push(Absent { name: "the pipeline in Python".into(), why });
            }
        }
        onnx = Some(files);
    }
    let contest = Contest { args, frames, suite: &suite, python: python.as_ref(), alone };
    let measured = contest.run(absent, progress)?;
    drop((python, onnx));
    runtime.block_on(suite.stop())?;
    Ok(vec![render(&args.model, &measured)?])
}

/// Ours and theirs.
struct Contest<'a> {
    args: &'a PipelineArgs,
    frames: Arc<Vec<BenchFrame>>,
    suite: &'a Suite,
    python: Option<&'a PythonPipeline>,
    alone: Alone,
}

impl Contest<'_> {
    fn run(&self, absent: Vec<Absent>, progress: &Progress) -> anyhow::Result<Measured> {
        let target = Target {
            url: format!("http://{}/cameras/{{camera}}/frames?wait=30s", self.suite.http()),
            read,
        };
        let (mut runners, mut all) = (Vec::new(), Vec::new());
        let systems = [Some(("mlvi, whole suite", target, Vec::new()))]
            .into_iter()
            .chain([self.python.map(|python| ("Python pipeline", python.target(), python.pids()))]);
        for (name, target, pids) in systems.flatten() {
            let turns = Rc::new(RefCell::new(Turns::default()));
            runners.push(self.runner(name, target, pids, Rc::clone(&turns)));
            all.push((name, turns));
        }
        let what = format!(
            "Frames per second of a whole pipeline, {}, {} cameras of 640x480, {} model threads",
            self.args.model, self.args.cameras, self.args.model_threads
        );
        let plan = Plan { warm_up: 1, rounds: self.args.turns, unit: Unit::FramesPerSecond };
        let outcome = contest::run(&what, runners, absent, plan, progress)?;
        let figures = all.iter().zip(&outcome.rows).map(|((name, turns), row)| {
            turns.borrow().figures(name, row.summary.median, self.alone)
        });
        let figures = figures.collect::<anyhow::Result<Vec<Figures>>>()?;
        let stages_ms = all.first().map(|(_, turns)| stages(&turns.borrow().timings));
        Ok(Measured {
            cameras: self.args.cameras,
            jpeg_bytes: self.frames[0].jpeg.len(),
            alone: self.alone,
            outcome,
            figures,
            stages_ms: stages_ms.unwrap_or_default(),
        })
    }

    /// Each call is a turn; the first one is not kept.
    fn runner(
        &self,
        name: &str,
        target: Target,
        pids: Vec<u32>,
        turns: Rc<RefCell<Turns>>,
    ) -> Runner {
        let frames = Arc::clone(&self.frames);
        let time = (SETTLE, Duration::from_secs(self.args.seconds));
        let processes = pids.clone();
        // the broker is in this process, whoever is loaded
        let meter = move || {
            let others = processes.iter().map(|pid| cpu_ms_of(*pid));
            Ok(cpu_ms()? + others.sum::<anyhow::Result<f64>>()?)
        };
        let mut first = true;
        let measure = move || {
            let loaded = load::run(&target, &frames, time, &meter)?;
            let rate = loaded.answers.len() as f64 / loaded.seconds;
            if !std::mem::take(&mut first) {
                turns.borrow_mut().add(loaded);
            }
            Ok(rate)
        };
        let ours = pids.is_empty();
        Runner { name: name.into(), ours, pids, measure: Box::new(measure), remark: None }
    }
}

impl Turns {
    fn add(&mut self, loaded: Loaded) {
        self.frames += loaded.answers.len();
        self.cpu_ms += loaded.cpu_ms - loaded.camera_cpu_ms;
        self.latencies_ms.extend(loaded.latencies_ms);
        for Answer { model_cpu_ms, timings } in loaded.answers {
            self.model_cpu_ms += model_cpu_ms.unwrap_or_default();
            self.timings.push(timings);
        }
    }

    /// Where answers do not tell the network's processor time, it is that of the detector alone.
    fn figures(&self, name: &str, frames_per_second: f64, alone: Alone) -> anyhow::Result<Figures> {
        let latencies = Series::new(self.latencies_ms.clone()).context("no frame was answered")?;
        let frames = self.frames.max(1) as f64;
        let cpu_per_frame = self.cpu_ms / frames;
        let model = if self.model_cpu_ms > 0.0 {
            self.model_cpu_ms / frames
        } else {
            alone.cpu_ms_per_frame
        };
        Ok(Figures {
            name: name.into(),
            frames_per_second,
            latency_median: latencies.median(),
            latency_p95: latencies.quantile(0.95),
            cpu_per_frame,
            cpu_outside_model: cpu_per_frame - model,
        })
    }
}

fn detector_alone(
    description: &Description,
    frames: &Arc<Vec<BenchFrame>>,
    threads: usize,
    time: Duration,
) -> anyhow::Result<Alone> {
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
    Ok(Alone {
        frames_per_second: count as f64 / started.elapsed().as_secs_f64(),
        cpu_ms_per_frame: (cpu_ms()? - cpu_before) / count.max(1) as f64,
    })
}

async fn start_suite(args: &PipelineArgs, models_dir: &Path, dir: &Path) -> anyhow::Result<Suite> {
    let config = SuiteConfig::embedded(dir)
        .with("MLVI_MODELS_DIR", models_dir.display())
        .with("MLVI_MODEL", &args.model)
        .with("MLVI_POLICY", "alternate")
        .with_unit(UnitKind::EdgeInference, "MLVI_MODEL_THREADS", args.model_threads.div_ceil(2))
        .with_unit(UnitKind::CloudInference, "MLVI_MODEL_THREADS", args.model_threads / 2);
    let mut suite = Suite::start(config).await?;
    suite.ready(Duration::from_secs(60)).await?;
    Ok(suite)
}

/// The suite's answer to a frame.
fn read(body: &[u8]) -> anyhow::Result<Answer> {
    let result: FrameResult = serde_json::from_slice(body).context("no result")?;
    anyhow::ensure!(result.status == Status::Done, "a frame failed: {:?}", result.error);
    Ok(Answer { model_cpu_ms: None, timings: result.timings_ms })
}

/// One of a frame's times.
type Stage = fn(&TimingsMs) -> Option<f64>;

/// The mean wall time of each stage.
fn stages(timings: &[TimingsMs]) -> Vec<(String, f64)> {
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
    let mean = |stage: Stage| {
        let values: Vec<f64> = timings.iter().filter_map(stage).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    rows.into_iter().map(|(name, stage)| (name.to_owned(), mean(stage))).collect()
}

fn render(model: &str, measured: &Measured) -> anyhow::Result<Section> {
    let Measured { jpeg_bytes, alone, outcome, figures, stages_ms, .. } = measured;
    let mut section = outcome.section("pipeline")?;
    section.data = serde_json::to_value(measured)?;
    section.paragraph(format!(
        "Each camera sends its next frame (a JPEG of {} kB) when the last is answered. The \
         detector alone, {model} on the same threads, does {:.1} frames/s with {:.1} ms of \
         processor time each; the suite reaches {:.0} % of that. Processor time is that of all \
         processes and the broker, without the cameras; outside the model is what the network does \
         not take.",
        jpeg_bytes / 1000,
        alone.frames_per_second,
        alone.cpu_ms_per_frame,
        figures.first().map_or(0.0, |ours| {
            100.0 * ours.frames_per_second / alone.frames_per_second.max(f64::MIN_POSITIVE)
        })
    ));
    let mut grid = Grid::new(&[
        "whole pipeline",
        "frames/s",
        "latency median ms",
        "p95 ms",
        "CPU ms/frame",
        "outside the model",
    ]);
    let numbers = |figures: &Figures| {
        [
            figures.frames_per_second,
            figures.latency_median,
            figures.latency_p95,
            figures.cpu_per_frame,
            figures.cpu_outside_model,
        ]
    };
    let mut row = |name: &str, values: Vec<f64>| {
        grid.row(std::iter::once(name.to_owned()).chain(values.into_iter().map(number)).collect());
    };
    figures.iter().for_each(|figures| row(&figures.name, numbers(figures).to_vec()));
    if let [ours, theirs] = &figures[..] {
        let ratios =
            numbers(ours).into_iter().zip(numbers(theirs)).map(|(ours, theirs)| ours / theirs);
        row("mlvi / Python", ratios.collect());
    }
    section.grid(grid);
    let mut grid = Grid::new(&["stage of the suite", "mean wall time ms"]);
    stages_ms.iter().for_each(|(name, ms)| grid.row(vec![name.clone(), number(*ms)]));
    section.grid(grid);
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::contest::tests::outcome;

    fn loaded(latencies_ms: &[f64], cpu_ms: f64, model: Option<f64>) -> Loaded {
        let answer = |_| Answer { model_cpu_ms: model, timings: TimingsMs::default() };
        Loaded {
            seconds: 1.0,
            latencies_ms: latencies_ms.to_vec(),
            answers: latencies_ms.iter().map(answer).collect(),
            camera_cpu_ms: 10.0,
            cpu_ms,
        }
    }

    const ALONE: Alone = Alone { frames_per_second: 20.0, cpu_ms_per_frame: 8.0 };

    #[test]
    fn turns_are_summed_up_without_the_cameras() {
        let mut turns = Turns::default();
        turns.add(loaded(&[10.0, 30.0], 50.0, None));
        turns.add(loaded(&[20.0, 40.0], 30.0, None));
        let figures = turns.figures("mlvi", 2.0, ALONE).unwrap();
        assert_eq!((figures.latency_median, figures.cpu_per_frame), (25.0, 15.0));
        assert_eq!(figures.cpu_outside_model, 7.0);
        let mut told = Turns::default();
        told.add(loaded(&[10.0, 30.0], 50.0, Some(12.0)));
        assert_eq!(told.figures("Python", 2.0, ALONE).unwrap().cpu_outside_model, 8.0);
        assert!(Turns::default().figures("nobody", 0.0, ALONE).is_err());
    }

    #[test]
    fn both_pipelines_stand_side_by_side() {
        let figures = |name: &str, factor: f64| Figures {
            name: name.into(),
            frames_per_second: 30.0 * factor,
            latency_median: 100.0,
            latency_p95: 200.0,
            cpu_per_frame: 40.0,
            cpu_outside_model: 10.0,
        };
        let measured = Measured {
            cameras: 8,
            jpeg_bytes: 100_000,
            alone: ALONE,
            outcome: outcome(),
            figures: vec![figures("mlvi", 1.0), figures("Python", 0.5)],
            stages_ms: vec![("decode".into(), 2.0)],
        };
        let section = render("tiny", &measured).unwrap();
        let text = section.text();
        let ratios = text.lines().find(|line| line.starts_with("mlvi / Python")).unwrap();
        assert_eq!(ratios.split_whitespace().nth(3), Some("2.00"), "{text}");
        assert_eq!(section.data["figures"][1]["frames_per_second"], 15.0);
    }

    #[test]
    fn a_frame_that_failed_is_an_error() {
        assert!(read(b"{}").is_err());
    }
}
