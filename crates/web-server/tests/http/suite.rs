//! A broker, web-servers on it, and a stand-in for everything between frames and results.

use crate::client::{Reply, get};
use embedded_broker::{Broker, BrokerConfig};
use frame::{
    BoundingBox, Detection, Envelope, FrameResult, ImageSize, ModelInfo, Origin, Problem, RgbImage,
    ServedBy, Status, Timestamp, TimingsMs, Topics, headers,
};
use frame_bus::{Bus, BusConfig, Message, Outgoing, Tail, TailEvent, topic_specs};
use ports::ReservedPort;
use settings::Settings;
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unit::{Faults, Listen};

/// Every test ends within this time, whatever happens.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A JPEG of a few hundred bytes.
pub(crate) fn jpeg() -> Vec<u8> {
    let size = ImageSize { width: 64, height: 48 };
    let pixels = (0..size.width * size.height * 3).map(|n| (n % 251) as u8).collect();
    vision::encode_jpeg(&RgbImage::new(size, pixels).unwrap(), 80).unwrap()
}

/// A JPEG of about so many bytes: one with its comment repeated, no pixel more.
pub(crate) fn padded(bytes: usize) -> Vec<u8> {
    let image = jpeg();
    let mut padded = image[..2].to_vec();
    while padded.len() + image.len() + 4 < bytes {
        let room = (bytes - padded.len() - (image.len() - 2) - 4).min(60_000);
        padded.extend_from_slice(&[0xFF, 0xFE]);
        padded.extend_from_slice(&u16::try_from(room + 2).unwrap().to_be_bytes());
        padded.resize(padded.len() + room, b'x');
    }
    padded.extend_from_slice(&image[2..]);
    padded
}

/// A broker in a directory of its own.
pub(crate) struct Kafka {
    broker: Broker,
    pub(crate) dir: TempDir,
    port: ReservedPort,
    pub(crate) address: SocketAddr,
}

impl Kafka {
    pub(crate) async fn start() -> Self {
        Self::again((tempfile::tempdir().unwrap(), ReservedPort::loopback().unwrap())).await
    }

    /// Stops the broker; the directory and the port stay for [`Self::again`].
    pub(crate) async fn stop(self) -> (TempDir, ReservedPort) {
        self.broker.shutdown().await.unwrap();
        (self.dir, self.port)
    }

    pub(crate) async fn again((dir, port): (TempDir, ReservedPort)) -> Self {
        let address = port.address();
        let config = BrokerConfig { listen: address, ..BrokerConfig::new(dir.path()) };
        let broker = Broker::start(config).await.unwrap();
        Self { broker, dir, port, address }
    }
}

/// A running web-server.
pub(crate) struct Server {
    pub(crate) http: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    /// Starts it and waits until everything that it needs is there.
    pub(crate) async fn ready(broker: SocketAddr, settings: &[(&str, &str)]) -> Self {
        let server = Self::start(broker, settings);
        server.until_ready(true).await;
        server
    }

    pub(crate) fn start(broker: SocketAddr, settings: &[(&str, &str)]) -> Self {
        Self::start_with_faults(broker, settings, &Faults::default())
    }

    pub(crate) fn start_with_faults(
        broker: SocketAddr,
        settings: &[(&str, &str)],
        faults: &Faults,
    ) -> Self {
        let broker = broker.to_string();
        let fixed =
            [("MLVI_BROKERS", broker.as_str()), ("MLVI_PARTITIONS", "2"), ("MLVI_DRAIN", "5s")];
        let mut settings = Settings::from_pairs(fixed).with_overrides(settings.iter().copied());
        let mut config = web_server::Config::from_settings(&mut settings);
        settings.finish().unwrap();
        let ((http_listen, http), (admin_listen, admin)) =
            (Listen::loopback().unwrap(), Listen::loopback().unwrap());
        config.http = http_listen;
        config.shell.admin = admin_listen;
        config.shell.faults = faults.clone();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(web_server::run(config, shutdown.clone()));
        Self { http, admin, shutdown, task }
    }

    /// Waits until every condition holds, or until one does not: which of both the status tells is
    /// for the caller to see.
    pub(crate) async fn until_ready(&self, ready: bool) {
        let is_ready = |reply: Reply| {
            // the line is there from the moment on at which the unit has named its conditions
            let text = String::from_utf8_lossy(&reply.body);
            reply.status == 200 && text.contains("ready      results") && !text.contains("without")
        };
        let wait = async {
            while is_ready(get(self.admin, "/readyz").await) != ready {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("it did not become ready={ready}"));
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("it does not stop")
            .unwrap()
            .unwrap();
    }

    /// Asks for a job until the edge's answer is in the ticket.
    pub(crate) async fn until_provisional(&self, job: &str) -> Reply {
        let wait = async {
            loop {
                let reply = get(self.http, job).await;
                assert_eq!(reply.status, 202, "{reply:?}");
                if reply.json().get("provisional").is_some() {
                    return reply;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("no provisional answer came")
    }

    /// Waits until a line of the metrics has a value.
    pub(crate) async fn until_metric(&self, name: &str, value: f64) {
        let wait = async {
            while self.metric(name).await < value {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("{name} did not become {value}"));
    }

    /// Waits until a line is among the metrics.
    pub(crate) async fn until_metric_appears(&self, line: &str) {
        let wait = async {
            while !String::from_utf8_lossy(&get(self.admin, "/metrics").await.body).contains(line) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("{line} did not appear"));
    }

    /// The value of a line of the metrics, e.g. `mlvi_pending_frames`.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = String::from_utf8(get(self.admin, "/metrics").await.body).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in: {text}")).parse().unwrap()
    }
}

/// Plays preprocessor and inference.
pub(crate) struct Rest {
    pub(crate) bus: Bus,
    topics: Topics,
    frames: Tail,
}

impl Rest {
    pub(crate) async fn join(broker: SocketAddr) -> Self {
        let bus = Bus::open(BusConfig::new(broker.to_string(), "rest")).unwrap();
        let topics = Topics::default();
        bus.ensure_topics(&topic_specs(&topics, 2), &CancellationToken::new()).await.unwrap();
        let frames = bus.tail(&topics.frames, Timestamp::from_micros(0)).unwrap();
        Self { bus, topics, frames }
    }

    /// The next frame on the bus.
    pub(crate) async fn frame(&mut self) -> (Message, Envelope) {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.frames.recv())
                .await
                .expect("no frame came")
                .unwrap();
            if let TailEvent::Message(message) = event {
                let envelope = message.envelope().unwrap();
                return (message, envelope);
            }
        }
    }

    /// Plays a model: the frame is done.
    pub(crate) async fn done(&self, (message, envelope): &(Message, Envelope)) -> FrameResult {
        let model = ModelInfo {
            name: "none".into(),
            version: "0".into(),
            input: "1x1".into(),
            resize: None,
        };
        let result = envelope.done(Vec::new(), model, ServedBy::default(), TimingsMs::default());
        self.answer(
            envelope,
            &result,
            Some(Origin { partition: message.partition, offset: message.offset }),
        )
        .await;
        result
    }

    /// Plays the edge: a provisional result, and the cloud still works on the frame.
    pub(crate) async fn provisional(
        &self,
        (message, envelope): &(Message, Envelope),
    ) -> FrameResult {
        let model = ModelInfo {
            name: "small".into(),
            version: "0".into(),
            input: "1x1".into(),
            resize: None,
        };
        let bounding_box = BoundingBox { x: 1.0, y: 2.0, width: 3.0, height: 4.0 };
        let dog = Detection {
            class: "dog".into(),
            class_id: 16,
            confidence: 0.375,
            bounding_box,
            zones: None,
        };
        let done = envelope.done(vec![dog], model, ServedBy::default(), TimingsMs::default());
        let result = FrameResult { status: Status::Provisional, ..done };
        self.answer(
            envelope,
            &result,
            Some(Origin { partition: message.partition, offset: message.offset }),
        )
        .await;
        result
    }

    /// Plays a model that fails.
    pub(crate) async fn fail(&self, (_, envelope): &(Message, Envelope)) {
        let problem = Problem::model_failed("the cloud has a bad day");
        self.answer(
            envelope,
            &envelope.failed(problem, ServedBy::default(), TimingsMs::default()),
            None,
        )
        .await;
    }

    pub(crate) async fn answer(
        &self,
        envelope: &Envelope,
        result: &FrameResult,
        origin: Option<Origin>,
    ) {
        let mut list =
            vec![(headers::FRAME_ID.to_owned(), envelope.frame_id.to_string().into_bytes())];
        let trace = envelope.traceparent.child().to_string();
        list.push((headers::TRACEPARENT.to_owned(), trace.into_bytes()));
        if let Some(origin) = origin {
            list.push((
                headers::ORIGIN_PARTITION.to_owned(),
                origin.partition.to_string().into_bytes(),
            ));
            list.push((headers::ORIGIN_OFFSET.to_owned(), origin.offset.to_string().into_bytes()));
        }
        let payload = serde_json::to_vec(result).unwrap();
        let out = Outgoing {
            topic: self.topics.results.clone(),
            key: envelope.key(),
            headers: list,
            payload,
        };
        self.bus.send(out).await.unwrap();
    }

    /// Answers the next so many frames.
    pub(crate) async fn serve(&mut self, count: usize) -> Vec<FrameResult> {
        let mut results = Vec::new();
        for _ in 0..count {
            let frame = self.frame().await;
            results.push(self.done(&frame).await);
        }
        results
    }
}
