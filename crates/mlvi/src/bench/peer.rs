//! ONNX Runtime as a peer: a Python process that runs the same file once each time it is asked.

use anyhow::Context;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("onnxruntime_peer.py");

pub(super) struct Peer {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Name and version, as it says itself.
    pub(super) name: String,
}

impl Peer {
    /// Starts it with one thread.
    pub(super) fn start(python: &str, onnx: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .arg(onnx)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| {
                format!("cannot start '{python}' for ONNX Runtime; name a Python with --python")
            })?;
        let ask = child.stdin.take().context("the peer's input")?;
        let answers = BufReader::new(child.stdout.take().context("the peer's output")?);
        let mut peer = Self { child, ask, answers, name: String::new() };
        peer.name = peer.answer().with_context(|| {
            format!("ONNX Runtime does not start; try: {python} -m pip install onnxruntime")
        })?;
        Ok(peer)
    }

    /// Runs the network once; milliseconds.
    pub(super) fn run_once(&mut self) -> anyhow::Result<f64> {
        self.ask.write_all(b"run\n")?;
        self.ask.flush()?;
        Ok(self.answer()?.parse()?)
    }

    fn answer(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        anyhow::ensure!(self.answers.read_line(&mut line)? > 0, "the peer has ended");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // it holds nothing that must be saved
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
