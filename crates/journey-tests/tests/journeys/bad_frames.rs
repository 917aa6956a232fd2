//! Corrupt frames among good ones.

use frame::Status;
use journey_tests::{Journey, photo};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A JPEG whose markers are whole but whose pixels break off in the middle: the intake cannot see
/// that.
fn broken_inside(jpeg: &[u8]) -> Vec<u8> {
    let mut broken = jpeg[..jpeg.len() / 2].to_vec();
    broken.extend_from_slice(&[0xFF, 0xD9]);
    broken
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_upload_gets_its_own_answer() {
    let journey = Journey::start(|config| config.with("MLVI_MAX_PIXELS", 1_000_000)).await;
    journey
        .client_does(|client| {
            let coffee = photo("coffee.jpg");
            let too_large = vec![0xFF; frame::MAX_FRAME_BYTES + 1];
            let cut = &coffee[..coffee.len() / 2];
            let cases: [(&str, &[u8], u16); 5] = [
                ("empty", b"", 400),
                ("text", b"hello, I am not an image", 415),
                ("truncated", cut, 422),
                ("8 MiB and a byte", &too_large, 413),
                ("a broken header", b"\xFF\xD8\xFF\xE0nothing more\xFF\xD9", 422),
            ];
            for (name, body, status) in cases {
                let answer = client.post("/inference?wait=10s", body).unwrap();
                assert_eq!(answer.status, status, "{name}: {answer:?}");
                assert_eq!(
                    answer.body["status"], status,
                    "{name}: a problem document, not {answer:?}"
                );
            }
            assert_eq!(
                client.get("/jobs/0198c0de-0000-7000-8000-000000000000").unwrap().status,
                404
            );
            assert_eq!(client.get("/jobs/not-an-id").unwrap().status, 404);
        })
        .await;
    journey.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt_frames_fail_and_good_ones_among_them_succeed() {
    let journey = Journey::start(|config| config).await;
    let results = journey
        .client_does(|client| {
            let good = photo("coffee.jpg");
            let bad = broken_inside(&good);
            let ids: Vec<_> = (0..12)
                .map(|index| {
                    let image = if index % 3 == 1 { &bad } else { &good };
                    client
                        .post(&format!("/cameras/mixed/frames?sequence={index}"), image)
                        .unwrap()
                        .accepted()
                        .unwrap()
                })
                .collect();
            ids.into_iter().map(|id| client.ended(id, PATIENCE).unwrap()).collect::<Vec<_>>()
        })
        .await;
    for result in &results {
        if result.sequence % 3 == 1 {
            assert_eq!(result.status, Status::Failed, "{result:?}");
            assert_eq!(result.error.as_ref().unwrap().status, 422);
        } else {
            assert_eq!(result.status, Status::Done, "{result:?}");
            assert!(result.detections.iter().any(|found| found.class == "cup"));
        }
    }
    let waited = journey
        .client_does(|client| {
            client
                .post("/cameras/mixed/frames?wait=30s", &broken_inside(&photo("coffee.jpg")))
                .unwrap()
        })
        .await;
    assert_eq!(waited.status, 422, "one who waits gets the problem, never a 200: {waited:?}");
    journey.end().await;
}
