//! A peer: a Python process that loads the network, and then runs it each time it is asked.

use super::files::NetworkFiles;
use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// Loading may calibrate on some hundred photos.
const PATIENCE_TO_START: Duration = Duration::from_secs(900);
/// For an answer, on top of the time that the question asks for.
const PATIENCE_TO_ANSWER: Duration = Duration::from_secs(120);
/// So much of what a peer has said last is shown when it fails.
const SHOWN: usize = 600;

/// Whom to measure against, and where they are.
#[derive(Clone, Debug, Args)]
pub struct PeerArgs {
    /// Measure ONNX Runtime, OpenVINO, OpenCV and ncnn too, in turn, each of them in a Python
    /// process; those that are not installed are named (`pip install -r bench/requirements.txt`)
    #[arg(long)]
    pub with_peers: bool,
    /// The Python that has the peers installed
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    pub python: String,
    /// The folder of the peers' programs, `bench` of the repository
    #[arg(long, value_name = "DIR", default_value = "bench")]
    pub bench_dir: PathBuf,
    /// A folder of photos on which OpenVINO calibrates its int8; it is left out without one
    #[arg(long, value_name = "DIR")]
    pub photos: Option<PathBuf>,
}

/// What a peer runs, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PeerRun {
    pub(super) kind: PeerKind,
    pub(super) threads: usize,
    pub(super) precision: Precision,
    /// Frames per second count, and not the time of one.
    pub(super) throughput: bool,
}

/// A runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerKind {
    OnnxRuntime,
    OpenVino,
    OpenCv,
    Ncnn,
}

/// What the network's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// Numbers of 32 bits
    Float32,
    /// What convolutions multiply is rounded to 16 bits
    Bfloat16,
    /// Bytes, for which the model needs a calibration
    Int8,
}

impl Precision {
    pub(super) const ALL: [Self; 3] = [Self::Float32, Self::Bfloat16, Self::Int8];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Bfloat16 => "bfloat16",
            Self::Int8 => "int8",
        }
    }

    /// As the peers are told.
    const fn argument(self) -> &'static str {
        match self {
            Self::Float32 => "f32",
            Self::Bfloat16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

impl PeerKind {
    pub(super) const ALL: [Self; 4] = [Self::OnnxRuntime, Self::OpenVino, Self::OpenCv, Self::Ncnn];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OnnxRuntime => "ONNX Runtime",
            Self::OpenVino => "OpenVINO",
            Self::OpenCv => "OpenCV",
            Self::Ncnn => "ncnn",
        }
    }

    const fn script(self) -> &'static str {
        match self {
            Self::OnnxRuntime => "onnxruntime_peer.py",
            Self::OpenVino => "openvino_peer.py",
            Self::OpenCv => "opencv_peer.py",
            Self::Ncnn => "ncnn_peer.py",
        }
    }
}

/// What came of starting a peer.
pub(super) enum Started {
    Ready(Peer),
    /// It is not installed, for this reason.
    Missing(String),
}

/// A peer that is ready.
#[derive(Debug)]
pub(super) struct Peer {
    child: Child,
    ask: ChildStdin,
    answers: Receiver<String>,
    /// What it says on standard error.
    said: std::fs::File,
    /// Name and version, as it says itself.
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Greeting {
    Ready { ready: String },
    Missing { missing: String },
}

#[derive(Debug, Deserialize)]
struct Took {
    ms: f64,
}

#[derive(Debug, Deserialize)]
struct Inferred {
    frames: u64,
    seconds: f64,
}

#[derive(Debug, Deserialize)]
struct Written {
    values: usize,
}

impl Peer {
    /// Starts the peer on a network.
    ///
    /// # Errors
    /// When Python is not there, or the peer fails for another reason than that it is not
    /// installed.
    pub(super) fn start(
        args: &PeerArgs,
        run: PeerRun,
        files: &NetworkFiles,
    ) -> anyhow::Result<Started> {
        let script = args.bench_dir.join("peers").join(run.kind.script());
        anyhow::ensure!(
            script.is_file(),
            "{} is not there; name the folder `bench` of the repository with --bench-dir",
            script.display()
        );
        let mut command = Command::new(&args.python);
        command
            .arg(script)
            .arg("--model")
            .arg(&files.onnx)
            .arg("--input")
            .arg(&files.input)
            .args(["--shape", &files.shape.map(|side| side.to_string()).join(",")])
            .args(["--threads", &run.threads.to_string()])
            .args(["--precision", run.precision.argument()])
            .arg("--cache")
            .arg(&files.cache)
            .args(run.throughput.then_some("--throughput"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(photos) = &args.photos {
            command.arg("--photos").arg(photos);
        }
        let name = run.kind.name();
        Self::spawn(command).with_context(|| format!("{name} as a peer, with '{}'", args.python))
    }

    pub(super) fn spawn(mut command: Command) -> anyhow::Result<Started> {
        let said = tempfile::tempfile()?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said.try_clone()?)
            .spawn()
            .context("it cannot be started; name a Python with --python")?;
        let ask = child.stdin.take().context("the peer's input")?;
        let answers = read_lines(child.stdout.take().context("the peer's output")?);
        let mut peer = Self { child, ask, answers, said, name: String::new() };
        match peer.answer(PATIENCE_TO_START)? {
            Greeting::Ready { ready } => {
                peer.name = ready;
                Ok(Started::Ready(peer))
            }
            Greeting::Missing { missing } => {
                Ok(Started::Missing(format!("the Python module '{missing}' is not installed")))
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs the network once; milliseconds.
    pub(super) fn run_once(&mut self) -> anyhow::Result<f64> {
        self.tell("run")?;
        let Took { ms } = self.answer(PATIENCE_TO_ANSWER)?;
        Ok(ms)
    }

    /// Runs the network as often as it can; frames per second.
    pub(super) fn load(&mut self, seconds: f64) -> anyhow::Result<f64> {
        self.tell(&format!("load {seconds}"))?;
        let Inferred { frames, seconds } =
            self.answer(PATIENCE_TO_ANSWER + Duration::from_secs_f64(seconds))?;
        anyhow::ensure!(seconds > 0.0, "{} has taken no time", self.name);
        Ok(frames as f64 / seconds)
    }

    /// The network's outputs, one after the other.
    pub(super) fn outputs(&mut self) -> anyhow::Result<Vec<f32>> {
        let file = tempfile::NamedTempFile::new()?;
        let path = file.path().to_str().context("the temporary folder's name is no text")?;
        self.tell(&format!("outputs {path}"))?;
        let Written { values } = self.answer(PATIENCE_TO_ANSWER)?;
        let bytes = std::fs::read(file.path())?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        anyhow::ensure!(
            numbers.len() == values && rest.is_empty(),
            "{} has written {} bytes where it says {values} numbers",
            self.name,
            bytes.len()
        );
        Ok(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
    }

    fn tell(&mut self, command: &str) -> anyhow::Result<()> {
        let told = writeln!(self.ask, "{command}").and_then(|()| self.ask.flush());
        told.map_err(|_| self.ended())
    }

    fn answer<T: for<'a> Deserialize<'a>>(&mut self, patience: Duration) -> anyhow::Result<T> {
        match self.answers.recv_timeout(patience) {
            Ok(line) => serde_json::from_str(&line)
                .map_err(|_| anyhow!("the peer answers '{}', which is nonsense", line.trim())),
            Err(RecvTimeoutError::Timeout) => {
                bail!("the peer does not answer within {} s", patience.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }

    /// Why there is no answer.
    fn ended(&mut self) -> anyhow::Error {
        let status = self.child.wait().map_or("an unknown status".into(), |end| end.to_string());
        let mut words = String::new();
        // what it has said is shown as far as it can be read
        let read = self.said.rewind().and_then(|()| self.said.read_to_string(&mut words));
        let words = if read.is_ok() { words.trim() } else { "" };
        let shown = words.len().saturating_sub(SHOWN);
        let shown = words.get(words.ceil_char_boundary(shown)..).unwrap_or_default();
        anyhow!("the peer has ended with {status}: {shown}")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // it holds nothing that must be saved
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a process prints, read by a thread that ends with it.
fn read_lines(output: ChildStdout) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            if send.send(line).is_err() {
                return;
            }
        }
    });
    receive
}

/// Whether the peers' folder has what a benchmark needs.
pub(super) fn check_dir(dir: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        dir.join("peers/peer.py").is_file(),
        "{} is not the folder of the peers' programs; name `bench` of the repository with \
         --bench-dir",
        dir.display()
    );
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A peer that is a shell script.
    pub(in crate::bench) fn scripted(script: &str) -> anyhow::Result<Started> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Peer::spawn(command)
    }

    fn ready(script: &str) -> Peer {
        match scripted(script).unwrap() {
            Started::Ready(peer) => peer,
            Started::Missing(why) => panic!("{why}"),
        }
    }

    fn words<T>(outcome: anyhow::Result<T>) -> String {
        format!("{:#}", outcome.err().expect("an error"))
    }

    const GREETING: &str = r#"echo '{"ready": "Test 1.0"}';"#;

    #[test]
    fn a_peer_answers_what_it_is_asked() {
        let script = r#"read a; echo '{"ms": 1.5}'; read b; echo '{"frames": 10, "seconds": 2}';
            read c file; printf '\000\000\200\077' >$file; echo '{"values": 1}'"#;
        let mut peer = ready(&format!("{GREETING} {script}"));
        assert_eq!(peer.name, "Test 1.0");
        assert_eq!(peer.run_once().unwrap(), 1.5);
        assert_eq!(peer.load(0.1).unwrap(), 5.0);
        assert_eq!(peer.outputs().unwrap(), [1.0]);
    }

    #[test]
    fn what_is_not_installed_is_missing_and_no_error() {
        match scripted(r#"echo '{"missing": "cv2"}'"#).unwrap() {
            Started::Missing(why) => assert!(why.contains("'cv2'"), "{why}"),
            Started::Ready(_) => panic!("it is missing"),
        }
    }

    #[test]
    fn a_peer_that_dies_is_an_error_with_its_last_words() {
        let dies = words(scripted("echo 'no such file' >&2; exit 3"));
        assert!(dies.contains("exit status: 3") && dies.contains("no such file"), "{dies}");
        let mut peer = ready(&format!("{GREETING} read a; echo 'out of memory' >&2; exit 1"));
        let later = words(peer.run_once());
        assert!(later.contains("exit status: 1: out of memory"), "{later}");
        assert!(words(peer.run_once()).contains("ended"), "asked again");
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(words(scripted("echo hello")).contains("'hello', which is nonsense"));
        let mut peer = ready(&format!("{GREETING} read a; echo '{{\"ms\": \"soon\"}}'"));
        assert!(words(peer.run_once()).contains("nonsense"));
        let script = r#"read a file; echo '{"values": 7}'"#;
        let short = words(ready(&format!("{GREETING} {script}")).outputs());
        assert!(short.contains("0 bytes where it says 7 numbers"), "{short}");
    }

    #[test]
    fn a_missing_python_is_named() {
        let command = Command::new("/nowhere/python");
        let missing = words(Peer::spawn(command));
        assert!(missing.contains("--python"), "{missing}");
    }
}
