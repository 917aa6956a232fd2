//! What is learned of a camera's frames outlives the process that learned it.

use crate::tasks::until;
use crate::{PATIENCE, Running, Stage, envelope, jpeg, next};
use frame::{
    BoundingBox, CameraId, Destination, Detection, Expiring, FrameResult, LessonsRecord, Measured,
    ModelInfo, ResultMessage, ServedBy, Status, TimingsMs,
};
use frame_bus::{Message, Outgoing, Table, TableEvent};
use offload::{FEATURES_LAYOUT, Hardness, LEARNED, Learned, Measure};

/// All frames are lessons.
const POLICY: &str = "policy = 'cascade'\n[cascade]\nhardness = 'learned'\nshare = 1.0\n\
                      [redispatch]\nenabled = false";

/// In groups of its own, so that it gets every frame.
fn start(stage: &Stage, name: &str) -> Running {
    let (policy, groups) = (stage.policy_file(POLICY), [format!("{name}-1"), format!("{name}-2")]);
    stage.run(&[
        ("MLVI_POLICY_FILE", &policy),
        ("MLVI_GROUP", &groups[0]),
        ("MLVI_REDISPATCH_GROUP", &groups[1]),
    ])
}

fn measure_of(message: &Message) -> Learned {
    let escalation = message.envelope().unwrap().prepared.unwrap().escalation.unwrap();
    match escalation.parse::<Hardness>().unwrap().measure {
        Measure::Learned(learned) => learned,
        other => panic!("{other:?}"),
    }
}

impl Stage {
    /// Both tiers answer a frame that the edge got: the edge found nothing, the cloud two boxes.
    async fn both_answer(&self, message: &Message) {
        let thing = |x: f32| Detection {
            class: "thing".into(),
            class_id: 1,
            confidence: 0.5,
            bounding_box: BoundingBox { x, y: 0.0, width: 9.0, height: 9.0 },
            zones: None,
        };
        let features = vec![0.0; LEARNED - 1];
        for (tier, detections) in
            [(Destination::Edge, Vec::new()), (Destination::Cloud, vec![thing(0.0), thing(20.0)])]
        {
            let mut envelope = message.envelope().unwrap();
            envelope.prepared.as_mut().unwrap().decision.destination = tier;
            let [name, version, input] = ["m", "v", "9x9"].map(str::to_owned);
            let model = ModelInfo { name, version, input, resize: None };
            let unit = format!("{tier}-inference");
            let served_by = ServedBy { unit, ..ServedBy::default() };
            let done = envelope.done(detections, model, served_by, TimingsMs::default());
            let result = if tier == Destination::Edge {
                let hardness = Some(Measured { score: None, features: features.clone() });
                FrameResult { status: Status::Provisional, hardness, ..done }
            } else {
                done
            };
            let message = ResultMessage::of(&envelope, result);
            let stop = tokio_util::sync::CancellationToken::new();
            self.bus.send_result(&self.topics.results, message, &stop).await.unwrap();
        }
    }

    async fn put(&self, key: String, payload: Vec<u8>) {
        let spec = frame_bus::settings_spec(&self.topics);
        self.bus.ensure_topics(&[spec], &Default::default()).await.unwrap();
        let topic = self.topics.settings.clone();
        self.bus.send(Outgoing { topic, key, headers: Vec::new(), payload }).await.unwrap();
    }
}

/// Waits for a record of the camera's lessons.
async fn record(table: &mut Table, camera: &CameraId) -> LessonsRecord {
    let wait = async {
        loop {
            if let TableEvent::Set { key, value, .. } = table.recv().await.unwrap()
                && key == LessonsRecord::key_of(camera)
            {
                return LessonsRecord::read(&key, &value).unwrap();
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_after_a_killed_preprocessor_knows_what_it_had_learned() {
    let mut stage = Stage::set().await;
    let unit = start(&stage, "one");
    let gate: CameraId = "gate".parse().unwrap();
    for sequence in 0..20 {
        stage.send(&envelope("gate", sequence), jpeg(16, 16)).await;
        let message = next(&mut stage.edge).await;
        if sequence == 0 {
            assert_eq!(measure_of(&message), Learned::UNFITTED);
            let reason = message.envelope().unwrap().prepared.unwrap().decision.reason;
            assert!(["expected-gain", "audit"].contains(&reason.as_str()), "{reason}");
        }
        stage.both_answer(&message).await;
    }
    let mut table = stage.bus.table(&stage.topics.settings).unwrap();
    let kept = record(&mut table, &gate).await;
    assert!(kept.lessons >= 8 && kept.weights[0] > 0.1, "{kept:?}");
    // it has no time to say anything
    unit.unit.abort();
    drop(unit.unit.await);

    let after = start(&stage, "two");
    let first = measure_of(&next(&mut stage.edge).await);
    assert!(first.weights[0] >= 0.9 * kept.weights[0], "{first:?} after {kept:?}");
    after.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_used_are_named_and_change_nothing() {
    let mut stage = Stage::set().await;
    let gate: CameraId = "gate".parse().unwrap();
    let weights = (FEATURES_LAYOUT, vec![1.0; LEARNED]);
    let record = LessonsRecord::new(gate.clone(), weights, 500, PATIENCE * 100);
    let newer = LessonsRecord { version: 2, ..record.clone() };
    let of_others = LessonsRecord { layout: FEATURES_LAYOUT + 1, ..record.clone() };
    stage.put(LessonsRecord::key_of(&gate), newer.to_json()).await;
    stage.put(LessonsRecord::key_of(&"yard".parse().unwrap()), b"no JSON".to_vec()).await;
    let unit = start(&stage, "one");
    for (sequence, camera) in (0..).zip(["gate", "yard"]) {
        stage.send(&envelope(camera, sequence), jpeg(16, 16)).await;
        assert_eq!(measure_of(&next(&mut stage.edge).await), Learned::UNFITTED, "{camera}");
    }
    let refused = |times: u32| format!("settings_records_total{{outcome=\"refused\"}} {times}");
    let admin = unit.admin.unwrap();
    until(admin, "/metrics", 200, &refused(2)).await;
    stage.put(LessonsRecord::key_of(&gate), of_others.to_json()).await;
    until(admin, "/metrics", 200, &refused(3)).await;
    until(admin, "/readyz", 200, "ready").await;
    // one that can be used counts from then on, and for cameras of which nothing is known
    stage.put(LessonsRecord::key_of(&gate), record.to_json()).await;
    for (sequence, camera) in (2..).zip(["gate", "new"]) {
        let found = async {
            loop {
                stage.send(&envelope(camera, sequence), jpeg(16, 16)).await;
                let measure = measure_of(&next(&mut stage.edge).await);
                if measure != Learned::UNFITTED {
                    return measure;
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await.unwrap();
        assert_eq!(found.weights, [1.0; LEARNED], "{camera}");
    }
    unit.stop().await;
}
