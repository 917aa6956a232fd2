//! Masks and zones are set over HTTP while the suite runs, with the real model.

use frame::FrameResult;
use journey_tests::{Client, Journey, photo};
use mlvi::suite::UnitKind;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// The cup of the photo, with some room around it.
const CUP: &str = "[[0.2,0.0],[0.8,0.0],[0.8,0.85],[0.2,0.85]]";
/// Where it stands.
const TABLE: &str = "[[0.0,0.6],[1.0,0.6],[1.0,1.0],[0.0,1.0]]";
const ELSEWHERE: &str = "[[0.0,0.0],[0.1,0.0],[0.1,0.1]]";

/// Sends the photo until what the preprocessor makes of it is as wanted: a change takes a moment.
fn until(client: &Client, what: &str, is_so: impl Fn(&FrameResult) -> bool) -> FrameResult {
    let started = Instant::now();
    loop {
        let path = "/cameras/gate/frames?wait=60s";
        let result = client.post(path, &photo("coffee.jpg")).unwrap().result().unwrap();
        if is_so(&result) {
            return result;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: {result:?}");
    }
}

fn is_cup(result: &FrameResult) -> bool {
    result.detections.iter().any(|found| found.class == "cup")
}

/// The brightest byte around the middle of a picture.
fn brightest(client: &Client, path: &str) -> u8 {
    let bytes = client.get_bytes(path).unwrap();
    let picture = vision::decode(&bytes, &vision::Limits::default()).unwrap();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.data().as_chunks::<3>().0;
    let middle = pixels[height / 2 * width..][width * 2 / 5..width * 3 / 5].iter();
    middle.flatten().copied().max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_is_not_found_and_what_is_in_a_zone_is_named() {
    let journey = Journey::start_on(None, |config| {
        config.with_unit(UnitKind::WebServer, "MLVI_SETTINGS_CHANGES", "on")
    })
    .await;
    journey
        .client_does(|client| {
            let plain = until(&client, "nothing is set", is_cup);
            assert!(plain.detections.iter().all(|found| found.zones.is_none()), "{plain:?}");

            let zones = format!(
                "{{\"zones\":[{{\"name\":\"table\",\"points\":{TABLE}}},\
                 {{\"name\":\"corner\",\"points\":{ELSEWHERE}}}]}}"
            );
            assert_eq!(client.put_regions("gate", &zones).unwrap().status, 200);
            let named = |result: &FrameResult| {
                is_cup(result)
                    && result.detections.iter().all(|found| {
                        found.class != "cup" || found.zones == Some(vec!["table".into()])
                    })
            };
            // from both tiers
            for _ in 0..2 {
                until(&client, "the cup is in a zone", named);
            }

            let picture = format!("/jobs/{}/annotated?boxes=0", plain.frame_id);
            let upload = format!("/jobs/{}/frame", plain.frame_id);
            assert!(brightest(&client, &picture) > 60 && brightest(&client, &upload) > 60);
            let masks = format!("{{\"masks\":[{{\"name\":\"the cup\",\"points\":{CUP}}}]}}");
            assert_eq!(client.put_regions("gate", &masks).unwrap().status, 200);
            for _ in 0..2 {
                until(&client, "the cup is masked", |result| !is_cup(result));
            }
            // also in what was uploaded before
            for path in [&*picture, &upload, "/cameras/gate/latest.jpg?boxes=0"] {
                assert!(brightest(&client, path) < 4, "{path}");
            }
            assert_eq!(client.put_regions("gate", "{\"masks\":1}").unwrap().status, 422);
            assert_eq!(client.put_regions("gate", "{}").unwrap().status, 200);
            until(&client, "nothing is set", is_cup);
        })
        .await;
    journey.end().await;
}
