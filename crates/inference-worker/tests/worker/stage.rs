//! A broker, the worker on it, and a model that behaves, fails, panics and hangs on command.

use detector::ImageDetections;
use embedded_broker::{Broker, BrokerConfig};
use frame::{
    BoundingBox, Decision, Destination, Detection, Envelope, FrameResult, ImageFormat, ImageSize,
    ModelInfo, Prepared, RgbImage, Timestamp, Topics, UploadTimings,
};
use frame_bus::{Bus, BusConfig, Message, Outgoing, Tail, TailEvent};
use inference_worker::{Config, Model, ModelFailure, ModelSession, run_with};
use settings::Settings;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unit::{Faults, Listen};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Detects by the first pixel: red panics, green fails, white is full of doubtful things, grey is a
/// doubtful dog, everything else is a dog; waits at the gate before each run.
#[derive(Clone)]
pub(crate) struct Moody {
    pub(crate) info: ModelInfo,
    pub(crate) gate: Arc<Gate>,
    pub(crate) sessions: Arc<AtomicU32>,
    pub(crate) largest_batch: Arc<AtomicU32>,
    /// Asked for a session, it panics.
    pub(crate) no_more_sessions: Arc<AtomicBool>,
}

#[derive(Default)]
pub(crate) struct Gate {
    closed: Mutex<bool>,
    changed: Condvar,
    /// How many have come to it.
    pub(crate) came: AtomicU32,
}

impl Gate {
    pub(crate) fn set_closed(&self, closed: bool) {
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
    pub(crate) fn new() -> Self {
        let info = ModelInfo {
            name: "moody".into(),
            version: "1".into(),
            input: "8x8".into(),
            resize: None,
        };
        Self {
            info,
            gate: Arc::default(),
            sessions: Arc::default(),
            largest_batch: Arc::default(),
            no_more_sessions: Arc::default(),
        }
    }
}

impl Model for Moody {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn session(&self) -> Result<Box<dyn ModelSession>, ModelFailure> {
        assert!(!self.no_more_sessions.load(Ordering::Relaxed), "there are no more sessions");
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(self.clone()))
    }
}

impl ModelSession for Moody {
    fn detect(&mut self, images: &[&RgbImage]) -> Result<Vec<ImageDetections>, ModelFailure> {
        self.gate.pass();
        self.largest_batch.fetch_max(images.len() as u32, Ordering::Relaxed);
        images.iter().map(|image| detect_in(image)).collect()
    }
}

fn detect_in(image: &RgbImage) -> Result<ImageDetections, ModelFailure> {
    match image.data() {
        [200..=255, 0..=50, 0..=50, ..] => panic!("red makes me panic"),
        [0..=50, 200..=255, 0..=50, ..] => Err(ModelFailure::Other("green makes me fail".into())),
        // as JSON far more than a message may have
        [200..=255, 200..=255, 200..=255, ..] => {
            Ok(found(vec![thing(&"x".repeat(1000), 0.4); 9000]))
        }
        [100..=150, 100..=150, 100..=150, ..] => Ok(found(vec![thing("dog", 0.4)])),
        _ => Ok(found(vec![thing("dog", 0.9)])),
    }
}

fn thing(class: &str, confidence: f32) -> Detection {
    let bounding_box = BoundingBox { x: 1.0, y: 2.0, width: 3.0, height: 4.0 };
    Detection { class: class.into(), class_id: 16, confidence, bounding_box, zones: None }
}

fn found(detections: Vec<Detection>) -> ImageDetections {
    ImageDetections { detections, weak: vec![], inference_ms: 1.0, postprocess_ms: 0.1 }
}

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
pub(crate) const RED: [u8; 3] = [255, 0, 0];
pub(crate) const GREEN: [u8; 3] = [0, 255, 0];
pub(crate) const BLUE: [u8; 3] = [0, 0, 255];
pub(crate) const GREY: [u8; 3] = [128, 128, 128];
pub(crate) const WHITE: [u8; 3] = [255, 255, 255];
pub(crate) const SIZE: ImageSize = ImageSize { width: 16, height: 16 };

pub(crate) fn jpeg(colour: [u8; 3]) -> Vec<u8> {
    vision::encode_jpeg(&RgbImage::new(SIZE, colour.repeat(256)).unwrap(), 95).unwrap()
}

pub(crate) struct Stage {
    _dir: tempfile::TempDir,
    broker: Broker,
    pub(crate) bus: Bus,
    pub(crate) topics: Topics,
    pub(crate) results: Tail,
    pub(crate) dead_letters: Tail,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
        let bus = Bus::open(BusConfig::new(broker.address().to_string(), "test")).unwrap();
        let topics = Topics::default();
        bus.ensure_topics(&frame_bus::topic_specs(&topics, 2), &CancellationToken::new())
            .await
            .unwrap();
        let start = Timestamp::from_micros(0);
        let (results, dead_letters) = (
            bus.tail(&topics.results, start).unwrap(),
            bus.tail(&topics.dead_letter, start).unwrap(),
        );
        Self { _dir: dir, broker, bus, topics, results, dead_letters }
    }

    pub(crate) fn run(
        &self,
        model: &Moody,
        settings: &[(&str, &str)],
    ) -> (JoinHandle<anyhow::Result<()>>, CancellationToken) {
        let Unit { task, shutdown, .. } = self.run_for(Destination::Edge, model, settings);
        (task, shutdown)
    }

    pub(crate) fn run_for(
        &self,
        tier: Destination,
        model: &Moody,
        settings: &[(&str, &str)],
    ) -> Unit {
        self.run_with_faults(tier, model, settings, &Faults::default())
    }

    pub(crate) fn run_with_faults(
        &self,
        tier: Destination,
        model: &Moody,
        settings: &[(&str, &str)],
        faults: &Faults,
    ) -> Unit {
        let brokers = self.broker.address().to_string();
        let base = [
            ("MLVI_BROKERS", brokers.as_str()),
            ("MLVI_MODEL_THREADS", "2"),
            ("MLVI_MODELS_DIR", MODELS),
        ];
        let mut settings = Settings::from_pairs(base.into_iter().chain(settings.iter().copied()));
        let mut config = Config::from_settings(&mut settings, tier);
        settings.finish().unwrap();
        let (listen, admin) = Listen::loopback().unwrap();
        config.shell.admin = listen;
        config.shell.faults = faults.clone();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run_with(config, Arc::new(model.clone()), shutdown.clone()));
        Unit { task, shutdown, admin }
    }

    pub(crate) async fn send(&self, envelope: &Envelope, payload: Vec<u8>) {
        self.send_to(Destination::Edge, envelope, payload).await;
    }

    pub(crate) async fn send_to(&self, tier: Destination, envelope: &Envelope, payload: Vec<u8>) {
        let topic = self.topics.for_destination(tier).to_owned();
        let out = Outgoing { topic, key: envelope.key(), headers: envelope.to_headers(), payload };
        self.bus.send(out).await.unwrap();
    }

    /// Everything that stands on a topic.
    pub(crate) async fn all(&self, topic: &str) -> Vec<Message> {
        let mut tail = self.bus.tail(topic, Timestamp::from_micros(0)).unwrap();
        let mut messages = Vec::new();
        loop {
            match tokio::time::timeout(PATIENCE, tail.recv())
                .await
                .expect("an event in time")
                .unwrap()
            {
                TailEvent::Message(message) => messages.push(message),
                TailEvent::CaughtUp => return messages,
            }
        }
    }

    /// How many frames the tier has not finished.
    pub(crate) async fn unfinished(&self, tier: Destination) -> u64 {
        self.bus
            .lag(&format!("mlvi-{tier}-inference"), self.topics.for_destination(tier))
            .await
            .unwrap()
            .messages
    }

    pub(crate) async fn results(&mut self, count: usize) -> Vec<FrameResult> {
        let messages = next(&mut self.results, count).await;
        messages.iter().map(|message| serde_json::from_slice(&message.payload).unwrap()).collect()
    }
}

/// A worker that runs.
pub(crate) struct Unit {
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) admin: SocketAddr,
}

impl Unit {
    /// The value of a line of the metrics, which is there.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (_, text) = get(self.admin, "/metrics").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in: {text}")).parse().unwrap()
    }

    /// Waits until everything that was taken is finished.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("it stops").unwrap().unwrap();
    }
}

/// The status and the text with which the admin port answers.
pub(crate) fn get(admin: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, text))
}

pub(crate) async fn next(tail: &mut Tail, count: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let event =
            tokio::time::timeout(PATIENCE, tail.recv()).await.expect("a message in time").unwrap();
        if let TailEvent::Message(message) = event {
            messages.push(message);
        }
    }
    messages
}

pub(crate) fn envelope(camera: &str, sequence: u64) -> Envelope {
    let decision = Decision::new(Destination::Edge, "only-edge", "edge-only");
    Envelope {
        upload: UploadTimings { upload_ms: 1.0 },
        prepared: Some(Prepared {
            queue_frames_ms: 2.0,
            preprocess_ms: 3.0,
            ..Prepared::now(SIZE, decision)
        }),
        ..Envelope::received_now(camera.parse().unwrap(), sequence, ImageFormat::Jpeg)
    }
}
