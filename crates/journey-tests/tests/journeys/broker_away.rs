//! The broker stops in the middle and comes back.

use frame::Status;
use journey_tests::{Journey, photo};
use mlvi::suite::UnitKind;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

async fn readyz(journey: &Journey, kind: UnitKind) -> u16 {
    let url = format!("http://{}/readyz", journey.suite.admin(kind));
    let ask = move || {
        let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
        agent.get(url).call().unwrap().status().as_u16()
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

async fn all_become(journey: &Journey, status: u16) {
    let started = Instant::now();
    for kind in UnitKind::ALL {
        while readyz(journey, kind).await != status {
            assert!(started.elapsed() < PATIENCE, "{kind} does not become {status}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_is_lost_while_the_broker_is_away() {
    let mut journey = Journey::start(|config| config).await;
    let send = |count: usize| {
        let client = journey.client();
        tokio::task::spawn_blocking(move || {
            let image = photo("camera.jpg");
            let post =
                |index| client.post_until_accepted(&format!("/cameras/cam-{}/frames", index % 4), &image, PATIENCE).unwrap();
            (0..count).map(post).collect::<Vec<_>>()
        })
    };
    let mut accepted = send(15).await.unwrap();
    journey.suite.stop_broker().await.unwrap();
    all_become(&journey, 503).await;
    let refused = journey.client_does(|client| client.post("/inference", &photo("camera.jpg")).unwrap()).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let sending = {
        let client = journey.client();
        tokio::task::spawn_blocking(move || {
            client.post_until_accepted("/cameras/cam-0/frames", &photo("camera.jpg"), PATIENCE).unwrap()
        })
    };
    journey.suite.start_broker().await.unwrap();
    all_become(&journey, 200).await;
    accepted.push(sending.await.unwrap());
    accepted.extend(
        journey
            .client_does(|client| {
                let image = photo("camera.jpg");
                let post = |_| client.post_until_accepted("/cameras/cam-1/frames", &image, PATIENCE).unwrap();
                (0..5).map(post).collect::<Vec<_>>()
            })
            .await,
    );
    let results = journey
        .client_does(move |client| accepted.into_iter().map(|id| client.ended(id, PATIENCE).unwrap()).collect::<Vec<_>>())
        .await;
    assert_eq!(results.len(), 21);
    assert!(results.iter().all(|result| result.status == Status::Done), "{results:?}");
    journey.end().await;
}
