//! `mlvi bench pixels`: decode, sharpen and encode one JPEG on one thread, in turn with Pillow.

use super::busy::{Trust, Watch};
use super::frames;
use super::section::{Grid, Section};
use super::show;
use super::stats::Series;
use anyhow::{Context, bail};
use clap::Args;
use cli::table::number;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;
use vision::Limits;

/// What `mlvi bench pixels` can be told.
#[derive(Clone, Debug, Args)]
pub struct PixelsArgs {
    /// The photo that a frame of 640×480 is cut from
    #[arg(long, value_name = "FILE", default_value = "images/coffee.jpg")]
    pub(super) image: PathBuf,
    /// How often each is measured, after three runs that are not
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(super) runs: usize,
    /// Measure Pillow too, on the same bytes, in turn
    #[arg(long)]
    pub(super) with_peers: bool,
    /// A Python that has Pillow installed
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    pub(super) python: String,
    /// The folder of the peers' programs, `bench` of the repository
    #[arg(long, value_name = "DIR", default_value = "bench")]
    pub(super) bench_dir: PathBuf,
}

const WARM_UP: usize = 3;
/// As the preprocessor's settings are by default.
const SHARPNESS: f32 = 1.2;
const QUALITY: u8 = 90;

pub(super) fn run(args: &PixelsArgs) -> anyhow::Result<()> {
    show(&[section(args)?], false)
}

/// Measures, in turn.
///
/// # Errors
/// When the photo cannot be read, or Pillow is wanted and fails.
pub(super) fn section(args: &PixelsArgs) -> anyhow::Result<Section> {
    let frame = frames::from_photo(&args.image, 1)?.pop().context("one frame")?;
    let watch = Watch::start(&[])?;
    let outcome = measure(&frame.jpeg, args)?;
    let all: Vec<f64> = outcome.ours.iter().map(Steps::all).collect();
    let all = Series::new(all).context("at least one run")?.summary();
    outcome.section(frame.jpeg.len(), &watch.trust([&all])?)
}

/// One number of a run.
type Milliseconds = fn(&Steps) -> f64;

/// Milliseconds of each step of one run.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
struct Steps {
    decode: f64,
    sharpen: f64,
    encode: f64,
    /// How large the encoded picture is.
    bytes: usize,
}

impl Steps {
    /// What is shown of a run, and under which name.
    const SHOWN: [(&str, Milliseconds); 4] = [
        ("decode", |steps| steps.decode),
        ("sharpen", |steps| steps.sharpen),
        ("encode", |steps| steps.encode),
        ("all", Self::all),
    ];

    fn all(&self) -> f64 {
        self.decode + self.sharpen + self.encode
    }
}

#[derive(Serialize)]
struct Outcome {
    ours: Vec<Steps>,
    /// Its name, and as many runs.
    peer: Option<(String, Vec<Steps>)>,
}

fn measure(jpeg: &[u8], args: &PixelsArgs) -> anyhow::Result<Outcome> {
    anyhow::ensure!(args.runs > 0, "--runs must be at least 1");
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), jpeg)?;
    let mut peer = args.with_peers.then(|| Pillow::start(args, file.path())).transpose()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // in turn, so that a machine whose speed drifts does so for both
    for run in 0..WARM_UP + args.runs {
        let steps = once(jpeg)?;
        let peers = peer.as_mut().map(Pillow::run_once).transpose()?;
        if run >= WARM_UP {
            ours.push(steps);
            theirs.extend(peers);
        }
    }
    Ok(Outcome { ours, peer: peer.map(|peer| (peer.name.clone(), theirs)) })
}

/// What the preprocessor does with a frame's pixels.
fn once(jpeg: &[u8]) -> anyhow::Result<Steps> {
    let mut last = Instant::now();
    let mut lap = || {
        let ms = last.elapsed().as_secs_f64() * 1000.0;
        last = Instant::now();
        ms
    };
    let image = vision::decode(jpeg, &Limits::default())?;
    let decode = lap();
    let image = vision::sharpen(image, SHARPNESS);
    let sharpen = lap();
    let encoded = vision::encode_jpeg(&image, QUALITY)?;
    Ok(Steps { decode, sharpen, encode: lap(), bytes: encoded.len() })
}

impl Outcome {
    /// A row for each step, and one for the sizes; `bytes` are those of the JPEG that is decoded.
    fn section(&self, bytes: usize, trust: &Trust) -> anyhow::Result<Section> {
        let title = format!("One JPEG of 640x480 pixels, {bytes} bytes, on one thread");
        let data = serde_json::json!({ "trust": trust, "outcome": self });
        let mut section = Section::new("pixels", &title, data);
        section.paragraph(trust.sentence());
        let peer = self.peer.as_ref().map(|(name, runs)| (name.as_str(), runs.as_slice()));
        let mut header = vec!["ms".to_owned(), "mlvi min".into(), "median".into()];
        if let Some((name, _)) = peer {
            let theirs = [format!("{name} min"), "median".into(), "mlvi / it".into()];
            header.extend(theirs.into_iter().chain(["by the best".into()]));
        }
        let mut grid = Grid::new(&header.iter().map(String::as_str).collect::<Vec<_>>());
        for (step, of) in Steps::SHOWN {
            let ours = of_runs(&self.ours, of);
            let mut row = vec![step.to_owned(), number(ours.0), number(ours.1)];
            if let Some((_, runs)) = peer {
                let theirs = of_runs(runs, of);
                let ratio = |ours: f64, theirs: f64| format!("{:.2}", ours / theirs);
                row.extend([number(theirs.0), number(theirs.1)]);
                row.extend([ratio(ours.1, theirs.1), ratio(ours.0, theirs.0)]);
            }
            grid.row(row);
        }
        section.grid(grid);
        let bytes = |runs: &[Steps]| runs.first().map_or(0, |steps| steps.bytes);
        let ours = format!("encoded: {} bytes", bytes(&self.ours));
        let theirs = peer.map(|(name, runs)| format!("{name} encodes: {} bytes", bytes(runs)));
        section.list(std::iter::once(ours).chain(theirs).collect());
        Ok(section)
    }
}

/// Minimum and median; 0 without a run.
fn of_runs(runs: &[Steps], of: Milliseconds) -> (f64, f64) {
    Series::new(runs.iter().map(of).collect())
        .map_or((0.0, 0.0), |series| (series.min(), series.median()))
}

/// A Python process that does the same once each time it is asked.
#[derive(Debug)]
struct Pillow {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// With its version and its codec's, as it says itself.
    name: String,
}

#[derive(Deserialize)]
struct Introduction {
    name: String,
}

impl Pillow {
    fn start(args: &PixelsArgs, file: &Path) -> anyhow::Result<Self> {
        let (python, script) = (&args.python, args.bench_dir.join("pillow_peer.py"));
        anyhow::ensure!(
            script.is_file(),
            "{} is not there; name the folder `bench` of the repository with --bench-dir",
            script.display()
        );
        let mut child = Command::new(python)
            .arg(script)
            .arg(file)
            .args(["--ask", "--sharpness", &SHARPNESS.to_string()])
            .args(["--quality", &QUALITY.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| {
                format!("cannot start '{python}' for Pillow; name a Python with --python")
            })?;
        let ask = child.stdin.take().context("the peer's input")?;
        let answers = BufReader::new(child.stdout.take().context("the peer's output")?);
        let mut peer = Self { child, ask, answers, name: String::new() };
        let Introduction { name } = peer.answer().with_context(|| {
            format!("Pillow does not start; try: {python} -m pip install pillow")
        })?;
        peer.name = name;
        Ok(peer)
    }

    fn run_once(&mut self) -> anyhow::Result<Steps> {
        self.ask
            .write_all(b"run\n")
            .and_then(|()| self.ask.flush())
            .context("Pillow's process has ended")?;
        self.answer()
    }

    fn answer<T: for<'a> Deserialize<'a>>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("Pillow's process has ended");
        }
        serde_json::from_str(&line).with_context(|| format!("Pillow's process says {line:?}"))
    }
}

impl Drop for Pillow {
    fn drop(&mut self) {
        // it holds nothing that must be saved
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn args(python: &str) -> PixelsArgs {
        PixelsArgs {
            image: PathBuf::new(),
            runs: 2,
            with_peers: true,
            python: python.to_owned(),
            bench_dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench"),
        }
    }

    fn photo() -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images/coffee.jpg");
        std::fs::read(path).unwrap()
    }

    #[test]
    fn ratios_are_ours_over_theirs() {
        let steps = |scale: f64| Steps {
            decode: scale,
            sharpen: 2.0 * scale,
            encode: 3.0 * scale,
            bytes: 100,
        };
        let peer = ("Peer 1.0".to_owned(), vec![steps(4.0), steps(2.0), steps(8.0)]);
        let outcome = Outcome { ours: vec![steps(1.0), steps(1.0)], peer: Some(peer) };
        let trust = Trust { others: 0.0, stolen: 0.0, scatter: 0.0 };
        let text = outcome.section(1000, &trust).unwrap().text();
        let all = text.lines().find(|line| line.starts_with("all")).unwrap();
        let words: Vec<&str> = all.split_whitespace().collect();
        assert_eq!(words, ["all", "6.00", "6.00", "12.0", "24.0", "0.25", "0.50"]);
        assert!(text.contains("Peer 1.0"));
    }

    #[test]
    fn a_peer_that_cannot_be_used_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path.display().to_string()
        };
        let dies = "#!/bin/sh\necho '{\"name\":\"x\"}'\nread line\n";
        let raves = "#!/bin/sh\necho '{\"name\":\"x\"}'\nread line\necho soon\nread line\n";
        for (python, expected) in [
            ("/nowhere/python".to_owned(), "--python"),
            (script("silent", "#!/bin/sh\nexit 0\n"), "pip install"),
            (script("dies", dies), "has ended"),
            (script("raves", raves), "soon"),
        ] {
            let error = measure(&photo(), &args(&python)).map(|_| ()).unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{python}: {error:#}");
        }
    }

    #[test]
    fn pillow_does_the_same_steps() {
        let Ok(python) = std::env::var("MLVI_PYTHON") else {
            requires::skip(requires::Requirement::Pillow, "MLVI_PYTHON is not set");
            return;
        };
        let outcome = measure(&photo(), &args(&python)).unwrap();
        let (name, theirs) = outcome.peer.unwrap();
        assert!(name.starts_with("Pillow "), "{name}");
        assert_eq!((outcome.ours.len(), theirs.len()), (2, 2));
        // the same codec with the same settings on the same pixels
        let (ours, theirs) = (outcome.ours[0].bytes as f64, theirs[0].bytes as f64);
        assert!((ours / theirs - 1.0).abs() < 0.01, "{ours} {theirs}");
    }
}
