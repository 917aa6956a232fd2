//! Topics that are not as the configuration wants them.

use frame::Status;
use journey_tests::{Journey, kafka, photo};
use mlvi::suite::UnitKind;

/// The topics have one partition, and a unit that wants three says so, with what mends it, and
/// works all the same.
async fn too_few_partitions_on(kafka: Option<String>) {
    let mut journey = Journey::start_on(kafka, |config| {
        config.with("MLVI_POLICY", "edge-only").with("MLVI_PARTITIONS", 1)
    })
    .await;
    let unit =
        journey.instead_as_process(UnitKind::Preprocessor, &[("MLVI_PARTITIONS", "3")]).await;
    let groups = journey.groups();
    let topics = groups.topics();
    // that of settings has one anyway
    for topic in topics.all().into_iter().filter(|topic| *topic != topics.settings) {
        // the topic's name in quotes: one is the beginning of another
        let line = unit.logs(&[&format!("\"{topic}\""), "mlvi topics create --grow"]).await;
        assert!(line.contains("WARN"), "{line}");
    }
    let answer = journey
        .client_does(|client| client.post("/inference?wait=60s", &photo("coffee.jpg")).unwrap())
        .await;
    assert_eq!(answer.result().unwrap().status, Status::Done);
    let status = unit.terminate().await;
    assert!(status.success(), "{status}");
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_partitions_are_a_warning_with_the_command() {
    too_few_partitions_on(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_partitions_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        too_few_partitions_on(some).await;
    }
}
