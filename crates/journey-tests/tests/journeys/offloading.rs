//! A cloud that is cut off, slow or silent: every frame is answered once, by the edge if need be.
//! And the cascade with real models.

use frame::{Destination, FrameResult, Status};
use journey_tests::{Journey, kafka, photo};
use mlvi::suite::UnitKind;
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);
const CAMERAS: u64 = 4;

fn policy(dir: &TempDir, text: &str) -> String {
    let path = dir.path().join("policy.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

async fn journey_with(kafka: Option<String>, dir: &TempDir, text: &str) -> Journey {
    let path = policy(dir, text);
    Journey::start_on(kafka, |config| {
        config.with_unit(UnitKind::Preprocessor, "MLVI_POLICY_FILE", path).with_unit(
            UnitKind::Preprocessor,
            "MLVI_POLICY_RELOAD",
            "50ms",
        )
    })
    .await
}

fn destination(result: &FrameResult) -> Destination {
    result.decision.as_ref().unwrap().destination
}

/// Sends frames of several cameras and waits until each has a final result. Fails when a frame has
/// more than one.
async fn send(journey: &Journey, frames: u64) -> Vec<FrameResult> {
    journey
        .client_does(move |client| {
            let watch = client.watch().unwrap();
            let image = photo("camera.jpg");
            let accepted: HashSet<_> = (0..frames)
                .map(|n| {
                    // about what two threads can infer
                    std::thread::sleep(Duration::from_millis(60));
                    client
                        .post_until_accepted(
                            &format!("/cameras/gate-{}/frames", n % CAMERAS),
                            &image,
                            PATIENCE,
                        )
                        .unwrap()
                })
                .collect();
            let results = watch.take(accepted.len(), PATIENCE).unwrap();
            assert_eq!(
                results.iter().map(|result| result.frame_id).collect::<HashSet<_>>(),
                accepted,
                "each frame once"
            );
            // a late answer of the other tier would come now
            std::thread::sleep(Duration::from_secs(1));
            assert!(watch.rest().is_empty(), "a frame has a second result");
            results
        })
        .await
}

/// Sends so many frames at a time until a result shows something: on a busy machine a cloud may be
/// late for a while, and its breaker waits the longer for it.
async fn send_until(
    journey: &Journey,
    frames: u64,
    shows: impl Fn(&FrameResult) -> bool,
) -> Vec<FrameResult> {
    let started = Instant::now();
    let mut results = send(journey, frames).await;
    while !results.iter().any(&shows) {
        assert!(started.elapsed() < PATIENCE, "no result shows it: {results:?}");
        results.extend(send(journey, frames).await);
    }
    results
}

async fn breaker(journey: &Journey, tier: &str) -> f64 {
    let url = format!("http://{}/metrics", journey.suite.admin(UnitKind::Preprocessor));
    let text = tokio::task::spawn_blocking(move || {
        ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap()
    })
    .await
    .unwrap();
    let name = format!("mlvi_preprocessor_tier_breaker_state{{tier=\"{tier}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

async fn cut_off_on(kafka: Option<String>) {
    let dir = tempfile::tempdir().unwrap();
    let mut journey =
        journey_with(kafka, &dir, "policy = 'cloud-only'\n[redispatch]\nafter_ms = 600").await;
    let before = send_until(&journey, 8, |result| destination(result) == Destination::Cloud).await;
    assert!(before.iter().all(|result| result.status == Status::Done), "{before:?}");

    journey.suite.stop_unit(UnitKind::CloudInference).await.unwrap();
    let reason = |result: &FrameResult| result.decision.as_ref().unwrap().reason.clone();
    let cut_off = send_until(&journey, 40, |result| reason(result) == "cloud-breaker-open").await;
    assert!(
        cut_off.iter().all(|result| {
            result.status == Status::Done && destination(result) == Destination::Edge
        }),
        "{cut_off:?}"
    );
    assert!(cut_off.iter().any(|result| reason(result) == "cloud-late"), "{cut_off:?}");
    let taken_back = cut_off
        .iter()
        .find(|result| result.attempt == Some(2))
        .expect("a frame that was taken back");
    let took_ms = taken_back.decision.as_ref().unwrap().took_ms.unwrap();
    assert!(took_ms >= 600.0, "{took_ms}: it counts from the first decision");
    assert!(breaker(&journey, "cloud").await > 0.0);

    journey.suite.start_unit(UnitKind::CloudInference).await.unwrap();
    let started = Instant::now();
    while breaker(&journey, "cloud").await > 0.0 {
        assert!(started.elapsed() < PATIENCE, "the breaker does not close");
        send(&journey, 2).await;
    }
    send_until(&journey, 8, |result| destination(result) == Destination::Cloud).await;
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_uplink_costs_no_frame_and_is_used_again_later() {
    cut_off_on(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_is_cut_off_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        cut_off_on(some).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_is_slow_gives_no_second_result() {
    let dir = tempfile::tempdir().unwrap();
    // shorter than the model takes, so that both tiers infer many frames; no breaker, so that it
    // goes on
    let text = "policy = 'cloud-only'\n[redispatch]\nafter_ms = 30\n[breaker]\nenabled = false";
    let journey = journey_with(None, &dir, text).await;
    let results = send(&journey, 30).await;
    assert!(results.iter().all(|result| result.status == Status::Done), "{results:?}");
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_frame_gets_a_provisional_and_a_final_answer() {
    let dir = tempfile::tempdir().unwrap();
    let text = "policy = 'cascade'\n[cascade]\nhardness = 'max-confidence<0.99,empty=hard'";
    let journey = journey_with(None, &dir, text).await;
    journey
        .client_does(|client| {
            let watch = client.watch().unwrap();
            let id = client
                .post("/cameras/gate/frames", &photo("coffee.jpg"))
                .unwrap()
                .accepted()
                .unwrap();
            let seen = watch.take(2, PATIENCE).unwrap();
            assert_eq!(
                seen.iter().map(|result| result.status).collect::<Vec<_>>(),
                [Status::Provisional, Status::Done]
            );
            assert_eq!(
                seen.iter().map(destination).collect::<Vec<_>>(),
                [Destination::Edge, Destination::Cloud]
            );
            assert!(
                seen.iter()
                    .all(|result| result.frame_id == id && result.detections[0].class == "cup"),
                "{seen:?}"
            );
            let last = client.ended(id, PATIENCE).unwrap();
            assert_eq!(
                (last.attempt, last.decision.unwrap().reason),
                (Some(2), "hard-example".into())
            );
        })
        .await;
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cloud_the_provisional_answer_is_final() {
    let dir = tempfile::tempdir().unwrap();
    let text = "policy = 'cascade'\n[cascade]\nhardness = 'max-confidence<0.99,empty=hard'\n\
                [redispatch]\nafter_ms = 500";
    let mut journey = journey_with(None, &dir, text).await;
    journey.suite.stop_unit(UnitKind::CloudInference).await.unwrap();
    let answer = journey
        .client_does(|client| {
            client.post("/inference?wait=30s", &photo("coffee.jpg")).unwrap().result().unwrap()
        })
        .await;
    assert_eq!((answer.status, destination(&answer)), (Status::Done, Destination::Edge));
    assert_eq!(
        (answer.detections[0].class.as_str(), answer.decision.unwrap().reason.as_str()),
        ("cup", "cloud-late")
    );
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_file_is_reloaded_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let journey = journey_with(None, &dir, "policy = 'edge-only'").await;
    let mut expected = "edge-only";
    for (text, policy_then) in [
        ("policy = 'edge-onl'", "edge-only"),
        ("policy = 'expression'\n[expression]\nrule = 'frame.bytes < 0'", "expression"),
    ] {
        policy(&dir, text);
        let started = Instant::now();
        loop {
            let results = send(&journey, 2).await;
            let policies: HashSet<&str> = results
                .iter()
                .map(|result| result.decision.as_ref().unwrap().policy.as_str())
                .collect();
            if policies == HashSet::from([policy_then]) {
                break;
            }
            assert!(
                policies.iter().all(|policy| [expected, policy_then].contains(policy)),
                "{policies:?}"
            );
            assert!(started.elapsed() < PATIENCE, "the new file is not used");
        }
        expected = policy_then;
    }
    journey.end().await;
}
