//! The broker stops under load and comes back.

use journey_tests::{Admin, Journey, Traffic, kafka_to_stop, photo};
use mlvi::suite::UnitKind;

/// The web-server stays ready, so that clients get its 503 and the results that it holds.
async fn all_are_without_broker(journey: &Journey) {
    for kind in UnitKind::ALL {
        let status = if kind == UnitKind::WebServer { 200 } else { 503 };
        let line =
            if kind == UnitKind::WebServer { "without    broker" } else { "not ready  broker" };
        Admin(journey.suite.admin(kind)).becomes(status, line).await;
    }
}

async fn all_are_ready(journey: &Journey) {
    for kind in UnitKind::ALL {
        Admin(journey.suite.admin(kind)).becomes(200, "ready      broker").await;
    }
}

async fn away_under_load_on(kafka: Option<String>) {
    let mut journey = Journey::start_on(kafka, |config| config).await;
    let traffic = Traffic::start(&journey, 4, 30).await;
    traffic.results(10).await;
    journey.stop_broker().await;
    all_are_without_broker(&journey).await;
    let refused = journey
        .client_does(|client| client.post("/inference", &photo("camera.jpg")).unwrap())
        .await;
    assert_eq!(
        (refused.status, &refused.body["status"]),
        (503, &503.into()),
        "a problem document: {refused:?}"
    );
    for kind in UnitKind::ALL {
        assert!(
            Admin(journey.suite.admin(kind)).is_alive().await,
            "{kind}: it is the broker that is away"
        );
    }
    // the cameras have not stopped sending all the time
    journey.start_broker().await;
    all_are_ready(&journey).await;
    traffic.more_results(40).await;
    traffic.end().await;
    let groups = journey.groups();
    for kind in [UnitKind::Preprocessor, UnitKind::EdgeInference, UnitKind::CloudInference] {
        groups.finished(kind).await;
    }
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_is_lost_while_the_broker_is_away() {
    away_under_load_on(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_is_lost_while_apache_kafka_is_away() {
    if let some @ Some(_) = kafka_to_stop() {
        away_under_load_on(some).await;
    }
}
