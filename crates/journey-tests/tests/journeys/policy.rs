//! The policy is changed over HTTP while the suite runs, and changed back.

use frame::Destination;
use journey_tests::{Client, Journey, kafka, photo};
use mlvi::suite::UnitKind;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the preprocessor says that it decides by this policy, and then where a frame goes.
fn decides(client: &Client, policy: &str, source: &str) -> Destination {
    let started = Instant::now();
    loop {
        let shown = client.get("/policy").unwrap().body;
        let said = &shown["preprocessors"][0];
        if said["policy"] == policy && said["source"] == source {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{policy} ({source}): {shown}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let answer = client.post("/inference?wait=60s", &photo("coffee.jpg")).unwrap();
    let decision = answer.result().unwrap().decision.unwrap();
    assert_eq!(decision.policy, policy);
    decision.destination
}

async fn a_policy_is_tried_out_on(kafka: Option<String>) {
    let journey = Journey::start_on(kafka, |config| {
        config.with("MLVI_POLICY", "edge-only").with_unit(
            UnitKind::WebServer,
            "MLVI_SETTINGS_CHANGES",
            "on",
        )
    })
    .await;
    journey
        .client_does(|client| {
            assert_eq!(decides(&client, "edge-only", "variables"), Destination::Edge);
            let set = client.put_policy("policy = 'cloud-only'").unwrap();
            assert_eq!(set.status, 200, "{set:?}");
            assert_eq!(decides(&client, "cloud-only", "topic"), Destination::Cloud);
            assert_eq!(client.put_policy("policy = 'coin'").unwrap().status, 422);
            assert_eq!(client.delete_policy().unwrap().status, 200);
            assert_eq!(decides(&client, "edge-only", "variables"), Destination::Edge);
        })
        .await;
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_tried_out() {
    a_policy_is_tried_out_on(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_tried_out_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        a_policy_is_tried_out_on(some).await;
    }
}
