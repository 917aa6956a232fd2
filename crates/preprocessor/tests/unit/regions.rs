//! Masks and zones, from a record of the settings topic and from a file.

use crate::tasks::until;
use crate::{Stage, envelope, next, next_result};
use frame::{CameraId, Envelope, ImageFormat, RgbImage, SettingRecord, headers, regions_key};
use frame_bus::{Message, Outgoing};
use vision::Limits;

const LEFT: &str = r#"{"masks":[{"points":[[0,0],[0.5,0],[0.5,1],[0,1]]}],
    "zones":[{"name":"right","points":[[0.5,0],[1,0],[1,1],[0.5,1]]}]}"#;

impl Stage {
    async fn set_regions(&self, camera: &str, value: &str) {
        let spec = frame_bus::settings_spec(&self.topics);
        self.bus.ensure_topics(&[spec], &Default::default()).await.unwrap();
        let camera: CameraId = camera.parse().unwrap();
        let record = SettingRecord::new(value.into(), "a test".into(), None);
        let (topic, key) = (self.topics.settings.clone(), regions_key(&camera));
        let out = Outgoing { topic, key, headers: Vec::new(), payload: record.to_json() };
        self.bus.send(out).await.unwrap();
    }
}

/// White, so that every black pixel is one that was made so.
fn white() -> Vec<u8> {
    let size = frame::ImageSize { width: 64, height: 48 };
    vision::encode_png(&RgbImage::new(size, vec![255; 64 * 48 * 3]).unwrap()).unwrap()
}

/// Whether the left half of what a tier gets is black, and the right one not. Beside the border a
/// JPEG mixes colours of two pixels.
fn is_masked(message: &Message) -> bool {
    let picture = vision::decode(&message.payload, &Limits::default()).unwrap();
    let columns = |from: usize, to: usize| {
        let pixels = picture.data().as_chunks::<3>().0;
        let rows = pixels.chunks_exact(64);
        rows.flat_map(move |row| row[from..to].iter().flatten().copied()).collect::<Vec<u8>>()
    };
    assert!(columns(34, 64).iter().all(|byte| *byte > 200), "the rest is as it was");
    let left = columns(0, 30);
    let black = left.iter().all(|byte| *byte == 0);
    assert!(black || left.iter().all(|byte| *byte > 200), "all of it or nothing");
    black
}

fn zones(envelope: &Envelope) -> Vec<String> {
    let zones = envelope.prepared.as_ref().unwrap().zones.as_ref();
    let names = |of: &frame::Zones| of.0.iter().map(|zone| zone.name.as_str().into()).collect();
    zones.map(names).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_reaches_no_tier_and_no_dead_letter() {
    let mut stage = Stage::set().await;
    stage.set_regions("gate", LEFT).await;
    let unit = stage.run(&[("MLVI_POLICY", "alternate")]);
    // from the first frame on
    for sequence in 0..2 {
        stage.send(&envelope("gate", sequence), white()).await;
    }
    for message in [next(&mut stage.edge).await, next(&mut stage.cloud).await] {
        assert!(is_masked(&message));
        assert_eq!(zones(&message.envelope().unwrap()), ["right"]);
    }
    stage.send(&envelope("yard", 0), white()).await;
    let other = next(&mut stage.edge).await;
    assert!(!is_masked(&other) && zones(&other.envelope().unwrap()).is_empty());

    let reason = |letter: &Message| {
        let (_, value) =
            letter.headers.iter().find(|(name, _)| name == headers::ERROR).unwrap().clone();
        String::from_utf8(value).unwrap()
    };
    for (camera, is_kept) in [("gate", false), ("yard", true)] {
        stage.send(&envelope(camera, 9), b"no picture of ours".to_vec()).await;
        let letter = next(&mut stage.dead_letters).await;
        assert_eq!(letter.payload.is_empty(), !is_kept, "{camera}");
        assert_eq!(reason(&letter).contains("withheld"), !is_kept, "{}", reason(&letter));
        assert_eq!(next_result(&mut stage.results).await.camera.as_str(), camera);
    }
    // nobody knows whose it is
    stage.send_raw("gate".into(), Vec::new(), white()).await;
    assert!(next(&mut stage.dead_letters).await.payload.is_empty());

    let camera: CameraId = "gate".parse().unwrap();
    stage.bus.delete_key(&stage.topics.settings, &regions_key(&camera)).await.unwrap();
    let removed = "settings_records_total{outcome=\"removed\"} 1";
    until(unit.admin.unwrap(), "/metrics", 200, removed).await;
    stage.send(&envelope("gate", 10), white()).await;
    let freed = next(&mut stage.cloud).await;
    assert!(!is_masked(&freed) && freed.envelope().unwrap().format == ImageFormat::Jpeg);
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_counts_where_there_is_no_record_and_is_read_again() {
    let mut stage = Stage::set().await;
    let path = stage.dir.path().join("regions.toml");
    let file = path.to_str().unwrap().to_owned();
    let mask = "[[cameras.gate.masks]]\npoints = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]";
    std::fs::write(&path, mask).unwrap();
    let unit = stage.run(&[
        ("MLVI_POLICY", "edge-only"),
        ("MLVI_REGIONS_FILE", &file),
        ("MLVI_REGIONS_RELOAD", "10ms"),
        // no topic is made with so many copies; the others are there
        ("MLVI_KAFKA_REPLICATION", "3"),
    ]);
    stage.send(&envelope("gate", 0), white()).await;
    assert!(is_masked(&next(&mut stage.edge).await), "also without the settings topic");
    std::fs::write(&path, "nonsense").unwrap();
    let reloads = |outcome: &str| format!("regions_reloads_total{{outcome=\"{outcome}\"}} 1");
    until(unit.admin.unwrap(), "/metrics", 200, &reloads("refused")).await;
    stage.send(&envelope("gate", 1), white()).await;
    assert!(is_masked(&next(&mut stage.edge).await), "what is broken changes nothing");
    std::fs::write(path.with_extension("new"), "").unwrap();
    std::fs::rename(path.with_extension("new"), &path).unwrap();
    until(unit.admin.unwrap(), "/metrics", 200, &reloads("used")).await;
    stage.send(&envelope("gate", 2), white()).await;
    assert!(!is_masked(&next(&mut stage.edge).await));
    // a record wins
    stage.set_regions("gate", LEFT).await;
    let used = "settings_records_total{outcome=\"used\"} 1";
    until(unit.admin.unwrap(), "/metrics", 200, used).await;
    stage.send(&envelope("gate", 3), white()).await;
    assert!(is_masked(&next(&mut stage.edge).await));
    unit.stop().await;
}
