//! Results as they come.

use crate::client::{Events, post};
use crate::suite::{Kafka, Rest, Server, jpeg};
use std::collections::HashSet;

async fn upload(server: &Server, camera: &str) -> String {
    let reply = post(server.http, &format!("/cameras/{camera}/frames"), &[], jpeg()).await;
    reply.json()["frame_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_result_comes_once_however_often_it_is_published() {
    let kafka = Kafka::start().await;
    let server = Server::ready(kafka.address, &[]).await;
    let mut rest = Rest::join(kafka.address).await;
    let (mut all, mut yard) = (
        Events::open(server.http, "", None).await,
        Events::open(server.http, "?camera=yard", None).await,
    );
    let mut sent = Vec::new();
    for camera in ["gate", "yard", "gate", "yard", "gate"] {
        let id = upload(&server, camera).await;
        let frame = rest.frame().await;
        for _ in 0..3 {
            rest.done(&frame).await;
        }
        sent.push((camera, id));
    }
    let seen = all.ids(5).await;
    let expected: HashSet<&str> = sent.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(seen.iter().map(String::as_str).collect::<HashSet<_>>(), expected);
    let of_yard: Vec<&str> =
        sent.iter().filter(|(camera, _)| *camera == "yard").map(|(_, id)| id.as_str()).collect();
    assert_eq!(yard.ids(2).await, of_yard, "one camera's results stay in order");

    // it goes on behind the last event that was seen
    let mut resumed = Events::open(server.http, "", Some(&seen[2])).await;
    assert_eq!(resumed.ids(2).await, seen[3..]);

    // and nothing more comes until the server ends the streams
    assert_eq!(server.metric("mlvi_result_streams").await, 3.0);
    server.stop().await;
    for stream in [&mut all, &mut yard, &mut resumed] {
        assert_eq!(stream.next().await, None);
    }
}
