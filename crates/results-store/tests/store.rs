//! The unit on a real bus, with SQLite.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use embedded_broker::{Broker, BrokerConfig};
use frame::headers::{ORIGIN_OFFSET, ORIGIN_PARTITION};
use frame::{
    BoundingBox, CameraId, Detection, Envelope, FrameId, FrameResult, ImageFormat, ImageSize,
    RgbImage, SettingRecord, Status, Topics, regions_key,
};
use frame_bus::{Bus, BusConfig, Outgoing};
use results_db::{Access, Batch, Database, DatabaseUrl, Filter, Page, Thumbnail};
use results_store::{Config, run};
use settings::Settings;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(30);

/// A broker with topics, and a place for a file.
struct Stage {
    dir: tempfile::TempDir,
    broker: Broker,
    bus: Bus,
    topics: Topics,
}

struct Running {
    unit: JoinHandle<anyhow::Result<()>>,
    shutdown: CancellationToken,
}

impl Stage {
    async fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Broker::start(BrokerConfig::new(dir.path().join("broker"))).await.unwrap();
        let bus = Bus::open(BusConfig::new(broker.address().to_string(), "test")).unwrap();
        let topics = Topics::default();
        let specs = frame_bus::all_topic_specs(&topics, 2);
        bus.ensure_topics(&specs, &CancellationToken::new()).await.unwrap();
        Self { dir, broker, bus, topics }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("database").join("results.sqlite")
    }

    fn make_place(&self) {
        std::fs::create_dir(self.dir.path().join("database")).unwrap();
    }

    fn run(&self) -> Running {
        self.run_with(&[])
    }

    fn run_with(&self, more: &[(&str, &str)]) -> Running {
        let url = format!("sqlite:{}", self.file().display());
        let brokers = self.broker.address().to_string();
        let own = [
            ("MLVI_BROKERS", brokers.as_str()),
            ("MLVI_ADMIN_LISTEN", "127.0.0.1:0"),
            ("MLVI_DATABASE_URL", &url),
            ("MLVI_DATABASE_BATCH_WAIT", "20ms"),
        ];
        let mut settings = Settings::from_pairs(own.iter().chain(more).copied());
        let config = Config::from_settings(&mut settings);
        settings.finish().unwrap();
        let shutdown = CancellationToken::new();
        Running { unit: tokio::spawn(run(config, shutdown.clone())), shutdown }
    }

    async fn send(&self, result: &FrameResult) {
        self.send_bytes(result.camera.key_of(result.frame_id), result.to_json()).await;
    }

    async fn send_bytes(&self, key: String, payload: Vec<u8>) {
        let topic = self.topics.results.clone();
        self.bus.send(Outgoing { topic, key, headers: Vec::new(), payload }).await.unwrap();
    }

    /// A result that tells where its frame stands.
    async fn send_of(&self, result: &FrameResult, headers: Vec<(String, Vec<u8>)>) {
        let (topic, key) = (self.topics.results.clone(), result.camera.key_of(result.frame_id));
        let payload = result.to_json();
        self.bus.send(Outgoing { topic, key, headers, payload }).await.unwrap();
    }

    /// Waits until so many frames have a picture; gives them, the newest first.
    async fn until_pictured(&self, count: usize) -> Vec<Thumbnail> {
        let url = DatabaseUrl::Sqlite(self.file());
        let all = Page { limit: 100, after: None };
        let waiting = async {
            loop {
                if let Ok(database) = Database::open(&url, Access::Read).await {
                    let ids = database.thumbnails(Filter::default(), all).await.unwrap();
                    if ids.len() >= count {
                        let mut pictures = Vec::new();
                        for id in ids {
                            pictures.push(database.thumbnail(id).await.unwrap().unwrap());
                        }
                        return pictures;
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("they are made in time")
    }

    /// Uploads a white picture to the frames topic, as web-server does; gives its result, which
    /// tells where it stands.
    async fn upload(
        &self,
        camera: &str,
        found: &[(&str, f32)],
    ) -> (FrameResult, Vec<(String, Vec<u8>)>) {
        let size = ImageSize { width: 640, height: 480 };
        let picture = RgbImage::new(size, vec![250; 640 * 480 * 3]).unwrap();
        let result = FrameResult {
            camera: camera.parse().unwrap(),
            detections: found
                .iter()
                .map(|(class, confidence)| detection(class, *confidence))
                .collect(),
            ..result(Status::Done)
        };
        let envelope = Envelope {
            frame_id: result.frame_id,
            ..Envelope::received_now(result.camera.clone(), 1, ImageFormat::Jpeg)
        };
        let sent = self
            .bus
            .send(Outgoing {
                topic: self.topics.frames.clone(),
                key: result.camera.key_of(result.frame_id),
                headers: envelope.to_headers(),
                payload: vision::encode_jpeg(&picture, 90).unwrap(),
            })
            .await
            .unwrap();
        let origin = [
            (ORIGIN_PARTITION.to_owned(), sent.partition.to_string().into_bytes()),
            (ORIGIN_OFFSET.to_owned(), sent.offset.to_string().into_bytes()),
        ];
        (result, origin.to_vec())
    }

    /// Waits until these frames are stored, and nothing else is.
    async fn until_stored(&self, wanted: &BTreeSet<FrameId>) -> Vec<FrameResult> {
        let url = DatabaseUrl::Sqlite(self.file());
        let all = Page { limit: 10_000, after: None };
        let mut held = Vec::new();
        let waiting = async {
            loop {
                if let Ok(database) = Database::open(&url, Access::Read).await {
                    let rows = database.history(Filter::default(), all).await.unwrap();
                    held = rows.into_iter().map(|(_, json)| json).collect();
                    if held.len() >= wanted.len() {
                        return;
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("they are stored in time");
        let results: Vec<FrameResult> =
            held.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
        let ids: Vec<FrameId> = results.iter().map(|result| result.frame_id).collect();
        assert_eq!(ids.len(), wanted.len(), "each frame once");
        assert_eq!(&ids.into_iter().collect::<BTreeSet<_>>(), wanted);
        results
    }
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        self.ended().await.unwrap();
    }

    async fn ended(self) -> anyhow::Result<()> {
        tokio::time::timeout(PATIENCE, self.unit).await.unwrap().unwrap()
    }
}

fn detection(class: &str, confidence: f32) -> Detection {
    let bounding_box = BoundingBox { x: 1.0, y: 2.0, width: 3.0, height: 4.0 };
    Detection { class: class.into(), class_id: 3, confidence, bounding_box, zones: None }
}

/// The brightest of a pixel's colours, at this part of the picture's width and half its height.
fn brightness(jpeg: &[u8], part: f64) -> u8 {
    let picture = vision::decode(jpeg, &vision::Limits::default()).unwrap();
    assert_eq!(picture.size(), ImageSize { width: 320, height: 240 });
    let at = (120 * 320 + (320.0 * part) as usize) * 3;
    *picture.data()[at..at + 3].iter().max().unwrap()
}

fn result(status: Status) -> FrameResult {
    FrameResult::new(FrameId::fresh(), CameraId::unnamed(), 1, status)
}

#[tokio::test]
async fn each_frame_is_stored_once_also_across_restarts() {
    let stage = Stage::set().await;
    stage.make_place();
    let mut wanted = BTreeSet::new();
    let provisional = result(Status::Provisional);
    wanted.insert(provisional.frame_id);
    stage.send(&provisional).await;
    let unit = stage.run();
    for _ in 0..50 {
        let result = result(Status::Done);
        wanted.insert(result.frame_id);
        stage.send(&result).await;
    }
    stage.until_stored(&wanted).await;
    unit.stop().await;

    // what comes while it is away, what comes again, and what is no result
    stage.send_bytes("x".into(), b"no result".to_vec()).await;
    let done = FrameResult { status: Status::Done, sequence: 9, ..provisional };
    stage.send(&done).await;
    stage.send(&done).await;
    let last = result(Status::Failed);
    wanted.insert(last.frame_id);
    stage.send(&last).await;
    let unit = stage.run();
    // the final answer takes the place of the provisional one
    let replaced = async { while !stage.until_stored(&wanted).await.contains(&done) {} };
    tokio::time::timeout(PATIENCE, replaced).await.expect("it is replaced in time");
    unit.stop().await;
}

#[tokio::test]
async fn a_database_that_is_away_is_waited_for() {
    let stage = Stage::set().await;
    let unit = stage.run();
    let first = result(Status::Done);
    stage.send(&first).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!unit.unit.is_finished(), "it waits");
    stage.make_place();
    stage.until_stored(&BTreeSet::from([first.frame_id])).await;
    unit.stop().await;
}

#[tokio::test]
async fn beyond_the_files_bound_the_oldest_results_go() {
    let stage = Stage::set().await;
    stage.make_place();
    let url = DatabaseUrl::Sqlite(stage.file());
    let database = Database::open(&url, Access::Write).await.unwrap();
    let mut first = None;
    for _ in 0..200 {
        // about a quarter of a megabyte
        let long = Detection {
            class: "x".repeat(64 << 10),
            class_id: 1,
            confidence: 0.5,
            bounding_box: BoundingBox { x: 0.0, y: 0.0, width: 1.0, height: 1.0 },
            zones: None,
        };
        let result = FrameResult { detections: vec![long], ..result(Status::Done) };
        first.get_or_insert(result.frame_id);
        database.store(&Batch::of([result])).await.unwrap();
    }
    assert!(database.bytes().await.unwrap() > 32 << 20);
    let unit = stage.run_with(&[("MLVI_DATABASE_MIB", "16")]);
    let shrunk = async {
        while database.bytes().await.unwrap() > 16 << 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, shrunk).await.expect("the file shrinks in time");
    let oldest = database.oldest(Filter::default()).await.unwrap();
    assert!(oldest > first, "{oldest:?}");
    // and goes on
    let next = result(Status::Done);
    stage.send(&next).await;
    let stored = async {
        let newest = Page { limit: 1, after: None };
        while database.history(Filter::default(), newest).await.unwrap()[0].0 != next.frame_id {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stored).await.expect("it is stored in time");
    unit.stop().await;
}

#[tokio::test]
async fn a_unit_that_waits_for_its_database_can_be_stopped() {
    let stage = Stage::set().await;
    let unit = stage.run();
    tokio::time::sleep(Duration::from_millis(300)).await;
    unit.stop().await;
}

#[tokio::test]
async fn another_programs_database_ends_it_with_a_clear_error() {
    let stage = Stage::set().await;
    stage.make_place();
    std::fs::write(
        stage.file(),
        "this is no database, but it is longer than a header of one, \
        which has a hundred bytes and begins with the name of the format",
    )
    .unwrap();
    let error = stage.run().ended().await.unwrap_err();
    assert!(error.to_string().contains("belongs to another program"), "{error:#}");
}

#[tokio::test]
async fn without_a_database_it_is_idle() {
    let broker_is_not_needed =
        [("MLVI_BROKERS", "127.0.0.1:1"), ("MLVI_ADMIN_LISTEN", "127.0.0.1:0")];
    let mut settings = Settings::from_pairs(broker_is_not_needed);
    let config = Config::from_settings(&mut settings);
    settings.finish().unwrap();
    let shutdown = CancellationToken::new();
    let unit = tokio::spawn(run(config, shutdown.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!unit.is_finished());
    shutdown.cancel();
    tokio::time::timeout(PATIENCE, unit).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn an_events_frames_get_pictures_in_which_masks_are_black() {
    let stage = Stage::set().await;
    stage.make_place();
    let mask = "{\"masks\":[{\"points\":[[0,0],[0.5,0],[0.5,1],[0,1]]}]}";
    let record = SettingRecord::new(mask.into(), "a test".into(), None);
    let set = Outgoing {
        topic: stage.topics.settings.clone(),
        key: regions_key(&"gate".parse().unwrap()),
        headers: Vec::new(),
        payload: record.to_json(),
    };
    stage.bus.send(set).await.unwrap();
    let unit = stage.run_with(&[("MLVI_THUMBNAILS_MIB", "1")]);
    let mut sent = Vec::new();
    // of the first event the first and the surest frame, and of the other camera's its only one
    for (camera, found) in [
        ("gate", &[("dog", 0.5)][..]),
        ("gate", &[("dog", 0.4)]),
        ("gate", &[("dog", 0.75), ("dog", 0.2)]),
        ("gate", &[("dog", 0.25)]),
        ("gate", &[]),
        ("yard", &[("dog", 0.1), ("cat", 0.1)]),
    ] {
        let (result, origin) = stage.upload(camera, found).await;
        stage.send_of(&result, origin).await;
        sent.push(result.frame_id);
    }
    let pictures = stage.until_pictured(3).await;
    let ids: Vec<FrameId> = pictures.iter().map(|picture| picture.frame_id).collect();
    assert_eq!(ids, [sent[5], sent[2], sent[0]]);
    for Thumbnail { camera, jpeg, .. } in &pictures {
        let (left, right) = (brightness(jpeg, 0.25), brightness(jpeg, 0.75));
        let masked = camera.as_str() == "gate";
        assert!(right > 240 && (left == 0) == masked, "{camera}: {left}, {right}");
    }
    unit.stop().await;
}

#[tokio::test]
async fn what_waits_at_the_shutdown_is_made_and_a_frame_that_is_gone_has_no_picture() {
    let stage = Stage::set().await;
    stage.make_place();
    let unit = stage.run_with(&[("MLVI_THUMBNAILS_MIB", "1")]);
    let (gone, mut origin) = stage.upload("gate", &[("cup", 0.5)]).await;
    origin[1].1 = b"1000".to_vec();
    stage.send_of(&gone, origin).await;
    let (unknown, _) = stage.upload("hall", &[("cup", 0.5)]).await;
    stage.send_of(&unknown, Vec::new()).await;
    let (first, origin) = stage.upload("yard", &[("dog", 0.5)]).await;
    stage.send_of(&first, origin).await;
    let (surer, origin) = stage.upload("yard", &[("dog", 0.9)]).await;
    stage.send_of(&surer, origin).await;
    let all = [&gone, &unknown, &first, &surer].map(|result| result.frame_id);
    stage.until_stored(&all.into()).await;
    // the surer one is put off for a surer one still
    unit.stop().await;
    let pictured: Vec<FrameId> =
        stage.until_pictured(2).await.iter().map(|picture| picture.frame_id).collect();
    assert_eq!(pictured, [surer.frame_id, first.frame_id]);
}

#[tokio::test]
async fn without_a_budget_no_picture_is_made() {
    let stage = Stage::set().await;
    stage.make_place();
    let unit = stage.run();
    let (result, origin) = stage.upload("gate", &[("dog", 0.5)]).await;
    stage.send_of(&result, origin).await;
    stage.until_stored(&[result.frame_id].into()).await;
    unit.stop().await;
    assert_eq!(stage.until_pictured(0).await, []);
}
