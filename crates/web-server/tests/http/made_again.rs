//! A topic is deleted and made again under a running server.

use crate::client::{get, post};
use crate::suite::{Kafka, Rest, Server, jpeg};
use frame::Topics;
use frame_bus::topic_specs;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

async fn readiness(server: &Server) -> String {
    String::from_utf8(get(server.admin, "/readyz").await.body).unwrap()
}

/// Asks for the readiness until this stands in it.
async fn until_it_says(server: &Server, words: &str) {
    let wait = async {
        while !readiness(server).await.contains(words) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), wait).await.is_ok();
    assert!(in_time, "{words:?} is not in: {}", readiness(server).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_gets_its_result_when_the_results_are_made_again() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let topics = Topics::default();
    let admin: AdminClient<DefaultClientContext> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", kafka.address.to_string())
        .create()
        .unwrap();
    // one camera, one partition: the offsets of the new log pass those of the old one
    let upload = "/cameras/gate/frames?wait=15s";
    for (frames, missing_for) in
        [(1, Duration::from_secs(6)), (3, Duration::ZERO), (5, Duration::ZERO)]
    {
        for _ in 0..frames {
            let (reply, _) = tokio::join!(post(server.http, upload, &[], jpeg()), rest.serve(1));
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        let deleted = admin.delete_topics(&[&topics.results], &AdminOptions::new()).await.unwrap();
        assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
        if !missing_for.is_zero() {
            until_it_says(
                &server,
                "topics: topic 'mlvi.results' is not there: make it with `mlvi topics create`",
            )
            .await;
            post(server.http, "/inference", &[], jpeg()).await.expect_problem(503, "broker-away");
            tokio::time::sleep(missing_for).await;
        }
        rest.bus.ensure_topics(&topic_specs(&topics, 2), &CancellationToken::new()).await.unwrap();
        until_it_says(&server, "ready      topics").await;
    }
    for _ in 0..2 {
        let (reply, _) = tokio::join!(post(server.http, upload, &[], jpeg()), rest.serve(1));
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    server.stop().await;
    kafka.stop().await;
}
