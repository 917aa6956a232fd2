//! The broker is away, and the server itself goes.

use crate::client::{get, post};
use crate::suite::{Kafka, Rest, Server, jpeg};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_broker_uploads_get_503_and_the_unit_is_alive_but_not_ready() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let (reply, _) = tokio::join!(post(server.http, "/inference?wait=15s", &[], jpeg()), rest.serve(1));
    let job = format!("/jobs/{}", reply.json()["frame_id"].as_str().unwrap());

    let place = kafka.stop().await;
    server.until_ready(false).await;
    post(server.http, "/inference", &[], jpeg()).await.expect_problem(503, "broker-away");
    assert_eq!(get(server.admin, "/livez").await.status, 200);
    assert_eq!(get(server.http, &job).await.status, 200, "what is known stays known");

    let kafka = Kafka::again(place).await;
    server.until_ready(true).await;
    let (reply, _) = tokio::join!(post(server.http, "/inference?wait=15s", &[], jpeg()), rest.serve(1));
    assert_eq!(reply.status, 200);
    server.stop().await;
    kafka.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_before_its_broker_waits_for_it() {
    let place = Kafka::start().await.stop().await;
    let server = Server::start(place.1, &[]);
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
