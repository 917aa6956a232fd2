//! Frames that go through two tiers, and frames that are left to another tier.

use crate::stage::{BLUE, GREY, Moody, PATIENCE, RED, Stage, WHITE, envelope, jpeg, next};
use frame::Destination::{Cloud, Edge};
use frame::{Envelope, Status, Timestamp};

const HARD_BELOW_0_6: &str = "max-confidence<0.6,empty=hard";

fn with_escalation(camera: &str, sequence: u64, escalation: &str) -> Envelope {
    let mut envelope = envelope(camera, sequence);
    envelope.prepared.as_mut().unwrap().escalation = Some(escalation.into());
    envelope
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_frame_is_provisional_until_the_cloud_ends_it() {
    let mut stage = Stage::set().await;
    let edge = stage.run_for(Edge, &Moody::new(), &[]);
    let (sent, payload) = (with_escalation("gate", 7, HARD_BELOW_0_6), jpeg(GREY));
    stage.send(&sent, payload.clone()).await;
    let message = next(&mut stage.results, 1).await.remove(0);
    let provisional: frame::FrameResult = serde_json::from_slice(&message.payload).unwrap();
    assert_eq!(
        (provisional.frame_id, provisional.status, provisional.attempt),
        (sent.frame_id, Status::Provisional, Some(1))
    );
    assert_eq!(
        (provisional.detections.len(), provisional.decision.unwrap().destination),
        (1, Edge)
    );
    let measured = provisional.hardness.unwrap();
    assert!(measured.score.unwrap() > 0.4 && !measured.features.is_empty(), "{measured:?}");
    assert!(message.headers.iter().any(|(name, _)| name == frame::headers::FRAME_ID));

    let mut to_the_cloud =
        stage.bus.tail(&stage.topics.frames_cloud, Timestamp::from_micros(0)).unwrap();
    let message = next(&mut to_the_cloud, 1).await.remove(0);
    assert_eq!((message.payload.clone(), message.key.clone()), (payload, Some(b"gate".to_vec())));
    let sent_on = message.envelope().unwrap();
    let (before, after) = (sent.prepared.unwrap(), sent_on.prepared.unwrap());
    assert_eq!((sent_on.frame_id, sent_on.sequence, after.attempt), (sent.frame_id, 7, 2));
    assert_eq!((after.provisional, after.escalation, after.answer_by), (true, None, None));
    assert_eq!(
        (after.decision.destination, after.decision.reason.as_str()),
        (Cloud, "hard-example")
    );
    assert_eq!(
        (after.decision.policy, after.decided_at),
        (before.decision.policy, before.decided_at)
    );
    assert_eq!(sent_on.traceparent.trace_id(), sent.traceparent.trace_id());
    assert!(sent_on.sent_at > sent.sent_at);

    // the cloud does not escalate
    let cloud = stage.run_for(Cloud, &Moody::new(), &[]);
    let result = stage.results(1).await.remove(0);
    assert_eq!(
        (result.frame_id, result.status, result.attempt, result.hardness),
        (sent.frame_id, Status::Done, Some(2), None)
    );
    assert_eq!(
        (result.decision.unwrap().destination, result.served_by.unit.as_str()),
        (Cloud, "cloud-inference")
    );

    assert_eq!(edge.metric("mlvi_inference_frames_total{status=\"provisional\"}"), 1.0);
    assert_eq!(edge.metric("mlvi_inference_escalations_total{verdict=\"hard\"}"), 1.0);
    edge.stop().await;
    cloud.stop().await;
    assert_eq!((stage.unfinished(Edge).await, stage.unfinished(Cloud).await), (0, 0));
    assert_eq!(stage.all(&stage.topics.results).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_hard_ends_at_the_edge() {
    let mut stage = Stage::set().await;
    let edge = stage.run_for(Edge, &Moody::new(), &[]);
    let mut expired = with_escalation("gate", 4, HARD_BELOW_0_6);
    expired.deadline = Some(Timestamp::from_micros(1));
    stage.send(&with_escalation("gate", 0, HARD_BELOW_0_6), jpeg(BLUE)).await;
    stage.send(&envelope("gate", 1), jpeg(GREY)).await;
    stage.send(&with_escalation("gate", 2, "rather difficult"), jpeg(GREY)).await;
    stage.send(&with_escalation("gate", 3, HARD_BELOW_0_6), jpeg(RED)).await;
    stage.send(&expired, jpeg(GREY)).await;
    let results = stage.results(5).await;
    let ends: Vec<(u64, Status)> =
        results.iter().map(|result| (result.sequence, result.status)).collect();
    let expected = [Status::Done, Status::Done, Status::Done, Status::Failed, Status::Expired];
    assert_eq!(ends, (0..).zip(expected).collect::<Vec<_>>());
    assert_eq!(edge.metric("mlvi_inference_escalations_total{verdict=\"easy\"}"), 1.0);
    assert_eq!(edge.metric("mlvi_inference_escalations_total{verdict=\"unreadable\"}"), 1.0);
    edge.stop().await;
    assert_eq!(stage.all(&stage.topics.frames_cloud).await, []);
    assert_eq!(stage.unfinished(Edge).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloud_never_escalates() {
    let mut stage = Stage::set().await;
    let cloud = stage.run_for(Cloud, &Moody::new(), &[]);
    stage.send_to(Cloud, &with_escalation("gate", 0, HARD_BELOW_0_6), jpeg(GREY)).await;
    assert_eq!(stage.results(1).await[0].status, Status::Done);
    cloud.stop().await;
    assert_eq!(stage.all(&stage.topics.frames_cloud).await.len(), 1, "it was sent by the test");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provisional_result_is_safe_before_the_cloud_gets_it() {
    let stage = Stage::set().await;
    // the edge finds so much that its result fits into no message
    let edge = stage.run_for(Edge, &Moody::new(), &[]);
    stage.send(&with_escalation("gate", 0, HARD_BELOW_0_6), jpeg(WHITE)).await;
    let ended = tokio::time::timeout(PATIENCE, edge.task).await.unwrap().unwrap();
    assert!(ended.unwrap_err().to_string().contains("could not go on"));
    assert_eq!(stage.all(&stage.topics.results).await, []);
    assert_eq!(stage.all(&stage.topics.frames_cloud).await, []);
    assert_eq!(stage.unfinished(Edge).await, 1, "it comes again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_another_tier_has_is_passed_over() {
    let mut stage = Stage::set().await;
    let edge = stage.run_for(Edge, &Moody::new(), &[]);
    let until = |sequence, micros| {
        let mut envelope = envelope("gate", sequence);
        envelope.prepared.as_mut().unwrap().answer_by = Some(Timestamp::from_micros(micros));
        envelope
    };
    // its deadline has gone by, too, but that is for the other tier to say
    let late = Envelope { deadline: Some(Timestamp::from_micros(1)), ..until(0, 1) };
    stage.send(&late, jpeg(RED)).await;
    stage.send(&until(1, u64::MAX), jpeg(BLUE)).await;
    let result = stage.results(1).await.remove(0);
    assert_eq!((result.sequence, result.status), (1, Status::Done));
    assert_eq!(edge.metric("mlvi_inference_frames_total{status=\"superseded\"}"), 1.0);
    edge.stop().await;
    assert_eq!(stage.all(&stage.topics.results).await.len(), 1);
    assert_eq!(stage.all(&stage.topics.dead_letter).await, []);
    assert_eq!(stage.unfinished(Edge).await, 0, "it does not come again");
}
