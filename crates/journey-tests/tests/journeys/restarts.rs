//! Units that stop, crash and come back: every accepted frame has exactly one visible result.

use frame::Status;
use journey_tests::{Journey, photo};
use mlvi::suite::UnitKind;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const FRAMES: usize = 40;
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy)]
enum End {
    /// As SIGTERM does it: what is in flight is finished first.
    Stop,
    /// As SIGKILL does it: the unit runs as a process of its own and gets no chance to finish anything.
    Kill,
}

/// Sends frames, ends `kind` in the middle, starts it again, and counts the results that a watcher and a poller see.
async fn restarted_in_the_middle(kind: UnitKind, end: End) {
    // a member that was killed is given up after its session timeout, which is kept short here
    let mut journey = Journey::start(|config| config.with("MLVI_KAFKA_SESSION_TIMEOUT", "6s")).await;
    let process = match end {
        End::Stop => None,
        End::Kill => Some(journey.instead_as_process(kind, "restarts::a_unit_in_a_process_of_its_own").await),
    };
    let watch = journey.client_does(|client| client.watch().unwrap()).await;
    let client = journey.client();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let sending = tokio::task::spawn_blocking(move || {
        let image = photo("camera.jpg");
        let send = |index: usize| {
            // slower than the models, so that frames are at every stage when the unit ends, and some come while it is away
            std::thread::sleep(Duration::from_millis(40));
            let id = client.post_until_accepted(&format!("/cameras/cam-{}/frames", index % 4), &image, PATIENCE).unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
            id
        };
        (0..FRAMES).map(send).collect::<HashSet<_>>()
    });
    // the first results are there, so every unit is at work
    let (watch, first) =
        tokio::task::spawn_blocking(move || watch.take(3, PATIENCE).map(|first| (watch, first))).await.unwrap().unwrap();
    assert!(sent.load(Ordering::Relaxed) < FRAMES, "the unit must end in the middle of it");
    match process {
        None => journey.suite.stop_unit(kind).await.unwrap(),
        Some(process) => process.kill(),
    }
    journey.suite.start_unit(kind).await.unwrap();
    let accepted = sending.await.unwrap();
    assert_eq!(accepted.len(), FRAMES);

    let results = journey
        .client_does({
            let accepted = accepted.clone();
            move |client| accepted.into_iter().map(|id| client.ended(id, PATIENCE).unwrap()).collect::<Vec<_>>()
        })
        .await;
    assert!(results.iter().all(|result| result.status == Status::Done), "{results:?}");
    if kind != UnitKind::WebServer {
        // a watcher of the web-server sees its stream end with it; of the others it sees each result once
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
    restarted_in_the_middle(UnitKind::EdgeInference, End::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloud_is_killed_in_the_middle() {
    restarted_in_the_middle(UnitKind::CloudInference, End::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preprocessor_is_killed_in_the_middle() {
    restarted_in_the_middle(UnitKind::Preprocessor, End::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_server_is_restarted_in_the_middle() {
    restarted_in_the_middle(UnitKind::WebServer, End::Stop).await;
}

/// Not a test by itself: the journeys above start this very binary with it, to have a process that they can kill.
#[test]
#[ignore = "run by the journeys that kill a unit"]
fn a_unit_in_a_process_of_its_own() {
    journey_tests::be_the_unit();
}
