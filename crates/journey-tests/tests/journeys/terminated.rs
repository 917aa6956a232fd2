//! SIGTERM in the middle of a batch: every frame is finished or handed back.

use journey_tests::{Admin, Journey, Traffic, kafka};
use mlvi::suite::UnitKind;

const EDGE: UnitKind = UnitKind::EdgeInference;
const BATCH: usize = 4;
/// With one model thread: a batch at work and one that waits.
const IN_HAND: usize = 2 * BATCH;

/// How long the unit may take to finish what it has in hand.
#[derive(Clone, Copy, PartialEq)]
enum Drain {
    /// Long enough for every batch.
    Enough,
    /// None at all.
    None,
}

async fn terminated_on(kafka: Option<String>, drain: Drain) {
    let mut journey =
        Journey::start_on(kafka, |config| config.with("MLVI_POLICY", "edge-only")).await;
    let drain_time = if drain == Drain::Enough { "60s" } else { "0s" };
    let batch = BATCH.to_string();
    let further = [
        ("MLVI_MAX_BATCH", batch.as_str()),
        ("MLVI_BATCH_WAIT", "100ms"),
        ("MLVI_DRAIN", drain_time),
    ];
    let process = journey.instead_as_process(EDGE, &further).await;
    let (traffic, groups) = (Traffic::start(&journey, 4, 5 * BATCH).await, journey.groups());
    traffic.results(BATCH).await;
    // a batch is at work, and another one waits or is being gathered
    process.admin.metric_reaches("mlvi_inference_in_flight_frames", (BATCH + 1) as f64).await;
    let status = process.terminate().await;
    assert!(status.success(), "{status}");

    // whoever has ended changes nothing any more
    let (progress, results) = (groups.progress(EDGE).await, groups.results().await);
    match drain {
        Drain::Enough => assert_eq!(
            progress.committed, results,
            "every frame with a result is committed, and no other"
        ),
        Drain::None => {
            let handed_back = results.saturating_sub(progress.committed);
            assert!(
                progress.committed <= results,
                "committed without a result: {progress:?}, {results} results"
            );
            assert!(handed_back <= IN_HAND as u64, "{progress:?}, {results} results");
        }
    }
    journey.suite.start_unit(EDGE).await.unwrap();
    traffic.more_results(3 * BATCH).await;
    traffic.end().await;
    groups.finished(EDGE).await;
    let duplicates = Admin(journey.suite.admin(UnitKind::WebServer))
        .metric("mlvi_results_duplicate_total")
        .await;
    let at_most = if drain == Drain::Enough { 0 } else { IN_HAND };
    assert!(duplicates <= at_most as f64, "{duplicates} results came twice, at most {at_most} may");
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_finished_at_sigterm() {
    terminated_on(None, Drain::Enough).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_finished_at_sigterm_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        terminated_on(some, Drain::Enough).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_time_is_handed_back() {
    terminated_on(None, Drain::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_time_is_handed_back_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        terminated_on(some, Drain::None).await;
    }
}
