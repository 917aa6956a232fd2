//! A frame's trace, put together by a collector from what all units tell.

use frame::{FrameId, Status};
use journey_tests::{Admin, Client, Journey, photo};
use mlvi::suite::{SuiteConfig, UnitKind};
use played_collector::{Answer, Collector, SeenSpan};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A suite whose units export spans there, soon.
fn traced(config: SuiteConfig, endpoint: &str) -> SuiteConfig {
    config
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .with("OTEL_BSP_SCHEDULE_DELAY", 20)
        .with_unit(UnitKind::EdgeInference, "POD_NAME", "edge-7")
}

/// A JPEG whose pixels break off in the middle, which only the preprocessor sees.
fn broken(jpeg: &[u8]) -> Vec<u8> {
    [&jpeg[..jpeg.len() / 2], &[0xFF, 0xD9]].concat()
}

/// The only span of this unit with this name.
fn only<'a>(spans: &'a [SeenSpan], unit: &str, name: &str) -> &'a SeenSpan {
    let found: Vec<_> =
        spans.iter().filter(|span| span.service == unit && span.name == name).collect();
    assert_eq!(found.len(), 1, "{unit}: {name}: {spans:#?}");
    found[0]
}

async fn until_complete(
    journey: &Journey,
    collector: Collector,
    complete: impl Fn(&[SeenSpan]) -> bool + Send + 'static,
) -> (Collector, Vec<SeenSpan>) {
    journey
        .client_does(move |_| {
            let spans = collector.wait_for(PATIENCE, complete);
            (collector, spans)
        })
        .await
}

fn upload(client: &Client, path: &str, image: &[u8]) -> FrameId {
    let answer = client.post(path, image).unwrap();
    let id = answer.accepted().or_else(|_| answer.result().map(|result| result.frame_id));
    id.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frames_spans_of_all_units_are_one_tree() {
    let collector = Collector::start(Answer::Taken).unwrap();
    let endpoint = collector.endpoint();
    let journey = Journey::start(|config| {
        traced(config, &endpoint)
            .with("MLVI_POLICY", "edge-only")
            .with("MLVI_TOPIC_PREFIX", "traced")
    })
    .await;
    let id = journey
        .client_does(|client| {
            upload(&client, "/cameras/gate/frames?wait=30s", &photo("coffee.jpg"))
        })
        .await;
    let is_stored = |span: &SeenSpan| span.service == "results-store";
    let (_collector, spans) = until_complete(&journey, collector, move |spans| {
        let has_answered = |span: &SeenSpan| span.kind == 2;
        spans.iter().any(is_stored) && spans.iter().any(has_answered) && spans.len() >= 10
    })
    .await;

    // from the upload to the database: who, what, and under which span
    let tree = [
        ("web-server", "POST /cameras/{camera}/frames", None),
        ("web-server", "send traced.frames", Some(0)),
        ("preprocessor", "process traced.frames", Some(1)),
        ("preprocessor", "send traced.frames.edge", Some(2)),
        ("edge-inference", "process traced.frames.edge", Some(3)),
        ("edge-inference", "decode", Some(4)),
        ("edge-inference", "detect", Some(4)),
        ("edge-inference", "send traced.results", Some(4)),
        ("web-server", "process traced.results", Some(7)),
        ("results-store", "process traced.results", Some(7)),
    ];
    let found = tree.map(|(unit, name, _)| only(&spans, unit, name));
    let root = found[0];
    for (span, (unit, name, parent)) in found.iter().zip(tree) {
        assert_eq!(span.parent, parent.map_or("", |parent: usize| &found[parent].id), "{name}");
        assert_eq!(span.trace, root.trace, "{unit}: {name}");
        assert_eq!(span.attribute("frame_id"), id.to_string(), "{unit}: {name}");
        assert_eq!(span.attribute("camera"), "gate", "{unit}: {name}");
        assert_eq!((span.flags, &span.error), (1, &None), "{unit}: {name}");
        assert!(span.ended >= span.started && span.started >= root.started, "{unit}: {name}");
    }
    assert_eq!(spans.len(), tree.len(), "nothing else is told of it: {spans:#?}");
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "every span has an id of its own");

    for unit in [found[2], found[4], found[8]] {
        assert_eq!(unit.attribute("destination"), "edge");
        assert_eq!(unit.attribute("reason"), "only-edge");
        assert_eq!(unit.attribute("messaging.system"), "kafka");
    }
    assert_eq!(found[0].attribute("http.response.status_code"), "200");
    assert_eq!(found[4].resource["k8s.pod.name"], "edge-7");
    let events: Vec<&str> = found[2].events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(events, ["taken from the queue", "decoded", "sharpened", "encoded", "decided"]);

    // histograms lead to it
    let exemplar = format!("# {{trace_id=\"{}\"}} ", root.trace);
    for (unit, metric) in [
        (UnitKind::WebServer, "mlvi_web_server_result_latency_seconds_bucket"),
        (UnitKind::Preprocessor, "mlvi_preprocessor_stage_seconds_bucket"),
        (UnitKind::EdgeInference, "mlvi_inference_stage_seconds_bucket"),
    ] {
        let text = Admin(journey.suite.admin(unit)).metrics().await;
        let told = |line: &str| line.starts_with(metric) && line.contains(&exemplar);
        assert!(text.lines().any(told), "{unit}: {text}");
    }
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_or_came_late_is_told_although_nothing_is_sampled() {
    let collector = Collector::start(Answer::Taken).unwrap();
    let endpoint = collector.endpoint();
    let journey = Journey::start(|config| {
        traced(config, &endpoint).with("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    })
    .await;
    let (good, failed, late) = journey
        .client_does(|client| {
            let good = photo("coffee.jpg");
            let path = "/inference?wait=30s";
            let good_ids = [(); 3].map(|()| upload(&client, path, &good));
            let failed = upload(&client, "/inference", &broken(&good));
            let late = upload(&client, "/inference?deadline=1ms", &good);
            for (id, status) in [(failed, Status::Failed), (late, Status::Expired)] {
                assert_eq!(client.ended(id, PATIENCE).unwrap().status, status);
            }
            (good_ids, failed, late)
        })
        .await;
    let of = |spans: &[SeenSpan], id: FrameId| -> BTreeMap<String, SeenSpan> {
        let of = spans.iter().filter(|span| span.attribute("frame_id") == id.to_string());
        of.map(|span| (format!("{} {}", span.service, span.kind), span.clone())).collect()
    };
    let (_collector, spans) = until_complete(&journey, collector, move |spans| {
        [failed, late].iter().all(|id| {
            let of = of(spans, *id);
            ["web-server 2", "web-server 4", "web-server 5", "preprocessor 4", "preprocessor 5"]
                .iter()
                .all(|which| of.contains_key(*which))
        })
    })
    .await;
    for id in good {
        let told: Vec<_> =
            spans.iter().filter(|span| span.attribute("frame_id") == id.to_string()).collect();
        assert!(told.is_empty(), "a frame that went well: {told:#?}");
    }
    for (id, status) in [(failed, Status::Failed), (late, Status::Expired)] {
        let of = of(&spans, id);
        let traces: BTreeSet<&str> = of.values().map(|span| span.trace.as_str()).collect();
        assert_eq!(traces.len(), 1, "{of:#?}");
        assert!(of.values().all(|span| span.flags == 0), "{of:#?}");
        assert_eq!(of["web-server 5"].attribute("status"), status.as_str());
        assert!(of["preprocessor 5"].error.is_some(), "{of:#?}");
        assert_eq!(of["preprocessor 5"].parent, of["web-server 4"].id);
        assert_eq!(of["web-server 5"].parent, of["preprocessor 4"].id);
    }
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_decision_is_followed_by_all_units() {
    let collector = Collector::start(Answer::Taken).unwrap();
    let endpoint = collector.endpoint();
    let journey = Journey::start(|config| {
        traced(config, &endpoint)
            .with("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
            .with("OTEL_TRACES_SAMPLER_ARG", "0.0")
    })
    .await;
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    journey
        .client_does(move |client| {
            let image = photo("coffee.jpg");
            let answer = client.post("/inference?wait=30s", &image).unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            let answer = client.post_traced("/inference?wait=30s", &image, caller).unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
        })
        .await;
    let (_collector, spans) = until_complete(&journey, collector, |spans| {
        let has = |unit: &str| spans.iter().any(|span| span.service == unit);
        has("results-store") && spans.iter().any(|span| span.kind == 2)
    })
    .await;
    for span in &spans {
        assert_eq!(span.trace, "0af7651916cd43dd8448eb211c80319c", "{span:#?}");
    }
    let request = spans.iter().find(|span| span.kind == 2).unwrap();
    assert_eq!(request.parent, "b7ad6b7169203331");
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_come_through_whatever_the_collector_does() {
    let hangs = Collector::start(Answer::Never).unwrap();
    // nobody listens there as long as it is reserved
    let gone = ports::ReservedPort::loopback().unwrap();
    for endpoint in [hangs.endpoint(), format!("http://{}", gone.address())] {
        let journey =
            Journey::start(|config| traced(config, &endpoint).with("OTEL_BSP_MAX_QUEUE_SIZE", 4))
                .await;
        journey
            .client_does(|client| {
                let image = photo("coffee.jpg");
                for _ in 0..12 {
                    let answer = client.post("/inference?wait=30s", &image).unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            })
            .await;
        let web_server = Admin(journey.suite.admin(UnitKind::WebServer));
        let began = Instant::now();
        while web_server.metric("mlvi_traces_spans_total{outcome=\"dropped\"}").await == 0.0 {
            assert!(began.elapsed() < PATIENCE, "{}", web_server.metrics().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        journey.end().await;
    }
}
