//! Cameras that send as fast as they are answered.

use crate::bench::frames::BenchFrame;
use crate::bench::process::thread_cpu_ms;
use anyhow::Context;
use frame::TimingsMs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What an answer tells of its frame.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Processor time of the network, if the answer has it.
    pub(super) model_cpu_ms: Option<f64>,
    pub(super) timings: TimingsMs,
}

/// Whom to load.
#[derive(Clone)]
pub(super) struct Target {
    /// With `{camera}` where the camera's name goes.
    pub(super) url: String,
    pub(super) read: fn(&[u8]) -> anyhow::Result<Answer>,
}

/// What came of some seconds of load.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) seconds: f64,
    /// One for each frame that was answered.
    pub(super) latencies_ms: Vec<f64>,
    pub(super) answers: Vec<Answer>,
    /// Processor time of the cameras.
    pub(super) camera_cpu_ms: f64,
    /// What `meter` has counted.
    pub(super) cpu_ms: f64,
}

/// A camera for each frame: it sends its frame, waits for the result, and sends again. What is
/// answered in the first `settle` does not count.
///
/// # Errors
/// When a frame is not answered as it should be.
pub(super) fn run(
    target: &Target,
    frames: &Arc<Vec<BenchFrame>>,
    (settle, time): (Duration, Duration),
    meter: impl Fn() -> anyhow::Result<f64>,
) -> anyhow::Result<Loaded> {
    let (counting, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let cameras: Vec<_> = (0..frames.len())
            .map(|camera| {
                let (counting, stop) = (&counting, &stop);
                scope.spawn(move || {
                    let sent = send(target, camera, &frames[camera].jpeg, counting, stop);
                    if sent.is_err() {
                        // the others need not go on
                        stop.store(true, Ordering::Relaxed);
                    }
                    sent
                })
            })
            .collect();
        wait(settle, &stop);
        let (started, before) = (Instant::now(), meter());
        counting.store(true, Ordering::Relaxed);
        wait(time, &stop);
        counting.store(false, Ordering::Relaxed);
        let (seconds, after) = (started.elapsed().as_secs_f64(), meter());
        stop.store(true, Ordering::Relaxed);
        let mut all = Loaded { seconds, ..Loaded::default() };
        for camera in cameras {
            let part = camera.join().map_err(|_| anyhow::anyhow!("a camera has panicked"))??;
            all.latencies_ms.extend(part.latencies_ms);
            all.answers.extend(part.answers);
            all.camera_cpu_ms += part.camera_cpu_ms;
        }
        all.cpu_ms = after? - before?;
        anyhow::ensure!(!all.answers.is_empty(), "no frame was answered in {seconds:.0} s");
        Ok(all)
    })
}

/// Until the time is over, or somebody has failed.
fn wait(time: Duration, stop: &AtomicBool) {
    let started = Instant::now();
    while started.elapsed() < time && !stop.load(Ordering::Relaxed) {
        let left = time.saturating_sub(started.elapsed());
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

fn send(
    target: &Target,
    camera: usize,
    jpeg: &[u8],
    counting: &AtomicBool,
    stop: &AtomicBool,
) -> anyhow::Result<Loaded> {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(60)));
    let agent = ureq::Agent::new_with_config(config.build());
    let url = target.url.replace("{camera}", &format!("bench-{camera}"));
    let mut sent = Loaded::default();
    while !stop.load(Ordering::Relaxed) {
        let (started, cpu) = (Instant::now(), thread_cpu_ms()?);
        let mut response = agent.post(&url).content_type("image/jpeg").send(jpeg)?;
        let body = response.body_mut().read_to_vec().context("no result in time")?;
        let latency_ms = started.elapsed().as_secs_f64() * 1000.0;
        let answer = (target.read)(&body)?;
        if counting.load(Ordering::Relaxed) {
            sent.latencies_ms.push(latency_ms);
            sent.answers.push(answer);
            sent.camera_cpu_ms += thread_cpu_ms()? - cpu;
        }
    }
    Ok(sent)
}
