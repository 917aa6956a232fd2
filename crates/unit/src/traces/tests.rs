//! From a span to a collector, and what becomes of it when that does not answer.

use super::*;
use crate::{Faults, Health};
use frame::{CameraId, ImageFormat, Problem, ServedBy, Timestamp, TimingsMs};
use played_collector::{Answer, Collector, SeenSpan};
use settings::Settings;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// A busy machine may take long; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

struct Unit {
    traces: Traces,
    metrics: Metrics,
    _tasks: Tasks,
}

impl Unit {
    fn start(endpoint: &str, more: &[(&'static str, &str)]) -> Self {
        let mut settings = Settings::from_pairs([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
        ])
        .with_overrides(more.iter().copied());
        let at = Whereabouts { unit: "unit", pod: Some("pod-1"), node: Some("node-1") };
        let config = TracesConfig::from_settings(&mut settings, at);
        settings.finish().unwrap();
        let (metrics, stop) = (Metrics::default(), CancellationToken::new());
        let tasks = Tasks::new(Health::of("unit"), stop, Faults::default());
        let traces = Traces::start("unit", config, &metrics, &tasks);
        Self { traces, metrics, _tasks: tasks }
    }

    fn count(&self, outcome: &str) -> u64 {
        let name = format!("mlvi_traces_spans_total{{outcome=\"{outcome}\"}} ");
        let text = self.metrics.encode();
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{name} is not in {text}")).parse().unwrap()
    }

    /// Waits until so many spans came to this end.
    async fn counted(&self, outcome: &str, spans: u64) {
        let began = Instant::now();
        while self.count(outcome) != spans {
            assert!(began.elapsed() < PATIENCE, "{}", self.metrics.encode());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn end_spans(&self, count: usize) {
        for _ in 0..count {
            let context = self.traces.root();
            let make = || Span::new("work", Kind::Internal, context, None, Timestamp::now());
            self.traces.end(context, make);
        }
    }
}

async fn spans(collector: Collector, count: usize) -> (Collector, Vec<SeenSpan>) {
    tokio::task::spawn_blocking(move || {
        let spans = collector.wait_for(PATIENCE, |spans| spans.len() >= count);
        (collector, spans)
    })
    .await
    .unwrap()
}

fn envelope() -> Envelope {
    let camera: CameraId = "gate".parse().unwrap();
    Envelope::received_now(camera, 7, ImageFormat::Jpeg)
}

#[tokio::test]
async fn a_span_arrives_with_all_that_it_tells() {
    let collector = Collector::start(Answer::Taken).unwrap();
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=site%201");
    let unit = Unit::start(&collector.endpoint(), &[headers]);
    let (envelope, parent) = (envelope(), unit.traces.root());
    let (context, link) = (unit.traces.under(parent), unit.traces.root());
    let began = envelope.received_at;
    unit.traces.end(context, || {
        Span::of_message("mlvi.frames", context, parent, began)
            .of_frame(envelope.frame_id, &envelope.camera)
            .with("share", 0.25)
            .with("offset", -3_i64)
            .with_known("nothing", None::<i64>)
            .event("decoded", began + Duration::from_millis(1))
            .linked(Some(link))
            .failed(Some("no picture".into()))
            .until(began + Duration::from_millis(2))
    });
    let (collector, spans) = spans(collector, 1).await;
    let span = &spans[0];
    assert_eq!(span.trace, parent.trace_id());
    assert_eq!(span.id, format!("{:016x}", context.span_id()));
    assert_eq!(span.parent, format!("{:016x}", parent.span_id()));
    assert_eq!((span.name.as_str(), span.kind, span.flags), ("process mlvi.frames", 5, 1));
    assert_eq!(span.started, began.as_micros() * 1000);
    assert_eq!(span.ended - span.started, 2_000_000);
    assert_eq!(span.events, [("decoded".to_owned(), span.started + 1_000_000)]);
    assert_eq!(span.links, [link.trace_id()]);
    assert_eq!(span.error.as_deref(), Some("no picture"));
    for (name, value) in [
        ("frame_id", envelope.frame_id.to_string().as_str()),
        ("camera", "gate"),
        ("messaging.system", "kafka"),
        ("messaging.destination.name", "mlvi.frames"),
        ("share", "0.25"),
        ("offset", "-3"),
        ("nothing", ""),
    ] {
        assert_eq!(span.attribute(name), value, "{name}");
    }
    let resource = |name: &str| span.resource.get(name).map(String::as_str);
    assert_eq!(resource("service.name"), Some("unit"));
    assert_eq!(resource("k8s.pod.name"), Some("pod-1"));
    assert_eq!(resource("k8s.node.name"), Some("node-1"));
    unit.counted("exported", 1).await;
    let head = collector.heads().remove(0).to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    assert!(head.contains("x-tenant: site 1"), "{head}");
}

#[tokio::test]
async fn only_what_is_sampled_or_failed_arrives() {
    let collector = Collector::start(Answer::Taken).unwrap();
    let unit = Unit::start(&collector.endpoint(), &[("OTEL_TRACES_SAMPLER", "always_off")]);
    unit.end_spans(10);
    let (good, bad) = (envelope(), envelope());
    for envelope in [&good, &bad] {
        let context = unit.traces.under(envelope.traceparent);
        let envelope = Envelope { traceparent: context, ..envelope.clone() };
        unit.traces.expect(&envelope);
        unit.traces.keep(envelope.frame_id, context, || {
            Span::new("work", Kind::Internal, context, None, Timestamp::now())
                .of_frame(envelope.frame_id, &envelope.camera)
        });
    }
    let problem = Problem::undecodable("no picture");
    let failed = bad.failed(problem, ServedBy::default(), TimingsMs::default());
    let status = frame::Status::Done;
    unit.traces.outcome(&FrameResult { status, frame_id: good.frame_id, ..failed.clone() });
    unit.traces.outcome(&failed);
    unit.traces.flush(PATIENCE).await;
    let seen = collector.spans();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].attribute("frame_id"), bad.frame_id.to_string());
    assert_eq!(seen[0].flags, 0, "the trace is not sampled");
}

#[tokio::test]
async fn many_spans_come_in_batches_and_none_twice() {
    let collector = Collector::start(Answer::Taken).unwrap();
    let unit = Unit::start(&collector.endpoint(), &[("OTEL_BSP_SCHEDULE_DELAY", "600000")]);
    unit.end_spans(2 * queue::MAX_BATCH);
    let (collector, seen) = spans(collector, 2 * queue::MAX_BATCH).await;
    let ids: std::collections::BTreeSet<&str> = seen.iter().map(|span| span.id.as_str()).collect();
    assert_eq!((seen.len(), ids.len()), (2 * queue::MAX_BATCH, 2 * queue::MAX_BATCH));
    assert_eq!(collector.requests(), 2, "without waiting for the time to be over");
}

#[tokio::test]
async fn what_a_collector_does_not_take_is_counted() {
    let collector = Collector::start(Answer::Rejecting(3)).unwrap();
    let unit = Unit::start(&collector.endpoint(), &[]);
    unit.end_spans(5);
    unit.traces.flush(PATIENCE).await;
    assert_eq!((unit.count("exported"), unit.count("rejected")), (2, 3));
    for status in [400, 401, 404, 500] {
        let before = unit.count("rejected");
        collector.set(Answer::Status(status));
        unit.end_spans(2);
        unit.counted("rejected", before + 2).await;
    }
    assert_eq!((unit.count("undelivered"), unit.count("dropped")), (0, 0));
}

#[test]
fn a_collector_that_refuses_is_told_of_once_for_each_status() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let collector = Collector::start(Answer::Status(404)).unwrap();
    let lines = crate::telemetry::tests::logged("info", || {
        runtime.block_on(async {
            let unit = Unit::start(&collector.endpoint(), &[]);
            let answers =
                [404, 404, 401, 401].map(Answer::Status).into_iter().chain([Answer::Taken; 2]);
            for answer in answers.chain([Answer::Status(401), Answer::Rejecting(1)]) {
                collector.set(answer);
                unit.end_spans(2);
                unit.traces.flush(PATIENCE).await;
            }
            for answer in [Answer::Rejecting(1), Answer::Taken, Answer::Rejecting(2)] {
                collector.set(answer);
                unit.end_spans(2);
                unit.traces.flush(PATIENCE).await;
            }
        });
    });
    let told = lines.iter().filter_map(|line| line["message"].as_str());
    let told: Vec<&str> = told.filter(|text| text.starts_with("the collector")).collect();
    let starts = ["refuses", "refuses", "is back", "refuses", "is back", "rejected", "rejected"];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (text, start) in told.iter().zip(starts) {
        assert!(text.starts_with(&format!("the collector {start}")), "{told:#?}");
    }
}

#[tokio::test]
async fn a_collector_that_was_busy_gets_the_spans_once() {
    let collector = Collector::start(Answer::Status(503)).unwrap();
    let unit = Unit::start(&collector.endpoint(), &[]);
    unit.end_spans(4);
    let began = Instant::now();
    while collector.requests() == 0 {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    collector.set(Answer::Taken);
    unit.counted("exported", 4).await;
    assert_eq!(collector.spans().len(), 4);
}

#[tokio::test]
async fn without_a_collector_spans_are_dropped_and_the_end_is_not_held_up() {
    // nobody listens there as long as it is reserved
    let port = ports::ReservedPort::loopback().unwrap();
    let unit =
        Unit::start(&format!("http://{}", port.address()), &[("OTEL_BSP_MAX_QUEUE_SIZE", "5")]);
    unit.end_spans(12);
    assert_eq!(unit.count("dropped"), 7, "there is room for five");
    unit.traces.flush(PATIENCE).await;
    assert_eq!(unit.count("undelivered"), 5);
    assert_eq!(unit.count("exported"), 0);
}

#[tokio::test]
async fn a_collector_that_never_answers_costs_its_timeout_and_no_more() {
    let collector = Collector::start(Answer::Never).unwrap();
    let timeout = ("OTEL_EXPORTER_OTLP_TIMEOUT", "20");
    let queue = ("OTEL_BSP_MAX_QUEUE_SIZE", "5");
    let unit = Unit::start(&collector.endpoint(), &[timeout, queue]);
    unit.end_spans(1);
    unit.traces.flush(PATIENCE).await;
    assert_eq!(unit.count("undelivered"), 1);
    // one that hangs for longer than the unit waits at its end
    let unit = Unit::start(&collector.endpoint(), &[queue]);
    unit.end_spans(1);
    unit.traces.flush(Duration::from_millis(1)).await;
    assert_eq!(unit.count("exported"), 0);
}

#[tokio::test]
async fn without_an_endpoint_there_is_nothing() {
    let mut settings = Settings::from_pairs([("", "")]);
    let at = Whereabouts { unit: "unit", pod: None, node: None };
    let config = TracesConfig::from_settings(&mut settings, at);
    let metrics = Metrics::default();
    let tasks = Tasks::new(Health::default(), CancellationToken::new(), Faults::default());
    let traces = Traces::start("unit", config, &metrics, &tasks);
    assert!(!traces.are_on() && !traces.root().is_sampled());
    let caller = TraceParent::root();
    assert!(traces.under(caller).is_sampled(), "a caller's decision is passed on");
    traces.end(caller, || panic!("no span is made"));
    assert!(traces.exemplar(caller).is_none());
    traces.flush(PATIENCE).await;
    assert!(!metrics.encode().contains("mlvi_traces"));
}

#[test]
fn an_exemplar_names_its_trace_in_openmetrics_text() {
    let metrics = Metrics::default();
    let histogram = TracedHistogram::new([0.1, 1.0].into_iter());
    metrics.register("latency_seconds", "how long it takes", histogram.clone());
    let trace = TraceParent::root();
    histogram.observe(0.05, None);
    histogram.observe(0.5, Some(TraceLabel::of(trace)));
    let text = metrics.encode();
    let bucket = |le: &str| {
        let start = format!("mlvi_latency_seconds_bucket{{le=\"{le}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default()
    };
    assert_eq!(bucket("0.1"), "1");
    // https://prometheus.io/docs/specs/om/open_metrics_spec/#exemplars
    let exemplar = format!("2 # {{trace_id=\"{}\"}} 0.5 ", trace.trace_id());
    assert!(bucket("1.0").starts_with(&exemplar), "{text}");
}
