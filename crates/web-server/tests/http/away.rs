//! The broker is away, and the server itself goes.

use crate::client::{get, post};
use crate::suite::{Kafka, Rest, Server, jpeg};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_broker_is_away_uploads_get_503() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let (reply, _) =
        tokio::join!(post(server.http, "/inference?wait=15s", &[], jpeg()), rest.serve(1));
    let job = format!("/jobs/{}", reply.json()["frame_id"].as_str().unwrap());

    let place = kafka.stop().await;
    server.until_ready(false).await;
    let ready = get(server.admin, "/readyz").await;
    let text = String::from_utf8_lossy(&ready.body);
    assert_eq!(ready.status, 200, "the Service keeps its endpoint: {text}");
    assert!(text.contains("without    broker: "), "it says why: {text}");
    let problem =
        post(server.http, "/inference", &[], jpeg()).await.expect_problem(503, "broker-away");
    assert!(
        text.contains(
            problem["detail"].as_str().unwrap().trim_start_matches("the broker is away: ")
        ),
        "{problem} {text}"
    );
    assert_eq!(get(server.admin, "/livez").await.status, 200);
    assert_eq!(get(server.http, &job).await.status, 200, "what is known stays known");

    let kafka = Kafka::again(place).await;
    server.until_ready(true).await;
    let (reply, _) =
        tokio::join!(post(server.http, "/inference?wait=15s", &[], jpeg()), rest.serve(1));
    assert_eq!(reply.status, 200);
    server.stop().await;
    kafka.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_before_its_broker_waits_for_it() {
    let place = Kafka::start().await.stop().await;
    let server = Server::start(place.1.address(), &[]);
    let not_yet = async {
        while !String::from_utf8_lossy(&get(server.admin, "/readyz").await.body)
            .contains("not ready  broker: ")
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), not_yet).await.unwrap();
    assert_eq!(get(server.admin, "/readyz").await.status, 503, "it was never ready");
    post(server.http, "/inference", &[], jpeg()).await.expect_problem(503, "broker-away");
    get(server.http, "/results").await.expect_problem(503, "starting");
    let _kafka = Kafka::again(place).await;
    server.until_ready(true).await;
    assert_eq!(post(server.http, "/inference", &[], jpeg()).await.status, 202);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_shutdown_who_waits_is_told_where_to_ask() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[("MLVI_DRAIN", "10m")]).await;
    let mut rest = Rest::join(kafka.address).await;
    let shutdown = server.shutdown.clone();
    let go = async {
        rest.frame().await;
        shutdown.cancel();
    };
    // connections on which nothing happens do not hold it up
    let silent = std::net::TcpStream::connect(server.http).unwrap();
    let (reply, ()) = tokio::join!(post(server.http, "/inference?wait=60s", &[], jpeg()), go);
    assert_eq!((reply.status, reply.json()["status"].as_str()), (202, Some("pending")));
    server.stop().await;
    drop(silent);
}
