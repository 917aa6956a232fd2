//! The policy is shown and changed over HTTP. The test plays a preprocessor that says what decides.

use crate::client::{Reply, get, send};
use crate::suite::{Kafka, PATIENCE, Rest, Server};
use frame::{
    Announcement, ContractStanding, ContractsRecord, Expiring, Order, PerTier, PolicyOrigin,
    SettingRecord, Timestamp, Topics,
};
use frame_bus::{Outgoing, Table, TableEvent};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

const CHANGES: [(&str, &str); 1] = [("MLVI_SETTINGS_CHANGES", "on")];
const TOML: [(&str, &str); 1] = [("content-type", "application/toml")];

async fn put(server: SocketAddr, query: &str, body: &str) -> Reply {
    send(server, "PUT", &format!("/policy{query}"), &TOML, Some(body.into())).await
}

/// Waits until a replica shows this.
async fn until(server: SocketAddr, what: impl Fn(&Value) -> bool) -> Value {
    until_at(server, "/policy", what).await
}

async fn until_at(server: SocketAddr, path: &str, what: impl Fn(&Value) -> bool) -> Value {
    let mut shown = Value::Null;
    let wait = async {
        loop {
            shown = get(server, path).await.json();
            if what(&shown) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, wait).await;
    assert!(in_time.is_ok(), "{shown}");
    shown
}

async fn read_record(table: &mut Table) -> (SettingRecord, i64) {
    loop {
        let event = tokio::time::timeout(PATIENCE, table.recv()).await.unwrap().unwrap();
        if let TableEvent::Set { key, value, offset } = event {
            assert_eq!(key, frame::POLICY_KEY);
            return (SettingRecord::from_json(&value).unwrap(), offset);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_set_for_all_shown_by_all_and_kept_over_a_restart() {
    let kafka = Kafka::start().await;
    let servers =
        [Server::ready(kafka.address, &CHANGES).await, Server::ready(kafka.address, &[]).await];
    let [one, other] = [servers[0].http, servers[1].http];
    let rest = Rest::join(kafka.address).await;
    let topic = Topics::default().settings;
    let mut table = rest.bus.table(&topic).unwrap();
    for server in [one, other] {
        let shown = until(server, |shown| shown["settings_topic"] == true).await;
        assert_eq!(shown["changes"], if server == one { "on" } else { "off" });
        assert!(shown.get("record").is_none() && shown["preprocessors"] == json!([]));
        let names: Vec<&str> = shown["policies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| policy["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), 9, "{names:?}");
    }

    let refused = put(one, "", "policy = 'ratio'\n[ratio]\ncloud_share = 3").await;
    let problem = refused.expect_problem(422, "invalid-policy");
    assert_eq!((&problem["line"], &problem["key"]), (&json!(3), &json!("ratio.cloud_share")));
    put(other, "", "policy = 'ratio'").await.expect_problem(403, "settings-are-fixed");

    let text = "policy = 'ratio' # a try\n";
    let set = put(one, "?by=somebody&note=why%20not", text).await;
    assert_eq!(set.status, 200, "{set:?}");
    let mut set = set.json();
    let effective = set.as_object_mut().unwrap().remove("effective").unwrap();
    assert!(effective.as_str().unwrap().contains("cloud_share = 0.5"), "{effective}");
    assert_eq!(
        (&set["value"], &set["changed_by"], &set["note"]),
        (&json!(text), &json!("somebody"), &json!("why not"))
    );
    let (record, revision) = read_record(&mut table).await;
    assert_eq!((json!(record.value), json!(revision)), (json!(text), set["revision"].clone()));
    for server in [one, other] {
        let shown = until(server, |shown| shown.get("record").is_some()).await;
        assert_eq!(shown["record"], set);
    }

    // what a preprocessor says of itself is shown until it goes
    let key = Announcement::key_of("pod.1");
    let said = Announcement {
        version: Announcement::VERSION,
        instance: "pod.1".into(),
        policy: "ratio".into(),
        source: PolicyOrigin::Topic,
        revision: Some(revision),
        settings: "policy = \"ratio\"\n".into(),
        since: Timestamp::now(),
        breakers: PerTier { edge: Some("closed".into()), cloud: None },
        error: None,
        agreement: None,
        sent_at: Timestamp::now(),
        expires_at: Timestamp::now() + Duration::from_secs(60),
    };
    let out = Outgoing {
        topic: topic.clone(),
        key: key.clone(),
        headers: Vec::new(),
        payload: said.to_json(),
    };
    rest.bus.send(out).await.unwrap();
    let shown = until(other, |shown| shown["preprocessors"] != json!([])).await;
    assert_eq!(shown["preprocessors"], json!([said]));
    rest.bus.delete_key(&topic, &key).await.unwrap();
    until(other, |shown| shown["preprocessors"] == json!([])).await;

    // and so is how its contracts stand
    let standing = ContractStanding {
        name: "gates".into(),
        cameras: vec!["gate-*".parse().unwrap()],
        priority: 1,
        within_ms: Some(300.0),
        share: Some(0.9),
        agreement: None,
        order: Order::InOrder,
        window_s: 300.0,
        met: 95,
        missed: 5,
        set_aside: 0,
        violated: false,
    };
    let said = ContractsRecord::new("pod.1".into(), vec![standing], Duration::from_secs(60));
    let key = ContractsRecord::key_of("pod.1");
    let (topic, headers) = (topic.clone(), Vec::new());
    let out = Outgoing { topic: topic.clone(), key: key.clone(), headers, payload: said.to_json() };
    rest.bus.send(out).await.unwrap();
    let shown = until_at(other, "/contracts", |shown| shown["preprocessors"] == 1).await;
    assert_eq!(shown["contracts"][0]["met"], 95);
    assert_eq!(get(other, "/policy").await.json()["preprocessors"], json!([]));
    rest.bus.delete_key(&topic, &key).await.unwrap();
    until_at(other, "/contracts", |shown| shown["contracts"] == json!([])).await;
    for server in servers {
        server.stop().await;
    }

    let kafka = Kafka::again(kafka.stop().await).await;
    let server = Server::ready(kafka.address, &CHANGES).await;
    let shown = until(server.http, |shown| shown.get("record").is_some()).await;
    assert_eq!(shown["record"], set, "it is kept");
    until(server.http, |shown| shown["settings_topic"] == true).await;
    let cleared = send(server.http, "DELETE", "/policy?by=somebody", &[], None).await;
    assert_eq!(cleared.status, 200, "{cleared:?}");
    until(server.http, |shown| shown.get("record").is_none()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suite_without_the_topic_serves_and_says_so() {
    let kafka = Kafka::start().await;
    let _rest = Rest::join(kafka.address).await;
    // the broker makes no topic with so many copies; the others are there
    let settings = [CHANGES[0], ("MLVI_KAFKA_REPLICATION", "3")];
    let server = Server::ready(kafka.address, &settings).await;
    assert_eq!(get(server.http, "/policy").await.json()["settings_topic"], false);
    put(server.http, "", "policy = 'ratio'").await.expect_problem(503, "no-settings-topic");
    assert_eq!(server.metric("mlvi_web_server_settings_topic").await, 0.0);
    server.stop().await;
}
