//! From an upload to its result.

use crate::client::{get, post, post_form};
use crate::suite::{Kafka, Rest, Server, jpeg};
use frame::{Problem, ServedBy, TimingsMs};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_waits_polls_and_reads_its_frame_back() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let image = jpeg();

    // it waits, by the query or by a preference
    let (reply, results) =
        tokio::join!(post_form(server.http, "/inference?wait=15s", &image), rest.serve(1));
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"));
    assert_eq!(reply.json(), serde_json::to_value(&results[0]).unwrap());
    assert!(!reply.headers.contains_key("preference-applied"));
    let prefer = [("prefer", "respond-async, wait=15")];
    let (reply, results) = tokio::join!(
        post(server.http, "/cameras/gate/frames", &prefer, image.clone()),
        rest.serve(1)
    );
    assert_eq!((reply.status, reply.header("preference-applied")), (200, "wait=15"));
    assert_eq!(reply.json()["frame_id"], results[0].frame_id.to_string());

    // a wait that is over is no error
    let reply = post(server.http, "/inference?wait=10ms", &[], image.clone()).await;
    assert_eq!(reply.status, 202);
    let job = reply.header("location").to_owned();
    let trace = reply.header("traceparent").split('-').nth(1).unwrap().to_owned();

    // it polls
    let pending = get(server.http, &job).await;
    assert_eq!((pending.status, pending.json()["status"].as_str()), (202, Some("pending")));
    assert_eq!(pending.json()["camera"], "unnamed");
    assert!(pending.headers.contains_key("retry-after"));
    assert_eq!(get(server.http, &format!("{job}?wait=10ms")).await.status, 202);
    let long_poll = format!("{job}?wait=15s");
    let (reply, results) = tokio::join!(get(server.http, &long_poll), rest.serve(1));
    assert_eq!((reply.status, reply.json()["status"].as_str()), (200, Some("done")));
    assert_eq!(get(server.http, &job).await.json(), serde_json::to_value(&results[0]).unwrap());
    assert_eq!(get(server.http, &job).await.header("mlvi-trace-id"), trace);
    get(server.http, &format!("{job}?wait=61s")).await.expect_problem(400, "invalid-parameter");

    // and reads its frame back
    let frame = get(server.http, &format!("{job}/frame")).await;
    assert_eq!((frame.status, frame.header("content-type")), (200, "image/jpeg"));
    assert_eq!(frame.body, image);

    // each second tells what was answered in it
    let stats = get(server.http, "/stats?since=0").await.json();
    let seconds = stats["seconds"].as_array().unwrap();
    let done = |second: &Value| {
        let of = |tier: &str| second[tier]["done"].as_u64().unwrap_or(0);
        of("edge") + of("cloud") + of("undecided")
    };
    assert_eq!(seconds.iter().map(done).sum::<u64>(), 3, "{stats}");
    get(server.http, "/stats?since=noon").await.expect_problem(400, "invalid-parameter");

    assert_eq!(server.metric("mlvi_frames_accepted_total").await, 3.0);
    assert_eq!(server.metric("mlvi_upload_bytes_total").await, (3 * image.len()) as f64);
    assert_eq!(server.metric("mlvi_pending_frames").await, 0.0);
    assert_eq!(server.metric("mlvi_result_latency_seconds_count{status=\"done\"}").await, 3.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_frame_is_an_error_to_waiters_and_a_state_to_polls() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let fail = async {
        let (_, envelope) = rest.frame().await;
        let problem = Problem::undecodable("the scan breaks off");
        let result = envelope.failed(problem, ServedBy::default(), TimingsMs::default());
        rest.answer(&envelope, &result, None).await;
        envelope
    };
    let (reply, envelope) =
        tokio::join!(post(server.http, "/cameras/gate/frames?wait=15s", &[], jpeg()), fail);
    let problem = reply.expect_problem(422, "undecodable-frame");
    assert_eq!(problem["detail"], "the scan breaks off");
    assert_eq!(problem["frame_id"], envelope.frame_id.to_string());
    assert_eq!((&problem["camera"], &problem["sequence"]), (&"gate".into(), &0.into()));
    assert_eq!(problem["result"]["status"], "failed");
    let job = get(server.http, &format!("/jobs/{}", envelope.frame_id)).await;
    assert_eq!((job.status, job.json()), (200, problem["result"].clone()));

    let expire = async {
        let (_, envelope) = rest.frame().await;
        let result = envelope.expired("the test", ServedBy::default(), TimingsMs::default());
        rest.answer(&envelope, &result, None).await;
    };
    let (reply, ()) =
        tokio::join!(post(server.http, "/inference?wait=15s&deadline=1ms", &[], jpeg()), expire);
    reply.expect_problem(504, "deadline-exceeded");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn index_and_openapi_are_there_and_unknown_ids_are_pending() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    assert_eq!(get(server.http, "/").await.json()["endpoints"]["description"], "GET /openapi.json");
    assert_eq!(get(server.http, "/openapi.json").await.json()["openapi"], "3.1.0");
    let elsewhere = frame::FrameId::fresh();
    assert_eq!(
        get(server.http, &format!("/jobs/{elsewhere}")).await.status,
        202,
        "another replica may have it"
    );
    get(server.http, &format!("/jobs/{elsewhere}/frame"))
        .await
        .expect_problem(404, "frame-not-known");
    server.stop().await;
}
