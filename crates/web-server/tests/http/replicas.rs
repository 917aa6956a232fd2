//! Any replica answers for any job, also after a restart.

use crate::client::{Events, get, post};
use crate::suite::{Kafka, Rest, Server, jpeg};

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
