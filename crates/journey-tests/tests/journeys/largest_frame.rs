//! Frames of 8 MiB, and one byte more.

use frame::{Destination, MAX_FRAME_BYTES, Status, Timestamp};
use frame_bus::TailEvent;
use journey_tests::{Journey, jpeg_of_size, kafka};
use std::collections::HashSet;
use std::time::Duration;

/// The preprocessor encodes a frame anew at the quality that it had, or a little less where it
/// would not fit any more.
const NEARLY: usize = MAX_FRAME_BYTES * 3 / 4;

async fn largest_frames_on(kafka: Option<String>) {
    let (largest, quality) = jpeg_of_size("coffee.jpg", MAX_FRAME_BYTES);
    let journey = Journey::start_on(kafka, |config| {
        config
            .with("MLVI_POLICY", "alternate")
            // otherwise the edge gets it at the size of its network
            .with("MLVI_EDGE_FORM", "jpeg")
            .with("MLVI_SHARPNESS", "1.0")
            .with("MLVI_JPEG_QUALITY", quality)
    })
    .await;
    let destinations = journey
        .client_does(move |client| {
            let infer = || {
                let result = client
                    .post("/cameras/gate/frames?wait=60s", &largest)
                    .unwrap()
                    .result()
                    .unwrap();
                assert_eq!(result.status, Status::Done, "{result:?}");
                assert!(result.detections.iter().any(|found| found.class == "cup"), "{result:?}");
                let kept = client.get_bytes(&format!("/jobs/{}/frame", result.frame_id)).unwrap();
                assert!(kept == largest, "the very bytes that were uploaded");
                result.decision.unwrap().destination
            };
            let destinations = HashSet::from([infer(), infer()]);
            let multipart = client.post_multipart("/inference?wait=60s", &largest).unwrap();
            assert_eq!(multipart.status, 200, "{multipart:?}");

            let (too_large, _) = jpeg_of_size("coffee.jpg", MAX_FRAME_BYTES + 1);
            for answer in [
                client.post("/inference", &too_large),
                client.post_multipart("/inference", &too_large),
            ] {
                let answer = answer.unwrap();
                assert_eq!(
                    (answer.status, &answer.body["status"]),
                    (413, &413.into()),
                    "{answer:?}"
                );
            }

            // what cannot be decoded goes to the dead letters as a whole, with more headers than it
            // came with
            let mut broken = largest;
            let from = broken.len() - 1_000_000;
            broken[from..].iter_mut().for_each(|byte| *byte = 0xFF);
            broken.splice(MAX_FRAME_BYTES - 2.., [0xFF, 0xD9]);
            let failed = client.post("/inference?wait=60s", &broken).unwrap();
            assert_eq!(failed.status, 422, "{failed:?}");
            destinations
        })
        .await;
    assert_eq!(destinations, HashSet::from([Destination::Edge, Destination::Cloud]));

    let groups = journey.groups();
    let topics = groups.topics();
    for (topic, messages) in
        [(&topics.frames_edge, 1), (&topics.frames_cloud, 1), (&topics.dead_letter, 1)]
    {
        let sizes = sizes_on(groups.bus(), topic).await;
        assert!(
            sizes.len() >= messages && sizes.iter().all(|size| *size >= NEARLY),
            "{topic}: {sizes:?} bytes"
        );
    }
    journey.end().await;
}

/// The size of every message that is on the topic, in bytes.
async fn sizes_on(bus: &frame_bus::Bus, topic: &str) -> Vec<usize> {
    let mut tail = bus.tail(topic, Timestamp::from_micros(0)).unwrap();
    let mut sizes = Vec::new();
    loop {
        let event = tokio::time::timeout(Duration::from_secs(60), tail.recv())
            .await
            .expect("the topic can be read");
        match event.unwrap() {
            TailEvent::Message(message) => sizes.push(message.payload.len()),
            TailEvent::CaughtUp => return sizes,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_mebibytes_pass_and_a_byte_more_does_not() {
    largest_frames_on(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_mebibytes_pass_over_apache_kafka() {
    if let some @ Some(_) = kafka() {
        largest_frames_on(some).await;
    }
}
