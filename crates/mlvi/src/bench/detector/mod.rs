//! `mlvi bench detector`: the network alone, beside the peers.

mod floors;
mod layers;
pub(super) mod ours;
mod profile;

use super::contest::{self, Absent, Outcome, Plan, Runner, Unit};
use super::files::NetworkFiles;
use super::frames::{self, BenchFrame};
use super::machine::cores;
use super::peer::{self, Peer, PeerArgs, PeerKind, PeerRun, Precision, Started};
use super::progress::Progress;
use super::section::Section;
use super::show;
use crate::models;
use anyhow::Context;
use clap::Args;
use detector::{Description, Detector, LoadOptions, Session};
use ours::{Offer, Variant};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What `mlvi bench detector` can be told.
#[derive(Clone, Debug, Args)]
pub struct DetectorArgs {
    /// The model
    #[arg(long, value_name = "NAME", default_value = "yolov3-tiny")]
    pub model: String,
    /// How often each is measured, after three times that do not count
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// How long each turn of a throughput is, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub turn: f64,
    /// The photo that frames are cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    pub image: PathBuf,
    /// Show the time of each layer instead, beside the floors of its arithmetic and its memory
    #[arg(long)]
    pub profile: bool,
    /// What the numbers of the profiled network are
    #[arg(long, value_enum, default_value_t = Precision::Float32, requires = "profile")]
    pub precision: Precision,
    /// Print JSON instead of tables
    #[arg(long)]
    pub json: bool,
    /// Whom to measure against.
    #[command(flatten)]
    pub peers: PeerArgs,
}

/// Batches that are measured.
const BATCHES: [usize; 4] = [1, 2, 4, 8];
/// Turns of a throughput, of each.
const TURNS: usize = 5;
const WARM_UP: usize = 3;

pub(super) fn run(args: &DetectorArgs, models_dir: &Path) -> anyhow::Result<()> {
    show(&sections(args, models_dir, &Progress::new())?, args.json)
}

/// Everything that the arguments ask for.
///
/// # Errors
/// When the model cannot be had, or a peer fails.
pub(super) fn sections(
    args: &DetectorArgs,
    models_dir: &Path,
    progress: &Progress,
) -> anyhow::Result<Vec<Section>> {
    anyhow::ensure!(args.turn > 0.0 && args.turn <= 3600.0, "--turn must be 0 to 3600 seconds");
    let subject = Subject::load(args, models_dir)?;
    if args.profile {
        return Ok(vec![subject.profile(args.runs as usize, progress)?]);
    }
    if args.peers.with_peers {
        peer::check_dir(&args.peers.bench_dir)?;
    }
    let latency = |threads: usize, precision: Precision| {
        let outcome = subject.latency(threads, precision, progress)?;
        outcome.section(&format!("latency-{threads}-{}", precision.word()))
    };
    let mut sections = Vec::new();
    for precision in Precision::ALL {
        sections.push(latency(1, precision)?);
        if cores() > 1 {
            sections.push(latency(2, precision)?);
        }
    }
    sections.push(subject.throughput(progress)?.section("throughput")?);
    sections.push(subject.batches(progress)?.section("batches")?);
    Ok(sections)
}

/// The model that is measured, and what is run on it.
struct Subject<'a> {
    args: &'a DetectorArgs,
    description: Description,
    detector: Detector,
    frame: Rc<BenchFrame>,
    /// For the peers; made once, since they convert it.
    files: NetworkFiles,
}

impl<'a> Subject<'a> {
    fn load(args: &'a DetectorArgs, models_dir: &Path) -> anyhow::Result<Self> {
        let frame = Rc::new(frames::from_photo(&args.image, 1)?.pop().context("one frame")?);
        let description = models::ensure(models_dir, &args.model)?;
        let detector = Detector::load(&description, LoadOptions::default())?;
        let files = NetworkFiles::write(&description, &mut detector.session()?, &frame.image, 1)?;
        Ok(Self { args, description, detector, frame, files })
    }

    fn profile(&self, runs: usize, progress: &Progress) -> anyhow::Result<Section> {
        let precision = self.args.precision;
        let detector = match (Variant { threads: 1, precision }).load(&self.description)? {
            Offer::Ready(detector) => detector,
            Offer::Absent(why) => anyhow::bail!(why),
        };
        let what = profile::What { description: &self.description, precision: precision.word() };
        profile::section(&what, &mut detector.session()?, &self.frame.image, runs, progress)
    }

    /// One frame at a time.
    fn latency(
        &self,
        threads: usize,
        precision: Precision,
        progress: &Progress,
    ) -> anyhow::Result<Outcome> {
        let mut entrants = Entrants::default();
        let variant = Variant { threads, precision };
        let name = variant.name();
        match variant.load(&self.description)? {
            Offer::Ready(detector) => {
                entrants.add(self.network(name.clone(), &detector)?);
                entrants.add(self.whole(format!("{name}, with letterbox and boxes"), &detector)?);
            }
            Offer::Absent(why) => {
                entrants.absent.push(Absent { name, why });
                let plain = Variant { threads: 1, precision: Precision::Float32 };
                entrants
                    .add(self.network(format!("{}, one thread", plain.name()), &self.detector)?);
            }
        }
        let run = |kind| PeerRun { kind, threads, precision, throughput: false };
        for kind in peers_with(precision) {
            self.enter(&mut entrants, run(kind), progress)?;
        }
        let of_threads = if threads == 1 { "one thread" } else { "two threads" };
        let what = format!(
            "One frame on {of_threads}, {}, {}: the network alone",
            self.args.model,
            precision.word()
        );
        let plan =
            Plan { warm_up: WARM_UP, rounds: self.args.runs as usize, unit: Unit::Milliseconds };
        contest::run(&what, entrants.runners, entrants.absent, plan, progress)
    }

    /// As many frames as all cores can do.
    fn throughput(&self, progress: &Progress) -> anyhow::Result<Outcome> {
        let (cores, seconds) = (cores(), self.args.turn);
        let mut entrants = Entrants::default();
        for precision in Precision::ALL {
            let variant = Variant { threads: 1, precision };
            match variant.load(&self.description)? {
                Offer::Ready(detector) => {
                    entrants.add(self.full_load(variant.name(), &detector, cores, seconds)?);
                }
                Offer::Absent(why) => entrants.absent.push(Absent { name: variant.name(), why }),
            }
            for kind in peers_with(precision) {
                let run = PeerRun { kind, threads: cores, precision, throughput: true };
                self.enter(&mut entrants, run, progress)?;
            }
        }
        let what = format!("Throughput on {cores} cores, {}: the network alone", self.args.model);
        let plan = Plan { warm_up: 1, rounds: TURNS, unit: Unit::FramesPerSecond };
        contest::run(&what, entrants.runners, entrants.absent, plan, progress)
    }

    /// Several frames at once, on one thread.
    fn batches(&self, progress: &Progress) -> anyhow::Result<Outcome> {
        let mut entrants = Entrants::default();
        for batch in BATCHES {
            let options = LoadOptions { max_batch: batch, ..LoadOptions::default() };
            let mut session = Detector::load(&self.description, options)?.session()?;
            let frame = Rc::clone(&self.frame);
            let measure = move || {
                let images = vec![&frame.image; batch];
                let started = Instant::now();
                session.detect(&images)?;
                Ok(started.elapsed().as_secs_f64() * 1000.0 / batch as f64)
            };
            entrants.add(ours(format!("mlvi, {batch} at once"), Box::new(measure)));
        }
        let what = format!(
            "A frame among several at once on one thread, {}, float32, with letterbox and boxes",
            self.args.model
        );
        let rounds = (self.args.runs as usize / 4).max(1);
        let plan = Plan { warm_up: 1, rounds, unit: Unit::Milliseconds };
        contest::run(&what, entrants.runners, entrants.absent, plan, progress)
    }

    /// Our network alone, on one frame: from a tensor to its outputs, as the peers run it.
    fn network(&self, name: String, detector: &Detector) -> anyhow::Result<Runner> {
        let mut session = detector.session()?;
        let tensor = session.input_tensor(&self.frame.image)?;
        let measure = move || {
            let started = Instant::now();
            session.raw_outputs(&tensor)?;
            Ok(started.elapsed().as_secs_f64() * 1000.0)
        };
        Ok(ours(name, Box::new(measure)))
    }

    /// From a decoded picture to detections.
    fn whole(&self, name: String, detector: &Detector) -> anyhow::Result<Runner> {
        let mut session = detector.session()?;
        let frame = Rc::clone(&self.frame);
        let measure = move || {
            let started = Instant::now();
            session.detect(&[&frame.image])?;
            Ok(started.elapsed().as_secs_f64() * 1000.0)
        };
        Ok(ours(name, Box::new(measure)))
    }

    /// Our network alone on every core, a session each.
    fn full_load(
        &self,
        name: String,
        detector: &Detector,
        cores: usize,
        seconds: f64,
    ) -> anyhow::Result<Runner> {
        let sessions = (0..cores).map(|_| detector.session()).collect::<Result<Vec<_>, _>>()?;
        let mut sessions: Vec<Session> = sessions;
        let tensor = detector.session()?.input_tensor(&self.frame.image)?;
        let time = Duration::from_secs_f64(seconds);
        let measure = move || {
            let started = Instant::now();
            let tensor = tensor.as_slice();
            let work = |session: &mut Session| -> anyhow::Result<usize> {
                let mut frames = 0;
                while started.elapsed() < time {
                    session.raw_outputs(tensor)?;
                    frames += 1;
                }
                Ok(frames)
            };
            let frames = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    sessions.iter_mut().map(|session| scope.spawn(|| work(session))).collect();
                let ends = threads.into_iter().map(|thread| {
                    thread.join().map_err(|_| anyhow::anyhow!("a model thread has panicked"))?
                });
                ends.sum::<anyhow::Result<usize>>()
            })?;
            Ok(frames as f64 / started.elapsed().as_secs_f64())
        };
        Ok(ours(name, Box::new(measure)))
    }

    /// Starts a peer, if they are wanted.
    fn enter(
        &self,
        entrants: &mut Entrants,
        run: PeerRun,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let peers = &self.args.peers;
        if !peers.with_peers {
            return Ok(());
        }
        let precision = run.precision.word();
        if run.precision == Precision::Int8 && peers.photos.is_none() {
            let name = format!("{}, {precision}", run.kind.name());
            let why = "no photos to calibrate on are named with --photos".into();
            entrants.absent.push(Absent { name, why });
            return Ok(());
        }
        progress.tell(&format!("{} loads the network, {precision}", run.kind.name()));
        let mut peer = match Peer::start(peers, run, &self.files)? {
            Started::Ready(peer) => peer,
            Started::Missing(why) => {
                entrants.absent.push(Absent { name: run.kind.name().into(), why });
                return Ok(());
            }
        };
        let name = format!("{}, {precision}", peer.name);
        let remark = (!run.throughput).then(|| self.difference(&mut peer)).transpose()?;
        let pids = vec![peer.pid()];
        let seconds = self.args.turn;
        let measure: Box<dyn FnMut() -> anyhow::Result<f64>> = if run.throughput {
            Box::new(move || peer.load(seconds))
        } else {
            Box::new(move || peer.run_once())
        };
        entrants.add(Runner { name, ours: false, pids, measure, remark });
        Ok(())
    }

    /// How far a peer's outputs are from ours.
    fn difference(&self, peer: &mut Peer) -> anyhow::Result<String> {
        let mut session = self.detector.session()?;
        let tensor = session.input_tensor(&self.frame.image)?;
        let ours: Vec<f32> =
            session.raw_outputs(&tensor)?.into_iter().flat_map(|output| output.values).collect();
        let theirs = peer.outputs()?;
        anyhow::ensure!(
            ours.len() == theirs.len(),
            "{} puts out {} values where ours are {}",
            peer.name,
            theirs.len(),
            ours.len()
        );
        let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        Ok(format!("its outputs are at most {apart:.1e} from ours in float32"))
    }
}

/// Who takes part.
#[derive(Default)]
struct Entrants {
    runners: Vec<Runner>,
    absent: Vec<Absent>,
}

impl Entrants {
    fn add(&mut self, runner: Runner) {
        self.runners.push(runner);
    }
}

fn ours(name: String, measure: Box<dyn FnMut() -> anyhow::Result<f64>>) -> Runner {
    Runner { name, ours: true, pids: Vec::new(), measure, remark: None }
}

/// The peers that run this precision on a processor.
fn peers_with(precision: Precision) -> Vec<PeerKind> {
    match precision {
        Precision::Float32 => PeerKind::ALL.to_vec(),
        Precision::Bfloat16 | Precision::Int8 => vec![PeerKind::OpenVino],
    }
}
