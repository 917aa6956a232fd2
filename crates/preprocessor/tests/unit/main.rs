//! The preprocessor on a real bus.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod contracts;
mod forms;
mod lessons;
mod offloading;
mod records;
mod regions;
mod tasks;

use embedded_broker::{Broker, BrokerConfig};
use frame::{
    Destination, Envelope, FrameResult, ImageFormat, ImageSize, RgbImage, Status, Timestamp,
    Topics, UploadTimings, headers,
};
use frame_bus::{Bus, BusConfig, Message, Outgoing, Tail, TailEvent};
use offload::{Choice, FrameFacts, Policy, Snapshot};
use preprocessor::{Config, run, run_with};
use settings::Settings;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unit::Listen;
use vision::Limits;

const PATIENCE: Duration = Duration::from_secs(30);

/// A broker with topics, and somebody who reads everything that the preprocessor writes.
struct Stage {
    dir: tempfile::TempDir,
    broker: Broker,
    bus: Bus,
    topics: Topics,
    edge: Tail,
    cloud: Tail,
    results: Tail,
    dead_letters: Tail,
}

impl Stage {
    async fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
        let bus = Bus::open(BusConfig::new(broker.address().to_string(), "test")).unwrap();
        let topics = Topics::default();
        bus.ensure_topics(&frame_bus::topic_specs(&topics, 2), &CancellationToken::new())
            .await
            .unwrap();
        let tail = |topic: &str| bus.tail(topic, Timestamp::from_micros(0)).unwrap();
        let (edge, cloud) = (tail(&topics.frames_edge), tail(&topics.frames_cloud));
        let (results, dead_letters) = (tail(&topics.results), tail(&topics.dead_letter));
        Self { dir, broker, bus, topics, edge, cloud, results, dead_letters }
    }

    fn config(&self, settings: &[(&str, &str)]) -> Config {
        let brokers = self.broker.address().to_string();
        let base = [
            ("MLVI_BROKERS", brokers.as_str()),
            ("MLVI_ADMIN_LISTEN", "127.0.0.1:0"),
            ("MLVI_WORKERS", "2"),
        ];
        let mut settings = Settings::from_pairs(base.into_iter().chain(settings.iter().copied()));
        let config = Config::from_settings(&mut settings);
        settings.finish().unwrap();
        config
    }

    /// Starts the unit.
    fn run(&self, settings: &[(&str, &str)]) -> Running {
        let shutdown = CancellationToken::new();
        let (mut config, (listen, admin)) = (self.config(settings), Listen::loopback().unwrap());
        config.shell.admin = listen;
        let unit = tokio::spawn(run(config, shutdown.clone()));
        Running { unit, shutdown, admin: Some(admin) }
    }

    /// A policy file with this text.
    fn policy_file(&self, text: &str) -> String {
        let path = self.dir.path().join("policy.toml");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A frame that the edge sends on to the cloud.
    async fn send_to_cloud(&self, envelope: &Envelope, payload: Vec<u8>) {
        let (key, headers) = (envelope.key(), envelope.to_headers());
        self.bus
            .send(Outgoing { topic: self.topics.frames_cloud.clone(), key, headers, payload })
            .await
            .unwrap();
    }

    async fn send(&self, envelope: &Envelope, payload: Vec<u8>) {
        self.send_raw(envelope.key(), envelope.to_headers(), payload).await;
    }

    async fn send_raw(&self, key: String, headers: Vec<(String, Vec<u8>)>, payload: Vec<u8>) {
        let out = Outgoing { topic: self.topics.frames.clone(), key, headers, payload };
        self.bus.send(out).await.unwrap();
    }
}

struct Running {
    unit: JoinHandle<anyhow::Result<()>>,
    shutdown: CancellationToken,
    admin: Option<std::net::SocketAddr>,
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.unit).await.unwrap().unwrap().unwrap();
    }
}

async fn next(tail: &mut Tail) -> Message {
    loop {
        let event =
            tokio::time::timeout(PATIENCE, tail.recv()).await.expect("a message in time").unwrap();
        if let TailEvent::Message(message) = event {
            return message;
        }
    }
}

async fn next_result(tail: &mut Tail) -> FrameResult {
    serde_json::from_slice(&next(tail).await.payload).unwrap()
}

fn envelope(camera: &str, sequence: u64) -> Envelope {
    Envelope {
        upload: UploadTimings { upload_ms: 1.5 },
        ..Envelope::received_now(camera.parse().unwrap(), sequence, ImageFormat::Png)
    }
}

fn picture(width: u32, height: u32) -> RgbImage {
    let data = (0..width * height * 3)
        .map(|i| ((i / 3 % width) * 199 / width + i.wrapping_mul(i) % 23) as u8)
        .collect();
    RgbImage::new(ImageSize { width, height }, data).unwrap()
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    vision::encode_jpeg(&picture(width, height), 90).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_goes_to_its_tier_sharpened_and_with_everything_that_is_known_of_it() {
    let mut stage = Stage::set().await;
    let unit = stage.run(&[("MLVI_POLICY", "cloud-only"), ("MLVI_SHARPNESS", "1.2")]);
    let mut sent = envelope("gate-3", 7);
    sent.deadline = Some(Timestamp::now() + Duration::from_secs(60));
    stage.send(&sent, jpeg(64, 48)).await;

    let message = next(&mut stage.cloud).await;
    assert_eq!(message.key.as_deref(), Some(b"gate-3".as_slice()));
    let limits = Limits::default();
    let expected = vision::sharpen(vision::decode(&jpeg(64, 48), &limits).unwrap(), 1.2);
    assert_eq!(message.payload, vision::encode_jpeg(&expected, 90).unwrap());

    let got = message.envelope().unwrap();
    let prepared = got.prepared.clone().unwrap();
    assert_eq!(prepared.image, ImageSize { width: 64, height: 48 });
    assert_eq!(
        (prepared.decision.destination, prepared.decision.reason.as_str()),
        (Destination::Cloud, "only-cloud")
    );
    assert_eq!((prepared.decision.policy.as_str(), prepared.attempt), ("cloud-only", 1));
    assert!(prepared.preprocess_ms > 0.0 && prepared.queue_frames_ms >= 0.0, "{prepared:?}");
    assert_eq!(got.format, ImageFormat::Jpeg);
    assert!(got.sent_at >= sent.sent_at);
    assert_eq!(got.traceparent.trace_id(), sent.traceparent.trace_id());
    assert_ne!(got.traceparent, sent.traceparent);
    // the rest is as it came
    assert!(
        prepared.answer_by.is_some_and(|answer_by| answer_by > got.sent_at)
            && prepared.escalation.is_none()
    );
    let unchanged = Envelope {
        format: sent.format,
        sent_at: sent.sent_at,
        traceparent: sent.traceparent,
        prepared: None,
        ..got
    };
    assert_eq!(unchanged, sent);

    let origin = prepared.origin.unwrap();
    let uploaded = stage
        .bus
        .read_one(&stage.topics.frames, origin.partition, origin.offset)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(uploaded.payload, jpeg(64, 48));
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_cannot_be_decoded_fail_and_become_dead_letters() {
    let mut stage = Stage::set().await;
    let unit = stage.run(&[("MLVI_POLICY", "edge-only")]);
    let good = jpeg(64, 48);
    let cut = good[..good.len() / 2].to_vec();
    let bad = [(cut, 422), (b"no image at all".to_vec(), 415), (jpeg(64, 48).split_off(1), 415)];
    for (sequence, (bytes, status)) in (0..).zip(bad) {
        let sent = envelope("gate", sequence);
        stage.send(&sent, bytes.clone()).await;
        let result = next_result(&mut stage.results).await;
        assert_eq!(
            (result.frame_id, result.sequence, result.status),
            (sent.frame_id, sequence, Status::Failed)
        );
        assert_eq!(
            (result.error.unwrap().status, result.served_by.unit.as_str()),
            (status, "preprocessor")
        );
        assert!(result.timings_ms.queue_frames.is_some() && result.timings_ms.end_to_end.is_some());

        let letter = next(&mut stage.dead_letters).await;
        assert_eq!(
            (letter.envelope().unwrap(), letter.payload),
            (sent, bytes),
            "the original headers and bytes"
        );
        assert!(
            letter.headers.iter().any(|(name, value)| name == headers::ERROR && !value.is_empty())
        );
    }
    // and the next good one goes through
    let sent = envelope("gate", 9);
    stage.send(&sent, good).await;
    assert_eq!(next(&mut stage.edge).await.envelope().unwrap().frame_id, sent.frame_id);
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_over_the_pixel_limit_fails() {
    let mut stage = Stage::set().await;
    let unit = stage.run(&[("MLVI_MAX_PIXELS", "1000")]);
    stage.send(&envelope("gate", 1), jpeg(64, 48)).await;
    let problem = next_result(&mut stage.results).await.error.unwrap();
    assert_eq!((problem.status, problem.kind.as_str()), (422, "/problems/too-many-pixels"));
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_nobody_wants_any_more_expires() {
    let mut stage = Stage::set().await;
    let mut late = envelope("gate", 1);
    late.deadline = Some(Timestamp::from_micros(late.received_at.as_micros() - 1));
    stage.send(&late, jpeg(64, 48)).await;
    let unit = stage.run(&[]);
    let result = next_result(&mut stage.results).await;
    assert_eq!((result.frame_id, result.status), (late.frame_id, Status::Expired));
    assert_eq!(result.error.unwrap().status, 504);
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_an_envelope_blocks_nobody_and_fails_if_its_frame_is_known() {
    let mut stage = Stage::set().await;
    let unit = stage.run(&[("MLVI_POLICY", "edge-only")]);
    stage.send_raw("gate".into(), vec![("foreign".into(), b"1".to_vec())], b"hello".to_vec()).await;
    let mut incomplete = envelope("gate", 4);
    let mut incomplete_headers = incomplete.to_headers();
    incomplete_headers.retain(|(name, _)| name != headers::RECEIVED_AT);
    stage.send_raw("gate".into(), incomplete_headers, jpeg(64, 48)).await;
    incomplete.sequence = 5;
    stage.send(&incomplete, jpeg(64, 48)).await;

    assert_eq!(next(&mut stage.edge).await.envelope().unwrap().sequence, 5);
    let letters = [next(&mut stage.dead_letters).await, next(&mut stage.dead_letters).await];
    assert_eq!(
        [letters[0].payload.as_slice(), &letters[1].payload],
        [b"hello".as_slice(), &jpeg(64, 48)]
    );
    let result = next_result(&mut stage.results).await;
    assert_eq!(
        (result.frame_id, result.sequence, result.status),
        (incomplete.frame_id, 4, Status::Failed)
    );
    assert!(result.error.unwrap().detail.contains(headers::RECEIVED_AT));
    unit.stop().await;
}

/// Panics at one frame, or at every one.
struct Haunted {
    sequence: Option<u64>,
}

impl Policy for Haunted {
    fn name(&self) -> &str {
        "haunted"
    }

    fn choose(&self, frame: &FrameFacts, _load: &Snapshot) -> Choice {
        assert!(
            self.sequence.is_some_and(|sequence| sequence != frame.sequence),
            "this frame is haunted"
        );
        Choice::send(Destination::Edge, "not-haunted")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_panics_costs_that_decision_alone() {
    let mut stage = Stage::set().await;
    let shutdown = CancellationToken::new();
    let policy = Box::new(Haunted { sequence: Some(1) });
    let unit = tokio::spawn(run_with(stage.config(&[]), policy, shutdown.clone()));
    for sequence in 0..3 {
        stage.send(&envelope("gate", sequence), jpeg(64, 48)).await;
    }
    for (sequence, reason) in [(0, "not-haunted"), (1, "policy-panicked"), (2, "not-haunted")] {
        let sent_on = next(&mut stage.edge).await.envelope().unwrap();
        let decision = sent_on.prepared.unwrap().decision;
        assert_eq!((sent_on.sequence, decision.reason.as_str()), (sequence, reason));
        assert_eq!(decision.policy, "haunted");
    }
    Running { unit, shutdown, admin: None }.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_always_panics_never_stops_the_unit() {
    const FRAMES: u64 = 150;
    let mut stage = Stage::set().await;
    let shutdown = CancellationToken::new();
    let policy = Box::new(Haunted { sequence: None });
    let (mut config, (listen, admin)) = (stage.config(&[]), Listen::loopback().unwrap());
    config.shell.admin = listen;
    let unit = tokio::spawn(run_with(config, policy, shutdown.clone()));
    let frame = jpeg(16, 16);
    for sequence in 0..FRAMES {
        stage.send(&envelope("gate", sequence), frame.clone()).await;
    }
    for sequence in 0..FRAMES {
        assert_eq!(next(&mut stage.edge).await.envelope().unwrap().sequence, sequence);
    }
    let counted = format!("mlvi_preprocessor_policy_panics_total{{call=\"decide\"}} {FRAMES}");
    tasks::until(admin, "/metrics", 200, &counted).await;
    Running { unit, shutdown, admin: None }.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_comes_again_goes_where_it_went_before() {
    let mut stage = Stage::set().await;
    let unit = stage.run(&[("MLVI_POLICY", "alternate")]);
    let frames: Vec<Envelope> = (0..3).map(|sequence| envelope("gate", sequence)).collect();
    // three frames and then the same three: counted on, each would go to the other tier the second
    // time
    for frame in frames.iter().chain(&frames) {
        stage.send(frame, jpeg(16, 16)).await;
    }
    let mut edge = Vec::new();
    for _ in 0..4 {
        edge.push(next(&mut stage.edge).await.envelope().unwrap().sequence);
    }
    let cloud = [next(&mut stage.cloud).await, next(&mut stage.cloud).await]
        .map(|message| message.envelope().unwrap().sequence);
    assert_eq!((edge, cloud), (vec![0, 2, 0, 2], [1, 1]));
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_each_camera_is_kept_while_frames_are_worked_on_in_parallel() {
    let mut stage = Stage::set().await;
    let cameras = ["north", "east", "south"];
    // every third frame takes a hundred times as long as the others
    let (large, small) = (jpeg(800, 600), jpeg(80, 60));
    for sequence in 0..30 {
        for camera in cameras {
            let bytes = if sequence % 3 == 0 { &large } else { &small };
            stage.send(&envelope(camera, sequence), bytes.clone()).await;
        }
    }
    let unit = stage.run(&[
        ("MLVI_POLICY", "edge-only"),
        ("MLVI_WORKERS", "4"),
        ("MLVI_MAX_IN_FLIGHT", "16"),
    ]);
    let mut seen: HashMap<String, Vec<u64>> = HashMap::new();
    for _ in 0..90 {
        let envelope = next(&mut stage.edge).await.envelope().unwrap();
        seen.entry(envelope.camera.to_string()).or_default().push(envelope.sequence);
    }
    for camera in cameras {
        assert_eq!(seen[camera], (0..30).collect::<Vec<_>>(), "{camera}");
    }
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ratio_is_kept_over_the_frames_of_all_cameras() {
    let mut stage = Stage::set().await;
    let unit = stage.run(&[("MLVI_POLICY", "ratio"), ("MLVI_CLOUD_SHARE", "0.3")]);
    for sequence in 0..20 {
        stage
            .send(&envelope(if sequence % 2 == 0 { "a" } else { "b" }, sequence), jpeg(16, 16))
            .await;
    }
    for _ in 0..6 {
        next(&mut stage.cloud).await;
    }
    for _ in 0..14 {
        next(&mut stage.edge).await;
    }
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_loses_nothing_whether_the_unit_is_stopped_or_dies() {
    let mut stage = Stage::set().await;
    let mut wanted = HashSet::new();
    for sequence in 0..60 {
        let sent = envelope(["a", "b", "c"][sequence as usize % 3], sequence);
        wanted.insert(sent.frame_id);
        stage.send(&sent, jpeg(160, 120)).await;
    }
    let edge_only = [("MLVI_POLICY", "edge-only")];

    let stopped = stage.run(&edge_only);
    for _ in 0..10 {
        wanted.remove(&next(&mut stage.edge).await.envelope().unwrap().frame_id);
    }
    stopped.stop().await;

    let dies = stage.run(&edge_only);
    for _ in 0..10 {
        wanted.remove(&next(&mut stage.edge).await.envelope().unwrap().frame_id);
    }
    dies.unit.abort();

    let last = stage.run(&edge_only);
    while !wanted.is_empty() {
        // a frame may come twice, but each comes
        wanted.remove(&next(&mut stage.edge).await.envelope().unwrap().frame_id);
    }
    last.stop().await;
}
