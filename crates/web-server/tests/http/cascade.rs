//! Frames that go on to the cloud: a provisional answer first, and the better one in the
//! end.

use crate::client::{Events, get, post};
use crate::suite::{Kafka, Rest, Server, jpeg};
use frame::{CameraId, Decision, Destination, FrameId, FrameResult, ServedBy, Status, TimingsMs};
use serde_json::to_value;

const LATE_PROVISIONAL: &str = "mlvi_results_duplicate_total";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_stays_pending_with_the_edges_answer_until_the_final_one() {
    let kafka = Kafka::start().await;
    let (server, other) =
        tokio::join!(Server::ready(kafka.address, &[]), Server::ready(kafka.address, &[]));
    let mut rest = Rest::join(kafka.address).await;
    let mut events = Events::open(other.http, "?camera=gate", None).await;
    let image = jpeg();
    let job = post(server.http, "/cameras/gate/frames", &[], image.clone())
        .await
        .header("location")
        .to_owned();
    let frame = rest.frame().await;
    let provisional = rest.provisional(&frame).await;

    for replica in [&server, &other] {
        let reply = replica.until_provisional(&job).await;
        let ticket = reply.json();
        assert_eq!(
            (&ticket["status"], &ticket["camera"], &ticket["sequence"]),
            (&"pending".into(), &"gate".into(), &0.into())
        );
        assert_eq!(ticket["provisional"], to_value(&provisional).unwrap());
        assert_eq!((reply.header("location"), reply.header("retry-after")), (job.as_str(), "1"));
        let waited = get(replica.http, &format!("{job}?wait=50ms")).await;
        assert_eq!(
            (waited.status, &waited.json()["provisional"]),
            (202, &ticket["provisional"]),
            "a wait is for the final one"
        );
        assert_eq!(
            get(replica.http, &format!("{job}/frame")).await.body,
            image,
            "it is known where the frame is"
        );
    }
    let event = events.next().await.unwrap();
    assert_eq!((event.event.as_str(), event.id.as_str()), ("provisional", ""));
    assert_eq!(serde_json::from_str::<FrameResult>(&event.data).unwrap(), provisional);
    assert_eq!(server.metric("mlvi_pending_frames").await, 1.0);
    assert_eq!(server.metric("mlvi_jobs_held").await, 0.0);

    let long_poll = format!("{job}?wait=15s");
    let (reply, result) = tokio::join!(get(server.http, &long_poll), rest.done(&frame));
    assert_eq!((reply.status, reply.json()), (200, to_value(&result).unwrap()));
    assert_eq!(events.ids(1).await, [result.frame_id.to_string()]);

    // the edge says it once more, because it was stopped before it could remember that it had
    rest.provisional(&frame).await;
    for replica in [&server, &other] {
        replica.until_metric(LATE_PROVISIONAL, 1.0).await;
        assert_eq!(get(replica.http, &job).await.json(), to_value(&result).unwrap());
        assert_eq!(replica.metric("mlvi_results_provisional_total").await, 1.0);
        assert_eq!(replica.metric("mlvi_results_promoted_total").await, 0.0);
    }
    assert_eq!(
        server.metric("mlvi_result_latency_seconds_count{status=\"provisional\"}").await,
        1.0
    );
    tokio::join!(server.stop(), other.stop());
    assert_eq!(events.next().await, None, "nothing more came");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_upload_gets_the_final_or_the_provisional_result() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let answer_twice = async {
        let frame = rest.frame().await;
        rest.provisional(&frame).await;
        server.until_metric("mlvi_results_provisional_total", 1.0).await;
        rest.done(&frame).await
    };
    let (reply, result) =
        tokio::join!(post(server.http, "/inference?wait=15s", &[], jpeg()), answer_twice);
    assert_eq!((reply.status, reply.json()), (200, to_value(&result).unwrap()));

    // a wait that ends before the final one does: here by a shutdown
    let answer_once = async {
        let frame = rest.frame().await;
        let provisional = rest.provisional(&frame).await;
        server.until_metric("mlvi_results_provisional_total", 2.0).await;
        server.shutdown.cancel();
        provisional
    };
    let (reply, provisional) =
        tokio::join!(post(server.http, "/inference?wait=60s", &[], jpeg()), answer_once);
    assert_eq!(
        (reply.status, &reply.json()["provisional"]),
        (202, &to_value(&provisional).unwrap())
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_cloud_fails_the_edges_result_becomes_final() {
    let kafka = Kafka::start().await;
    let (server, other) =
        tokio::join!(Server::ready(kafka.address, &[]), Server::ready(kafka.address, &[]));
    let mut rest = Rest::join(kafka.address).await;
    let mut events = Events::open(server.http, "", None).await;
    let fail = async {
        let frame = rest.frame().await;
        let provisional = rest.provisional(&frame).await;
        rest.fail(&frame).await;
        provisional
    };
    let (reply, provisional) =
        tokio::join!(post(server.http, "/cameras/gate/frames?wait=15s", &[], jpeg()), fail);
    let promoted = to_value(FrameResult { status: Status::Done, ..provisional }).unwrap();
    assert_eq!((reply.status, reply.json()), (200, promoted.clone()));
    assert!(promoted.get("error").is_none());
    let job = format!("/jobs/{}", promoted["frame_id"].as_str().unwrap());
    assert_eq!(get(other.http, &format!("{job}?wait=15s")).await.json(), promoted);
    assert_eq!(events.next().await.unwrap().event, "provisional");
    let event = events.next().await.unwrap();
    assert_eq!(
        (event.event.as_str(), serde_json::from_str(&event.data).unwrap()),
        ("result", promoted.clone())
    );
    assert_eq!(server.metric("mlvi_results_promoted_total").await, 1.0);
    assert_eq!(server.metric("mlvi_result_latency_seconds_count{status=\"done\"}").await, 1.0);

    // a replica that starts later reads both, and a provisional answer that still stands alone
    let second =
        post(server.http, "/cameras/gate/frames", &[], jpeg()).await.header("location").to_owned();
    let frame = rest.frame().await;
    let standing = rest.provisional(&frame).await;
    server.until_provisional(&second).await;
    tokio::join!(server.stop(), other.stop());
    let restarted = Server::ready(kafka.address, &[]).await;
    assert_eq!(get(restarted.http, &job).await.json(), promoted);
    assert_eq!(
        restarted.until_provisional(&second).await.json()["provisional"],
        to_value(&standing).unwrap()
    );
    rest.fail(&frame).await;
    let reply = get(restarted.http, &format!("{second}?wait=15s")).await;
    assert_eq!(
        (reply.status, reply.json()),
        (200, to_value(FrameResult { status: Status::Done, ..standing }).unwrap())
    );
    restarted.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_cloud_is_silent_the_edges_result_becomes_final() {
    let kafka = Kafka::start().await;
    // long enough for the edge's answer on any machine
    let settings = [("MLVI_JOB_TIMEOUT", "4s"), ("MLVI_MAX_PENDING_FRAMES", "1")];
    let (server, other) = tokio::join!(
        Server::ready(kafka.address, &settings),
        Server::ready(kafka.address, &settings)
    );
    let mut rest = Rest::join(kafka.address).await;
    let answer = async {
        let frame = rest.frame().await;
        rest.provisional(&frame).await
    };
    let (reply, provisional) =
        tokio::join!(post(server.http, "/inference?wait=15s", &[], jpeg()), answer);
    let job = format!("/jobs/{}?wait=15s", provisional.frame_id);
    let promoted = to_value(FrameResult { status: Status::Done, ..provisional }).unwrap();
    assert_eq!((reply.status, reply.json()), (200, promoted.clone()));
    assert_eq!(get(other.http, &job).await.json(), promoted);
    assert_eq!(server.metric("mlvi_results_promoted_total").await, 1.0);
    assert_eq!(
        post(server.http, "/inference", &[], jpeg()).await.status,
        202,
        "there is room again"
    );
    tokio::join!(server.stop(), other.stop());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_equals_an_earlier_one_is_an_answer_and_no_error() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let (camera, earlier): (CameraId, _) = ("gate".parse().unwrap(), FrameId::fresh());
    let skip = async {
        let (_, envelope) = rest.frame().await;
        assert_eq!(envelope.camera, camera);
        let decision = Decision::new(Destination::Edge, "no-motion", "alternate");
        let result = envelope.skipped(earlier, decision, ServedBy::default(), TimingsMs::default());
        rest.answer(&envelope, &result, None).await;
        result
    };
    let (reply, result) =
        tokio::join!(post(server.http, "/cameras/gate/frames?wait=15s", &[], jpeg()), skip);
    assert_eq!((reply.status, reply.json()), (200, to_value(&result).unwrap()));
    assert_eq!(
        (&reply.json()["status"], &reply.json()["same_as"]),
        (&"skipped".into(), &earlier.to_string().into())
    );
    server.stop().await;
}
