//! The worker on a real bus, with models that behave, fail, panic and hang on command.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use detector::Found;
use embedded_broker::{Broker, BrokerConfig};
use frame::{
    BoundingBox, Decision, Destination, Detection, Envelope, FrameResult, ImageFormat, ImageSize, ModelInfo, Prepared, RgbImage,
    Status, Timestamp, Topics, UploadTimings,
};
use frame_bus::{Bus, BusConfig, Message, Outgoing, Tail, TailEvent};
use inference_worker::{Config, Model, ModelSession, run_with};
use settings::Settings;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(30);

/// Looks at the first pixel: red panics, green fails, everything else is a dog; waits at the gate before each run.
#[derive(Clone)]
struct Moody {
    info: ModelInfo,
    gate: Arc<Gate>,
    sessions: Arc<AtomicU32>,
    largest_batch: Arc<AtomicU32>,
}

#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    changed: Condvar,
    /// How many have come to it.
    came: AtomicU32,
}

impl Gate {
    fn set_closed(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.changed.notify_all();
    }

    fn pass(&self) {
        self.came.fetch_add(1, Ordering::Relaxed);
        let closed = self.closed.lock().unwrap();
        drop(self.changed.wait_while(closed, |closed| *closed).unwrap());
    }
}

impl Moody {
    fn new() -> Self {
        let info = ModelInfo { name: "moody".into(), version: "1".into(), input: "8x8".into() };
        Self { info, gate: Arc::default(), sessions: Arc::default(), largest_batch: Arc::default() }
    }
}

impl Model for Moody {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn session(&self) -> Result<Box<dyn ModelSession>, String> {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(self.clone()))
    }
}

impl ModelSession for Moody {
    fn look(&mut self, images: &[&RgbImage]) -> Result<Vec<Found>, String> {
        self.gate.pass();
        self.largest_batch.fetch_max(images.len() as u32, Ordering::Relaxed);
        images.iter().map(|image| look_at(image)).collect()
    }
}

fn look_at(image: &RgbImage) -> Result<Found, String> {
    match image.data() {
        [200..=255, 0..=50, 0..=50, ..] => panic!("red makes me panic"),
        [0..=50, 200..=255, 0..=50, ..] => Err("green makes me fail".into()),
        _ => {
            let bounding_box = BoundingBox { x: 1.0, y: 2.0, width: 3.0, height: 4.0 };
            let dog = Detection { class: "dog".into(), class_id: 16, confidence: 0.9, bounding_box };
            Ok(Found { detections: vec![dog], inference_ms: 1.0, postprocess_ms: 0.1 })
        }
    }
}

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const SIZE: ImageSize = ImageSize { width: 16, height: 16 };

fn jpeg(colour: [u8; 3]) -> Vec<u8> {
    vision::encode_jpeg(&RgbImage::new(SIZE, colour.repeat(256)).unwrap(), 95).unwrap()
}

struct Stage {
    _dir: tempfile::TempDir,
    broker: Broker,
    bus: Bus,
    topics: Topics,
    results: Tail,
    dead_letters: Tail,
}

impl Stage {
    async fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
        let bus = Bus::open(BusConfig::new(broker.address().to_string(), "test")).unwrap();
        let topics = Topics::default();
        bus.ensure_topics(&frame_bus::topic_specs(&topics, 2), &CancellationToken::new()).await.unwrap();
        let start = Timestamp::from_micros(0);
        let (results, dead_letters) = (bus.tail(&topics.results, start).unwrap(), bus.tail(&topics.dead_letter, start).unwrap());
        Self { _dir: dir, broker, bus, topics, results, dead_letters }
    }

    fn run(&self, model: &Moody, settings: &[(&str, &str)]) -> (JoinHandle<anyhow::Result<()>>, CancellationToken) {
        let brokers = self.broker.address().to_string();
        let base = [
            ("MLVI_BROKERS", brokers.as_str()),
            ("MLVI_ADMIN_LISTEN", "127.0.0.1:0"),
            ("MLVI_MODEL_THREADS", "2"),
            ("MLVI_MODELS_DIR", MODELS),
        ];
        let mut settings = Settings::from_pairs(base.into_iter().chain(settings.iter().copied()));
        let config = Config::from_settings(&mut settings, Destination::Edge);
        settings.finish().unwrap();
        let shutdown = CancellationToken::new();
        (tokio::spawn(run_with(config, Arc::new(model.clone()), shutdown.clone())), shutdown)
    }

    async fn send(&self, envelope: &Envelope, payload: Vec<u8>) {
        let topic = self.topics.frames_edge.clone();
        let out = Outgoing { topic, key: envelope.key(), headers: envelope.to_headers(), payload };
        self.bus.send(out).await.unwrap();
    }

    async fn results(&mut self, count: usize) -> Vec<FrameResult> {
        let messages = next(&mut self.results, count).await;
        messages.iter().map(|message| serde_json::from_slice(&message.payload).unwrap()).collect()
    }
}

async fn next(tail: &mut Tail, count: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let event = tokio::time::timeout(PATIENCE, tail.recv()).await.expect("a message in time").unwrap();
        if let TailEvent::Message(message) = event {
            messages.push(message);
        }
    }
    messages
}

fn envelope(camera: &str, sequence: u64) -> Envelope {
    let decision = Decision { destination: Destination::Edge, reason: "only-edge".into(), policy: "edge-only".into() };
    Envelope {
        upload: UploadTimings { upload_ms: 1.0 },
        prepared: Some(Prepared { image: SIZE, decision, attempt: 1, queue_frames_ms: 2.0, preprocess_ms: 3.0, origin: None }),
        ..Envelope::received_now(camera.parse().unwrap(), sequence, ImageFormat::Jpeg)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_gets_its_detections_and_every_time() {
    let mut stage = Stage::set().await;
    let (unit, shutdown) = stage.run(&Moody::new(), &[]);
    let mut sent = envelope("gate", 7);
    // the upload was twice as large as what was sent on
    sent.prepared.as_mut().unwrap().image = ImageSize { width: 32, height: 32 };
    stage.send(&sent, jpeg(BLUE)).await;
    let result = stage.results(1).await.remove(0);
    assert_eq!((result.frame_id, result.sequence, result.status), (sent.frame_id, 7, Status::Done));
    assert_eq!(result.detections[0].bounding_box, BoundingBox { x: 2.0, y: 4.0, width: 6.0, height: 8.0 });
    assert_eq!((result.model.unwrap().name.as_str(), result.served_by.unit.as_str()), ("moody", "edge-inference"));
    assert_eq!(result.decision, sent.prepared.map(|prepared| prepared.decision));
    let times = result.timings_ms;
    assert_eq!((times.upload, times.queue_frames, times.preprocess), (Some(1.0), Some(2.0), Some(3.0)));
    assert!(times.queue_inference.is_some() && times.decode.is_some() && times.end_to_end.is_some(), "{times:?}");
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_frames_fail_alone_and_leave_a_dead_letter() {
    let mut stage = Stage::set().await;
    let model = Moody::new();
    // all five are there before the model may look, so that they come in one batch
    let (unit, shutdown) = stage.run(&model, &[("MLVI_MAX_BATCH", "5"), ("MLVI_BATCH_WAIT", "2s"), ("MLVI_MODEL_THREADS", "1")]);
    let frames = [jpeg(BLUE), jpeg(RED), jpeg(GREEN), b"no image at all".to_vec(), jpeg(BLUE)];
    for (index, payload) in frames.iter().enumerate() {
        stage.send(&envelope("gate", index as u64), payload.clone()).await;
    }
    let results = stage.results(5).await;
    let ends: Vec<(u64, Status)> = results.iter().map(|result| (result.sequence, result.status)).collect();
    let expected = [Status::Done, Status::Failed, Status::Failed, Status::Failed, Status::Done];
    assert_eq!(ends, (0..).zip(expected).collect::<Vec<_>>(), "each frame for itself, in order");
    let problem = |index: usize| results[index].error.clone().unwrap();
    assert!(problem(1).detail.contains("red makes me panic"), "{:?}", problem(1));
    assert!(problem(2).detail.contains("green makes me fail"), "{:?}", problem(2));
    assert_eq!((problem(1).status, problem(2).status), (500, 500));
    assert!(matches!(problem(3).status, 415 | 422), "{:?}", problem(3));
    assert!(model.largest_batch.load(Ordering::Relaxed) > 1, "they came together");
    assert!(model.sessions.load(Ordering::Relaxed) > 2, "a panicked session is not used again");

    let letters = next(&mut stage.dead_letters, 3).await;
    for (letter, index) in letters.iter().zip([1, 2, 3]) {
        assert_eq!(letter.payload, frames[index], "the original bytes");
        assert_eq!(letter.envelope().unwrap().frame_id, results[index].frame_id, "the original headers");
        assert!(letter.headers.iter().any(|(name, _)| name == frame::headers::ERROR));
    }
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_no_frame_becomes_a_dead_letter_and_blocks_nobody() {
    let mut stage = Stage::set().await;
    let (unit, shutdown) = stage.run(&Moody::new(), &[]);
    let foreign =
        Outgoing { topic: stage.topics.frames_edge.clone(), key: "gate".into(), headers: vec![], payload: b"?".to_vec() };
    stage.bus.send(foreign).await.unwrap();
    stage.send(&envelope("gate", 0), jpeg(BLUE)).await;
    assert_eq!(stage.results(1).await[0].status, Status::Done);
    let letter = next(&mut stage.dead_letters, 1).await.remove(0);
    let reason = letter.headers.iter().find(|(name, _)| name == frame::headers::ERROR).unwrap();
    assert!(String::from_utf8_lossy(&reason.1).contains("mlvi-frame-id"), "{reason:?}");
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_tells_only_its_frame_gets_a_failed_result() {
    let mut stage = Stage::set().await;
    let (unit, shutdown) = stage.run(&Moody::new(), &[]);
    let known = envelope("gate", 0);
    let headers = vec![(frame::headers::FRAME_ID.to_owned(), known.frame_id.to_string().into_bytes())];
    let broken = Outgoing { topic: stage.topics.frames_edge.clone(), key: "gate".into(), headers, payload: jpeg(BLUE) };
    stage.bus.send(broken).await.unwrap();
    let result = stage.results(1).await.remove(0);
    assert_eq!((result.frame_id, result.status), (known.frame_id, Status::Failed));
    assert!(result.error.unwrap().detail.contains("mlvi-camera"));
    next(&mut stage.dead_letters, 1).await;
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_whose_deadline_has_gone_by_expires_without_a_look() {
    let mut stage = Stage::set().await;
    let (unit, shutdown) = stage.run(&Moody::new(), &[]);
    let mut late = envelope("gate", 0);
    late.deadline = Some(Timestamp::from_micros(1));
    stage.send(&late, jpeg(RED)).await;
    let result = stage.results(1).await.remove(0);
    assert_eq!(result.status, Status::Expired);
    assert_eq!((result.error.unwrap().status, result.timings_ms.inference), (504, None));
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_keeps_its_order_over_several_threads() {
    let mut stage = Stage::set().await;
    let (unit, shutdown) = stage.run(&Moody::new(), &[("MLVI_MODEL_THREADS", "4"), ("MLVI_MAX_IN_FLIGHT", "16")]);
    for sequence in 0..100 {
        stage.send(&envelope(["a", "b", "c"][sequence as usize % 3], sequence), jpeg(BLUE)).await;
    }
    let results = stage.results(100).await;
    for camera in ["a", "b", "c"] {
        let order: Vec<u64> = results.iter().filter(|r| r.camera.as_str() == camera).map(|r| r.sequence).collect();
        assert!(order.is_sorted(), "{camera}: {order:?}");
    }
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_hang_at_shutdown_are_handed_back_and_come_again() {
    let mut stage = Stage::set().await;
    let hanging = Moody::new();
    let (unit, shutdown) = stage.run(&hanging, &[("MLVI_DRAIN", "100ms"), ("MLVI_KAFKA_SESSION_TIMEOUT", "6s")]);
    stage.send(&envelope("gate", 0), jpeg(BLUE)).await;
    assert_eq!(stage.results(1).await[0].sequence, 0, "it works at first");
    hanging.gate.set_closed(true);
    let came = hanging.gate.came.load(Ordering::Relaxed);
    stage.send(&envelope("gate", 1), jpeg(BLUE)).await;
    while hanging.gate.came.load(Ordering::Relaxed) == came {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.cancel();
    unit.await.unwrap().unwrap();

    let (unit, shutdown) = stage.run(&Moody::new(), &[]);
    stage.send(&envelope("gate", 2), jpeg(BLUE)).await;
    let sequences: Vec<u64> = stage.results(2).await.iter().map(|result| result.sequence).collect();
    assert_eq!(sequences, [1, 2], "what was not finished comes again, and only that");
    shutdown.cancel();
    unit.await.unwrap().unwrap();
    hanging.gate.set_closed(false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_always_fails_stops_the_unit() {
    let mut stage = Stage::set().await;
    let (unit, _shutdown) = stage.run(&Moody::new(), &[("MLVI_MAX_MODEL_FAILURES", "3")]);
    for sequence in 0..3 {
        stage.send(&envelope("gate", sequence), jpeg(GREEN)).await;
    }
    stage.results(3).await;
    let error = tokio::time::timeout(PATIENCE, unit).await.unwrap().unwrap().unwrap_err().to_string();
    assert!(error.contains("could not go on"), "{error}");
}
