//! What traces cost a unit: processor time for each frame's spans, encoded and sent.
//!
//! `cargo bench -p unit --bench traces`. A collector on another thread takes what comes; the time is
//! that of the thread that does everything else, so neither waiting nor the collector counts. Each
//! round measures every case in turn.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark says what it measured")]

use frame::{
    CameraId, Envelope, FrameResult, ImageFormat, Problem, ServedBy, Status, Timestamp, TimingsMs,
};
use played_collector::{Answer, Collector};
use settings::Settings;
use tokio_util::sync::CancellationToken;
use unit::traces::Span;
use unit::{Listen, Shell, ShellConfig, TaskFailure, Traces};

const FRAMES: u64 = 20_000;
const ROUNDS: usize = 7;
const CASES: [(&str, Option<&str>); 4] =
    [("off", None), ("none sampled", Some("0")), ("10 % sampled", Some("0.1")), ("all", Some("1"))];

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut all = CASES.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, share), times) in CASES.iter().zip(&mut all) {
            times.push(runtime.block_on(measured(*share)));
        }
    }
    println!("processor time per frame with three spans, in µs: median (lowest to highest)");
    for ((name, _), mut times) in CASES.iter().zip(all) {
        times.sort_by(f64::total_cmp);
        let (low, median, high) = (times[0], times[ROUNDS / 2], times[ROUNDS - 1]);
        println!("{name:<14} {median:>7.2} ({low:.2} to {high:.2})");
    }
}

/// Microseconds per frame.
async fn measured(share: Option<&str>) -> f64 {
    let collector = Collector::start(Answer::Taken).unwrap();
    let mut pairs = vec![("OTEL_BSP_MAX_QUEUE_SIZE", "1000000".to_owned())];
    if let Some(share) = share {
        pairs.push(("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()));
        pairs.push(("OTEL_TRACES_SAMPLER", "parentbased_traceidratio".to_owned()));
        pairs.push(("OTEL_TRACES_SAMPLER_ARG", share.to_owned()));
    }
    let mut settings = Settings::from_pairs(pairs);
    let config = ShellConfig::from_settings(&mut settings, "bench");
    settings.finish().unwrap();
    let config = ShellConfig { admin: Listen::loopback().unwrap().0, ..config };
    let shell = Shell::start(config, &CancellationToken::new()).await.unwrap();
    let camera: CameraId = "gate".parse().unwrap();
    let template = Envelope::received_now(camera, 0, ImageFormat::Jpeg);
    let problem = Problem::undecodable("");
    let result = template.failed(problem, ServedBy::default(), TimingsMs::default());
    let result = FrameResult { status: Status::Done, error: None, ..result };
    let began = thread_us();
    for number in 0..FRAMES {
        a_frame(&shell.traces, &template, &result);
        if number % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // what is left is sent at the end
    shell.supervise(async { Ok::<(), Failed>(()) }).await.unwrap();
    (thread_us() - began) / FRAMES as f64
}

/// As web-server traces a frame: a request, a message sent, a result received.
fn a_frame(traces: &Traces, template: &Envelope, result: &FrameResult) {
    let now = Timestamp::now();
    let request = traces.root();
    let id = frame::FrameId::fresh();
    let sent = request.child();
    let envelope = Envelope { traceparent: sent, frame_id: id, ..template.clone() };
    let received = traces.under(sent);
    traces.expect(&envelope);
    for (context, parent) in [(sent, request), (received, sent), (request, request)] {
        traces.keep(id, context, || {
            Span::of_message("mlvi.frames", context, parent, now)
                .of_frame(id, &envelope.camera)
                .with("destination", "edge")
                .with("reason", "edge-only".to_owned())
        });
    }
    traces.outcome(&FrameResult { frame_id: id, ..result.clone() });
}

/// Processor time of this thread, in microseconds.
fn thread_us() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1000.0
}

/// Nothing fails here.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Failed(#[from] TaskFailure);

impl AsRef<dyn std::error::Error> for Failed {
    fn as_ref(&self) -> &(dyn std::error::Error + 'static) {
        self
    }
}
