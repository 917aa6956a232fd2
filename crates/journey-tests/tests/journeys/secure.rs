//! Every unit logs in over TLS, each side as its own user.

use frame::{Destination, MAX_FRAME_BYTES, Status, Topics};
use frame_bus::{Bus, topic_specs};
use journey_tests::{Journey, SecureKafka, jpeg_of_size, photo};
use mlvi::suite::UnitKind;
use std::collections::HashSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Another journey may have stopped the broker for a moment.
const PATIENCE: Duration = Duration::from_secs(120);
/// The rights of the users are for these names, so this journey has no topics and groups of its
/// own.
const PREFIX: &str = "mlvi";
const GROUPS: [(UnitKind, &str); 4] = [
    (UnitKind::Preprocessor, "mlvi-preprocessor"),
    (UnitKind::EdgeInference, "mlvi-edge-inference"),
    (UnitKind::CloudInference, "mlvi-cloud-inference"),
    (UnitKind::ResultsStore, "mlvi-results-store"),
];

/// The units of the site as `site`, the cloud as `cloud`, who may only read the cloud's frames and
/// write results and dead letters.
async fn start(kafka: &SecureKafka) -> Journey {
    // as the topics Job does it: `cloud` may make none
    let bus = Bus::open(kafka.as_user("admin")).unwrap();
    let specs = topic_specs(&Topics::with_prefix(PREFIX).unwrap(), 6);
    let made = CancellationToken::new();
    tokio::time::timeout(PATIENCE, bus.ensure_topics(&specs, &made))
        .await
        .expect("the topics are made")
        .unwrap();
    Journey::start_on(Some(kafka.address.clone()), |mut config| {
        for (name, value) in kafka.login("site") {
            config = config.with(name, value);
        }
        for (name, value) in kafka.login("cloud") {
            config = config.with_unit(UnitKind::CloudInference, name, value);
        }
        for (kind, group) in GROUPS {
            config = config.with_unit(kind, "MLVI_GROUP", group);
        }
        config
            .with_unit(UnitKind::Preprocessor, "MLVI_REDISPATCH_GROUP", "mlvi-redispatch")
            .with("MLVI_TOPIC_PREFIX", PREFIX)
            .with("MLVI_POLICY", "alternate")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_are_recognised_over_tls_by_users_of_apache_kafka() {
    let Some(kafka) = SecureKafka::find() else { return };
    let journey = start(&kafka).await;
    let destinations = journey
        .client_does(|client| {
            let mut destinations = HashSet::new();
            let mut infer = |image: &[u8], class: &str| {
                let result =
                    client.post("/cameras/gate/frames?wait=60s", image).unwrap().result().unwrap();
                assert_eq!(result.status, Status::Done, "{result:?}");
                assert!(
                    result.detections.iter().any(|found| found.class == class),
                    "{class}: {result:?}"
                );
                let destination = result.decision.unwrap().destination;
                assert_eq!(result.served_by.unit, format!("{destination}-inference"));
                destinations.insert(destination);
            };
            let (largest, _) = jpeg_of_size("coffee.jpg", MAX_FRAME_BYTES);
            for _ in 0..2 {
                infer(&photo("coffee.jpg"), "cup");
                infer(&photo("motorcycle_left.jpg"), "motorbike");
                infer(&largest, "cup");
            }
            destinations
        })
        .await;
    assert_eq!(destinations, HashSet::from([Destination::Edge, Destination::Cloud]));
    let groups = journey.groups();
    for (kind, _) in GROUPS {
        groups.finished(kind).await;
    }
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_names_the_listener_of_apache_kafka() {
    let Some(kafka) = SecureKafka::find() else { return };
    let mut journey = start(&kafka).await;
    let wrong = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(wrong.path(), "not-the-password").unwrap();
    let file = wrong.path().display().to_string();
    let unit = journey
        .replaced_by_process(UnitKind::EdgeInference, &[("MLVI_KAFKA_PASSWORD_FILE", &file)])
        .await;
    let line = unit.logs(&["ERROR", &kafka.address, "sasl_ssl", "'site'"]).await;
    assert!(!line.contains("not-the-password"), "{line}");
    let said = unit.admin.becomes(503, &kafka.address).await;
    assert!(said.contains("MLVI_KAFKA_PASSWORD_FILE"), "it says what to do: {said}");
    assert!(unit.admin.is_alive().await, "a restart would change nothing");
    let status = unit.terminate().await;
    assert!(status.success(), "{status}");
    // the others go on
    let answer = journey
        .client_does(|client| {
            let infer = |_| client.post("/inference?wait=20s", &photo("coffee.jpg")).unwrap();
            (0..2).map(infer).find(|answer| answer.status == 200)
        })
        .await;
    assert_eq!(answer.unwrap().result().unwrap().served_by.unit, "cloud-inference");
    journey.end().await;
}
