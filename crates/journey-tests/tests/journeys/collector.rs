//! What the real OpenTelemetry Collector makes of a frame's spans.

use journey_tests::{Journey, photo};
use ports::ReservedPort;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // one that has ended by itself needs no end
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &Path, dir: &Path, port: u16) -> Running {
    let (config, spans) = (dir.join("collector.yml"), dir.join("spans.json"));
    let text = format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{port}'}}}}}}}}\n\
         exporters: {{file: {{path: '{}', flush_interval: 100ms}}}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  \
         pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}}}\n",
        spans.display()
    );
    std::fs::write(&config, text).unwrap();
    let child = Command::new(program).arg("--config").arg(&config).stdin(Stdio::null()).spawn();
    Running(child.unwrap())
}

/// A span as the Collector's JSON has it, with the service that it is of.
struct Told {
    service: String,
    name: String,
    trace: String,
    id: String,
    parent: String,
    attributes: BTreeMap<String, String>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn attributes(of: &Value) -> BTreeMap<String, String> {
    let pairs = of["attributes"].as_array().into_iter().flatten();
    let value = |pair: &Value| text(&pair["value"]["stringValue"]);
    pairs.map(|pair| (text(&pair["key"]), value(pair))).collect()
}

/// Every span of the file, which has a request in each line; the last line may be half written.
fn read(file: &Path) -> Vec<Told> {
    let lines = std::fs::read_to_string(file).unwrap_or_default();
    let requests = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut told = Vec::new();
    for request in requests {
        for resource in request["resourceSpans"].as_array().into_iter().flatten() {
            let service = attributes(&resource["resource"])["service.name"].clone();
            let scopes = resource["scopeSpans"].as_array().into_iter().flatten();
            for span in scopes.flat_map(|scope| scope["spans"].as_array().into_iter().flatten()) {
                told.push(Told {
                    service: service.clone(),
                    name: text(&span["name"]),
                    trace: text(&span["traceId"]),
                    id: text(&span["spanId"]),
                    parent: text(&span["parentSpanId"]),
                    attributes: attributes(span),
                });
            }
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_collector_puts_a_frames_trace_together() {
    let Some(program) = requires::collector() else { return };
    let (dir, port) = (tempfile::tempdir().unwrap(), ReservedPort::loopback().unwrap());
    let _collector = start(&program, dir.path(), port.address().port());
    let endpoint = format!("http://127.0.0.1:{}", port.address().port());
    let journey = Journey::start(|config| {
        config
            .with("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
            .with("OTEL_BSP_SCHEDULE_DELAY", 20)
            .with("MLVI_POLICY", "edge-only")
    })
    .await;
    let result = journey
        .client_does(|client| {
            let answer = client.post("/inference?wait=30s", &photo("coffee.jpg")).unwrap();
            answer.result().unwrap()
        })
        .await;
    let (began, file) = (Instant::now(), dir.path().join("spans.json"));
    let spans = loop {
        let spans = read(&file);
        let has = |unit: &str, name: &str| {
            spans.iter().any(|span| span.service == unit && span.name.starts_with(name))
        };
        if has("web-server", "POST") && has("results-store", "process") {
            break spans;
        }
        assert!(began.elapsed() < PATIENCE, "{} spans came", spans.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let services: BTreeSet<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    let units = ["edge-inference", "preprocessor", "results-store", "web-server"];
    assert_eq!(services.into_iter().collect::<Vec<_>>(), units);
    for span in &spans {
        let is_root = span.name.starts_with("POST");
        assert_eq!(span.trace, spans[0].trace, "{}", span.name);
        assert_eq!(span.parent.is_empty(), is_root, "{}", span.name);
        assert!(is_root || ids.contains(span.parent.as_str()), "{}", span.name);
        assert_eq!(span.attributes["frame_id"], result.frame_id.to_string(), "{}", span.name);
    }
    journey.end().await;
}
