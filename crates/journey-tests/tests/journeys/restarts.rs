//! Units that stop, crash and come back: every accepted frame has exactly one visible result.

use frame::Status;
use journey_tests::{Admin, Journey, Traffic, kafka, photo};
use mlvi::suite::UnitKind;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const FRAMES: usize = 40;
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends frames, stops `kind` in the middle as SIGTERM does it, starts it again, and counts the
/// results that a watcher and a poller see.
async fn restarted_in_the_middle(kind: UnitKind) {
    let mut journey = Journey::start(|config| config).await;
    let watch = journey.client_does(|client| client.watch().unwrap()).await;
    let client = journey.client();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let sending = tokio::task::spawn_blocking(move || {
        let image = photo("camera.jpg");
        let send = |index: usize| {
            // slower than the models, so that frames are at every stage when the unit ends, and
            // some come while it is away
            std::thread::sleep(Duration::from_millis(40));
            let id = client
                .post_until_accepted(
                    &format!("/cameras/cam-{}/frames", index % 4),
                    &image,
                    PATIENCE,
                )
                .unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
            id
        };
        (0..FRAMES).map(send).collect::<HashSet<_>>()
    });
    // the first results are there, so every unit is at work
    let (watch, first) =
        tokio::task::spawn_blocking(move || watch.take(3, PATIENCE).map(|first| (watch, first)))
            .await
            .unwrap()
            .unwrap();
    assert!(sent.load(Ordering::Relaxed) < FRAMES, "the unit must end in the middle of it");
    journey.suite.stop_unit(kind).await.unwrap();
    journey.suite.start_unit(kind).await.unwrap();
    let accepted = sending.await.unwrap();
    assert_eq!(accepted.len(), FRAMES);

    let results = journey
        .client_does({
            let accepted = accepted.clone();
            move |client| {
                accepted
                    .into_iter()
                    .map(|id| client.ended(id, PATIENCE).unwrap())
                    .collect::<Vec<_>>()
            }
        })
        .await;
    assert!(results.iter().all(|result| result.status == Status::Done), "{results:?}");
    if kind != UnitKind::WebServer {
        // a watcher of the web-server sees its stream end with it; of the others it sees each
        // result once
        let rest = move || watch.take(FRAMES - 3, PATIENCE).map(|seen| (seen, watch.rest()));
        let (mut seen, rest) = tokio::task::spawn_blocking(rest).await.unwrap().unwrap();
        seen.extend(first);
        assert!(rest.is_empty(), "more results than frames: {rest:?}");
        assert_eq!(seen.iter().map(|result| result.frame_id).collect::<HashSet<_>>(), accepted);
    }
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_is_restarted_in_the_middle() {
    restarted_in_the_middle(UnitKind::EdgeInference).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_server_is_restarted_in_the_middle() {
    restarted_in_the_middle(UnitKind::WebServer).await;
}

/// How many frames a unit has in hand, as it says itself.
fn in_hand(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::WebServer => "mlvi_pending_frames",
        UnitKind::Preprocessor => "mlvi_preprocessor_in_flight_frames",
        UnitKind::EdgeInference | UnitKind::CloudInference => "mlvi_inference_in_flight_frames",
        UnitKind::ResultsStore => "mlvi_results_store_backlog_results",
    }
}

/// Ends a process of the unit with SIGKILL while it has frames in hand, and starts the unit again.
async fn killed_with_frames_in_hand(kafka: Option<String>, kind: UnitKind, policy: &str) {
    // a member that was killed is given up after its session timeout, which is kept short here
    let mut journey = Journey::start_on(kafka, |config| {
        config.with("MLVI_KAFKA_SESSION_TIMEOUT", "6s").with("MLVI_POLICY", policy)
    })
    .await;
    let process = journey.instead_as_process(kind, &[]).await;
    let (traffic, groups) = (Traffic::start(&journey, 4, 40).await, journey.groups());
    traffic.results(5).await;
    process.admin.metric_reaches(in_hand(kind), 1.0).await;
    process.kill();
    // nothing of this group is committed any more until its session has timed out
    let uncommitted = groups.progress(kind).await.left;
    assert!(uncommitted > 0, "it was killed in the middle of its work");
    journey.suite.start_unit(kind).await.unwrap();
    traffic.more_results(40).await;
    traffic.end().await;
    groups.finished(kind).await;
    if policy == "edge-only" {
        // with the cloud, frames that it did not answer in time are inferred on the edge as well
        let duplicates = Admin(journey.suite.admin(UnitKind::WebServer))
            .metric("mlvi_results_duplicate_total")
            .await;
        assert!(
            duplicates <= uncommitted as f64,
            "{duplicates} results came twice, of {uncommitted} frames that could"
        );
    }
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_is_killed_with_frames_in_hand() {
    killed_with_frames_in_hand(None, UnitKind::EdgeInference, "edge-only").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_is_killed_with_frames_in_hand_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        killed_with_frames_in_hand(some, UnitKind::EdgeInference, "edge-only").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloud_is_killed_with_frames_in_hand() {
    killed_with_frames_in_hand(None, UnitKind::CloudInference, "alternate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preprocessor_is_killed_with_frames_in_hand() {
    killed_with_frames_in_hand(None, UnitKind::Preprocessor, "edge-only").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preprocessor_is_killed_with_frames_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        killed_with_frames_in_hand(some, UnitKind::Preprocessor, "edge-only").await;
    }
}
