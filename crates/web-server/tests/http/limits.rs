//! What is bounded, and what happens at the bound.

use crate::client::{get, post};
use crate::suite::{Kafka, Rest, Server, jpeg};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_frames_on_their_way_get_429_until_a_result_makes_room() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[("MLVI_MAX_PENDING_FRAMES", "2")]).await;
    let mut rest = Rest::join(kafka.address).await;
    let first = post(server.http, "/inference", &[], jpeg()).await.json()["location"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(post(server.http, "/inference", &[], jpeg()).await.status, 202);
    post(server.http, "/inference", &[], jpeg())
        .await
        .expect_problem(429, "too-many-pending-frames");
    assert_eq!(server.metric("mlvi_pending_frames").await, 2.0);
    rest.serve(2).await;
    assert_eq!(get(server.http, &format!("{first}?wait=15s")).await.status, 200);
    assert_eq!(post(server.http, "/inference", &[], jpeg()).await.status, 202);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_without_a_result_expires_on_every_replica() {
    let kafka = Kafka::start().await;
    let settings = [("MLVI_JOB_TIMEOUT", "200ms"), ("MLVI_MAX_PENDING_FRAMES", "1")];
    let (server, other) = tokio::join!(
        Server::ready(kafka.address, &settings),
        Server::ready(kafka.address, &settings)
    );
    let mut rest = Rest::join(kafka.address).await;
    let reply = post(server.http, "/cameras/gate/frames?wait=15s", &[], jpeg()).await;
    let problem = reply.expect_problem(504, "no-result");
    let job = format!("/jobs/{}?wait=15s", problem["frame_id"].as_str().unwrap());
    for replica in [&server, &other] {
        let state = get(replica.http, &job).await;
        assert_eq!((state.status, state.json()["status"].as_str()), (200, Some("expired")));
    }

    // the result comes after all: it is counted, not shown
    let late = rest.frame().await;
    rest.done(&late).await;
    let until_counted = async {
        while server.metric("mlvi_results_duplicate_total").await < 1.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), until_counted).await.unwrap();
    assert_eq!(get(server.http, &job).await.json()["status"], "expired");
    assert_eq!(
        post(server.http, "/inference", &[], jpeg()).await.status,
        202,
        "there is room again"
    );
    tokio::join!(server.stop(), other.stop());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_are_gone_when_they_are_too_many_or_too_old() {
    let kafka = Kafka::start().await;
    let settings = [("MLVI_MAX_JOBS", "10"), ("MLVI_JOB_TTL", "3s"), ("MLVI_JOB_TIMEOUT", "3s")];
    let server = Server::ready(kafka.address, &settings).await;
    let mut rest = Rest::join(kafka.address).await;
    let mut jobs = Vec::new();
    for _ in 0..11 {
        let (reply, _) =
            tokio::join!(post(server.http, "/inference?wait=15s", &[], jpeg()), rest.serve(1));
        jobs.push(format!("/jobs/{}", reply.json()["frame_id"].as_str().unwrap()));
    }
    get(server.http, &jobs[0]).await.expect_problem(410, "job-gone");
    assert_eq!(get(server.http, &jobs[10]).await.status, 200);
    let until_gone = async {
        while get(server.http, &jobs[10]).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), until_gone).await.unwrap();
    get(server.http, &jobs[10]).await.expect_problem(410, "job-gone");
    server.stop().await;
}
