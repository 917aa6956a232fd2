//! Many cameras at once.

use frame::{Destination, FrameResult, Status};
use journey_tests::{Journey, kafka, photo};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

const CAMERAS: usize = 8;
const FRAMES: u64 = 10;
const PATIENCE: Duration = Duration::from_secs(120);

async fn eight_cameras_on(kafka: Option<String>) {
    let journey = Journey::start_on(kafka, |config| {
        config.with("MLVI_POLICY", "ratio").with("MLVI_CLOUD_SHARE", "0.3")
    })
    .await;
    let results = journey
        .client_does(|client| {
            let watch = client.watch().unwrap();
            let image = photo("camera.jpg");
            let mut accepted = HashSet::new();
            std::thread::scope(|scope| {
                let cameras: Vec<_> = (0..CAMERAS)
                    .map(|camera| {
                        let (client, image) = (client.clone(), &image);
                        scope.spawn(move || {
                            let send = |sequence| {
                                let path =
                                    format!("/cameras/gate-{camera}/frames?sequence={sequence}");
                                client.post_until_accepted(&path, image, PATIENCE).unwrap()
                            };
                            (0..FRAMES).map(send).collect::<Vec<_>>()
                        })
                    })
                    .collect();
                accepted.extend(cameras.into_iter().flat_map(|camera| camera.join().unwrap()));
            });
            let results = watch.take(accepted.len(), PATIENCE).unwrap();
            assert_eq!(
                results.iter().map(|result| result.frame_id).collect::<HashSet<_>>(),
                accepted,
                "each frame exactly once"
            );
            assert!(watch.rest().is_empty());
            results
        })
        .await;
    assert_eq!(results.len(), CAMERAS * FRAMES as usize);
    assert!(results.iter().all(|result| result.status == Status::Done));
    in_order_per_camera_and_tier(&results);
    let to_cloud =
        results.iter().filter(|result| destination(result) == Destination::Cloud).count();
    let due = results.len() * 3 / 10;
    assert!(
        to_cloud.abs_diff(due) <= 1,
        "{to_cloud} of {} went to the cloud, {due} were due",
        results.len()
    );
    journey.end().await;
}

fn destination(result: &FrameResult) -> Destination {
    result.decision.as_ref().unwrap().destination
}

/// The two tiers are not ordered among themselves: that is what sending a frame elsewhere means.
fn in_order_per_camera_and_tier(results: &[FrameResult]) {
    let mut last: HashMap<(String, Destination), u64> = HashMap::new();
    for result in results {
        let lane = (result.camera.to_string(), destination(result));
        if let Some(before) = last.insert(lane.clone(), result.sequence) {
            assert!(before < result.sequence, "{lane:?}: {before} came before {}", result.sequence);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_cameras_keep_their_order_and_lose_nothing() {
    eight_cameras_on(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_cameras_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        eight_cameras_on(some).await;
    }
}
