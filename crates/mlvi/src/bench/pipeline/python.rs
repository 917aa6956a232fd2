//! The pipeline in Python: its processes.

use super::load::{Answer, Target};
use crate::bench::peer::{Peer, Started};
use anyhow::Context;
use frame_bus::{Bus, BusConfig, Cleanup, TopicSpec};
use ports::ReservedPort;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const FRAMES: &str = "python.frames";
const RESULTS: &str = "python.results";
/// As many as MLVI's suite has.
const PARTITIONS: i32 = 6;

/// A running pipeline; dropping it ends its processes.
pub(super) struct PythonPipeline {
    /// The server, then the workers.
    processes: Vec<Peer>,
    http: SocketAddr,
    /// Nobody else takes it meanwhile.
    _port: ReservedPort,
}

/// What came of starting it.
pub(super) enum Pipeline {
    Ready(PythonPipeline),
    /// It is not installed, for this reason.
    Missing(String),
}

/// What starts it.
pub(super) struct Start<'a> {
    pub(super) python: &'a str,
    pub(super) bench_dir: &'a Path,
    pub(super) brokers: &'a str,
    /// tiny-YOLOv3 as ONNX.
    pub(super) model: &'a Path,
    pub(super) workers: usize,
}

/// Makes its topics.
///
/// # Errors
/// When the broker refuses.
pub(super) async fn make_topics(brokers: &str) -> anyhow::Result<()> {
    let bus = Bus::open(BusConfig::new(brokers, "bench-python"))?;
    let topic = |name: &str, partitions| TopicSpec {
        name: name.into(),
        partitions,
        cleanup: Cleanup::Delete {
            retention: Duration::from_secs(3600),
            retention_bytes: Some(1 << 30),
        },
    };
    let specs = [topic(FRAMES, PARTITIONS), topic(RESULTS, 1)];
    bus.ensure_topics(&specs, &CancellationToken::new()).await?;
    bus.close(Duration::from_secs(1)).await;
    Ok(())
}

/// Starts the server and the workers, and waits until they are ready.
///
/// # Errors
/// When Python is not there, or a process fails for another reason than that something is not
/// installed.
pub(super) fn start(start: &Start<'_>) -> anyhow::Result<Pipeline> {
    let port = ReservedPort::loopback()?;
    let http = port.address();
    let command = |script: &str| {
        let script = start.bench_dir.join("pipeline").join(script);
        anyhow::ensure!(
            script.is_file(),
            "{} is not there; name the folder `bench` of the repository with --bench-dir",
            script.display()
        );
        let mut command = Command::new(start.python);
        command
            .arg(script)
            .args(["--brokers", start.brokers, "--frames", FRAMES, "--results", RESULTS])
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(command)
    };
    let mut commands = Vec::new();
    let mut server = command("server.py")?;
    server.args(["--port", &http.port().to_string()]);
    commands.push(server);
    for _ in 0..start.workers {
        let mut worker = command("worker.py")?;
        worker.arg("--model").arg(start.model);
        commands.push(worker);
    }
    let mut processes = Vec::new();
    for command in commands {
        match Peer::spawn(command).context("the pipeline in Python")? {
            Started::Ready(process) => processes.push(process),
            Started::Missing(why) => return Ok(Pipeline::Missing(why)),
        }
    }
    Ok(Pipeline::Ready(PythonPipeline { processes, http, _port: port }))
}

impl PythonPipeline {
    pub(super) fn target(&self) -> Target {
        Target { url: format!("http://{}/cameras/{{camera}}/frames", self.http), read }
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Peer::pid).collect()
    }
}

/// A worker's answer.
#[derive(Deserialize)]
struct Result {
    /// Only whether it is there matters.
    detections: Vec<serde::de::IgnoredAny>,
    model_cpu_ms: f64,
}

fn read(body: &[u8]) -> anyhow::Result<Answer> {
    let Result { detections, model_cpu_ms } =
        serde_json::from_slice(body).context("the pipeline in Python answers nonsense")?;
    anyhow::ensure!(!detections.is_empty(), "the pipeline in Python finds nothing in the photo");
    Ok(Answer { model_cpu_ms: Some(model_cpu_ms), ..Answer::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workers_answer_is_read() {
        let body = br#"{"detections": [{"class_id": 1}], "model_cpu_ms": 2.5, "model_ms": 3}"#;
        assert_eq!(read(body).unwrap().model_cpu_ms, Some(2.5));
        let nothing = read(br#"{"detections": [], "model_cpu_ms": 2.5}"#).unwrap_err();
        assert!(nothing.to_string().contains("finds nothing"), "{nothing}");
        assert!(read(b"Internal Server Error").is_err());
    }

    #[test]
    fn a_folder_without_the_pipeline_is_named() {
        let start = Start {
            python: "python3",
            bench_dir: Path::new("/nowhere"),
            brokers: "localhost:1",
            model: Path::new("a.onnx"),
            workers: 1,
        };
        let error = super::start(&start).err().unwrap();
        assert!(error.to_string().contains("--bench-dir"), "{error}");
    }
}
