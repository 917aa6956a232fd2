//! The policy is changed by a record of the settings topic, and each replica says what decides.

use crate::tasks::until;
use crate::{PATIENCE, Running, Stage, envelope, jpeg, next};
use frame::{Announcement, Expiring, POLICY_KEY, PolicyOrigin, SettingRecord};
use frame_bus::{Outgoing, Table, TableEvent};
use std::collections::HashMap;

/// What is announced, by instance.
struct Announced {
    table: Table,
    said: HashMap<String, Announcement>,
}

impl Announced {
    fn to(stage: &Stage) -> Self {
        Self { table: stage.bus.table(&stage.topics.settings).unwrap(), said: HashMap::new() }
    }

    /// Waits until so many processes are there and all say this.
    async fn until(&mut self, count: usize, what: impl Fn(&Announcement) -> bool) {
        let wait = async {
            while self.said.len() != count || !self.said.values().all(&what) {
                match self.table.recv().await.unwrap() {
                    TableEvent::Set { key, value, .. } if Announcement::is_key(&key) => {
                        let said = Announcement::from_json(&value).unwrap();
                        assert_eq!(key, Announcement::key_of(&said.instance));
                        self.said.insert(key, said);
                    }
                    TableEvent::Removed { key } => drop(self.said.remove(&key)),
                    TableEvent::Set { .. } | TableEvent::CaughtUp => {}
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, wait).await;
        assert!(in_time.is_ok(), "{count} do not say so: {:?}", self.said);
    }
}

impl Stage {
    async fn set_policy(&self, value: Vec<u8>) -> i64 {
        let (topic, key) = (self.topics.settings.clone(), POLICY_KEY.into());
        let out = Outgoing { topic, key, headers: Vec::new(), payload: value };
        self.bus.send(out).await.unwrap().offset
    }
}

fn record(policy: &str) -> Vec<u8> {
    SettingRecord::new(policy.into(), "a test".into(), Some("why not".into())).to_json()
}

/// In groups of its own, so that it gets every frame.
fn start(stage: &Stage, name: &str, policy: &str) -> Running {
    let groups = [format!("{name}-frames"), format!("{name}-held")];
    stage.run(&[
        ("MLVI_POLICY_FILE", policy),
        ("MLVI_GROUP", &groups[0]),
        ("MLVI_REDISPATCH_GROUP", &groups[1]),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_changes_every_replica_and_is_kept_until_it_is_removed() {
    let mut stage = Stage::set().await;
    let file = stage.policy_file("policy = 'edge-only'\n[redispatch]\nenabled = false");
    let (one, two) = (start(&stage, "one", &file), start(&stage, "two", &file));
    let mut announced = Announced::to(&stage);
    let by_file = |said: &Announcement| {
        (said.policy.as_str(), said.source) == ("edge-only", PolicyOrigin::File)
            && said.revision.is_none()
            && said.error.is_none()
    };
    announced.until(2, by_file).await;
    stage.send(&envelope("gate", 0), jpeg(16, 16)).await;
    for _ in 0..2 {
        next(&mut stage.edge).await;
    }

    let revision =
        stage.set_policy(record("policy = 'cloud-only'\n[redispatch]\nenabled = false")).await;
    let by_record = |said: &Announcement| {
        (said.policy.as_str(), said.source, said.revision)
            == ("cloud-only", PolicyOrigin::Topic, Some(revision))
    };
    announced.until(2, |said| by_record(said) && said.error.is_none()).await;
    let shown = "mlvi_preprocessor_policy{policy=\"cloud-only\",source=\"topic\"} 1";
    until(one.admin.unwrap(), "/metrics", 200, shown).await;
    stage.send(&envelope("gate", 1), jpeg(16, 16)).await;
    for _ in 0..2 {
        assert_eq!(next(&mut stage.cloud).await.envelope().unwrap().sequence, 1);
    }

    // what is broken changes nothing and is named
    for (times, broken) in [
        (1, b"no JSON".to_vec()),
        (2, record("policy = 'expression'\n[expression]\nrule = 'edge.'")),
    ] {
        stage.set_policy(broken).await;
        let refused = format!("settings_records_total{{outcome=\"refused\"}} {times}");
        until(one.admin.unwrap(), "/metrics", 200, &refused).await;
        let named = if times == 1 { "not of the form" } else { "[expression] rule: line 1" };
        announced
            .until(2, |said| {
                by_record(said) && said.error.as_ref().is_some_and(|it| it.problem.contains(named))
            })
            .await;
    }
    one.stop().await;
    announced.until(1, by_record).await;
    let again = record("policy = 'cloud-only'\n[redispatch]\nenabled = false # still");
    let revision = stage.set_policy(again).await;
    announced.until(1, |said| said.revision == Some(revision) && said.error.is_none()).await;
    // the first frame that a fresh one decides on goes by the record
    stage.send(&envelope("gate", 2), jpeg(16, 16)).await;
    assert_eq!(next(&mut stage.cloud).await.envelope().unwrap().sequence, 2);
    let one = start(&stage, "one", &file);
    assert_eq!(next(&mut stage.cloud).await.envelope().unwrap().sequence, 2);

    stage.bus.delete_key(&stage.topics.settings, POLICY_KEY).await.unwrap();
    announced.until(2, by_file).await;
    stage.send(&envelope("gate", 3), jpeg(16, 16)).await;
    for _ in 0..2 {
        assert_eq!(next(&mut stage.edge).await.envelope().unwrap().sequence, 3);
    }
    one.stop().await;
    two.stop().await;
    announced.until(0, |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suite_without_the_topic_works_as_before() {
    let mut stage = Stage::set().await;
    // the broker makes no topic with so many copies; the others are there
    let unit = stage.run(&[("MLVI_POLICY", "edge-only"), ("MLVI_KAFKA_REPLICATION", "3")]);
    let admin = unit.admin.unwrap();
    stage.send(&envelope("gate", 0), jpeg(16, 16)).await;
    next(&mut stage.edge).await;
    until(admin, "/readyz", 200, "ready").await;
    until(admin, "/metrics", 200, "mlvi_preprocessor_settings_topic 0").await;
    // once it is there, it counts
    let spec = frame_bus::settings_spec(&stage.topics);
    stage.bus.ensure_topics(&[spec], &Default::default()).await.unwrap();
    stage.set_policy(record("policy = 'cloud-only'\n[redispatch]\nenabled = false")).await;
    until(admin, "/metrics", 200, "settings_records_total{outcome=\"used\"} 1").await;
    stage.send(&envelope("gate", 1), jpeg(16, 16)).await;
    next(&mut stage.cloud).await;
    unit.stop().await;
}
