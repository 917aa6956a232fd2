//! Any replica answers for any job, also after a restart.

use crate::client::{Events, get, post};
use crate::suite::{Kafka, PATIENCE, Rest, Server, jpeg};
use serde_json::Value;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_replica_and_a_restarted_one_know_the_job() {
    let kafka = Kafka::start().await;
    let (server, other) =
        tokio::join!(Server::ready(kafka.address, &[]), Server::ready(kafka.address, &[]));
    let mut rest = Rest::join(kafka.address).await;
    let image = jpeg();
    let job = post(server.http, "/cameras/gate/frames", &[], image.clone())
        .await
        .header("location")
        .to_owned();

    let pending = get(other.http, &job).await;
    assert_eq!((pending.status, pending.json()["status"].as_str()), (202, Some("pending")));
    get(other.http, &format!("{job}/frame")).await.expect_problem(404, "frame-not-known");
    let long_poll = format!("{job}?wait=15s");
    let (reply, results) = tokio::join!(get(other.http, &long_poll), rest.serve(1));
    assert_eq!(reply.json(), serde_json::to_value(&results[0]).unwrap());
    assert_eq!(get(other.http, &format!("{job}/frame")).await.body, image);
    tokio::join!(server.stop(), other.stop());

    let restarted = Server::ready(kafka.address, &[]).await;
    assert_eq!(get(restarted.http, &job).await.json(), serde_json::to_value(&results[0]).unwrap());
    assert_eq!(get(restarted.http, &format!("{job}/frame")).await.body, image);
    // old results are no news
    let mut events = Events::open(restarted.http, "", None).await;
    let (reply, _) = tokio::join!(
        post(restarted.http, "/inference?wait=15s", &[], image.clone()),
        rest.serve(1)
    );
    assert_eq!(events.ids(1).await, [reply.json()["frame_id"].as_str().unwrap()]);
    restarted.stop().await;
}

/// An answer without what depends on the moment at which it was asked for.
fn lasting(mut told: Value) -> Value {
    for camera in told["cameras"].as_array_mut().into_iter().flatten() {
        camera["last_result"].as_object_mut().unwrap().remove("age_ms");
        camera.as_object_mut().unwrap().remove("age_of_information_ms");
    }
    told
}

/// Results by tier over all seconds; those here never came to a decision.
fn counted(stats: &Value) -> [u64; 3] {
    let seconds = stats["seconds"].as_array().unwrap();
    ["edge", "cloud", "undecided"]
        .map(|tier| seconds.iter().filter_map(|second| second[tier]["done"].as_u64()).sum())
}

/// Waits until a replica has read as many results as this.
async fn until_counted(server: &Server, results: u64) -> Value {
    let counts = async {
        loop {
            let stats = get(server.http, "/stats").await.json();
            if counted(&stats).iter().sum::<u64>() >= results {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, counts).await.expect("it has not read them")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_sees_the_same_whichever_replica_answers() {
    let kafka = Kafka::start().await;
    let (one, two) =
        tokio::join!(Server::ready(kafka.address, &[]), Server::ready(kafka.address, &[]));
    let mut rest = Rest::join(kafka.address).await;
    let mut seen = Events::open(one.http, "", None).await;
    for (server, camera) in [(&one, "gate"), (&two, "yard"), (&one, "gate"), (&two, "gate")] {
        let path = format!("/cameras/{camera}/frames?wait=15s");
        let (reply, _) = tokio::join!(post(server.http, &path, &[], jpeg()), rest.serve(1));
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let ids = seen.ids(4).await;

    let stats = [until_counted(&one, 4).await, until_counted(&two, 4).await];
    assert_eq!(counted(&stats[0]), counted(&stats[1]));
    let cameras = [
        lasting(get(one.http, "/cameras").await.json()),
        lasting(get(two.http, "/cameras").await.json()),
    ];
    assert_eq!(cameras[0], cameras[1]);
    assert_eq!(cameras[0]["total"], 2);
    for id in &ids {
        let job = format!("/jobs/{id}");
        assert_eq!(get(one.http, &job).await.body, get(two.http, &job).await.body);
        let frame = format!("{job}/frame");
        assert_eq!(get(one.http, &frame).await.body, get(two.http, &frame).await.body);
    }
    for server in [&one, &two] {
        let picture = get(server.http, "/cameras/gate/latest.jpg").await;
        assert_eq!((picture.status, picture.header("mlvi-frame-id")), (200, ids[3].as_str()));
    }
    // a page whose replica went away goes on at the other one
    let mut resumed = Events::open(two.http, "", Some(&ids[1])).await;
    assert_eq!(resumed.ids(2).await, ids[2..]);
    // and the second one tells the same after it was started again
    two.stop().await;
    let two = Server::ready(kafka.address, &[]).await;
    assert_eq!(counted(&until_counted(&two, 4).await), counted(&stats[0]));
    assert_eq!(lasting(get(two.http, "/cameras").await.json()), cameras[0]);
    tokio::join!(one.stop(), two.stop());
}
