//! What the decision sees and does on a real bus: policies that change while it runs, a cloud that
//! does not answer, frames that need no detection. Both tiers are played by the test.

use crate::{Running, Stage, envelope, jpeg, next, next_result, picture};
use frame::{
    Decision, Envelope, FrameResult, ModelInfo, ResultMessage, ServedBy, Status, Timestamp,
    TimingsMs,
};
use frame_bus::Message;
use std::time::{Duration, Instant};

/// A tier's answer to a frame that it got.
fn answer(message: &Message, status: Status) -> ResultMessage {
    let envelope = message.envelope().unwrap();
    let unit = format!("{}-inference", envelope.prepared.as_ref().unwrap().decision.destination);
    let model =
        ModelInfo { name: "played".into(), version: "1".into(), input: "1x1".into(), resize: None };
    let timings = TimingsMs {
        decode: Some(1.0),
        inference: Some(20.0),
        postprocess: Some(1.0),
        ..envelope.timings()
    };
    let done = envelope.done(vec![], model, ServedBy { unit, ..ServedBy::default() }, timings);
    ResultMessage::of(&envelope, FrameResult { status, ..done })
}

impl Stage {
    async fn answer(&self, message: &Message, status: Status) {
        self.bus
            .send_result(&self.topics.results, answer(message, status), &Default::default())
            .await
            .unwrap();
    }

    pub(crate) async fn metrics(&self, running: &Running) -> String {
        let url = format!("http://{}/metrics", running.admin.unwrap());
        tokio::task::spawn_blocking(move || {
            ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap()
        })
        .await
        .unwrap()
    }
}

fn decision_of(message: &Message) -> Decision {
    message.envelope().unwrap().prepared.unwrap().decision
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_does_not_answer_costs_time_and_no_frame() {
    let mut stage = Stage::set().await;
    let policy = stage.policy_file("policy = 'cloud-only'\n[redispatch]\nafter_ms = 300");
    let unit = stage.run(&[("MLVI_POLICY_FILE", &policy)]);
    let sent = envelope("gate", 1);
    stage.send(&sent, jpeg(64, 48)).await;
    let in_the_cloud = next(&mut stage.cloud).await;
    let on_the_edge = next(&mut stage.edge).await;
    let (first, second) = (in_the_cloud.envelope().unwrap(), on_the_edge.envelope().unwrap());
    assert_eq!((second.frame_id, &on_the_edge.payload), (sent.frame_id, &in_the_cloud.payload));
    let (first, second) = (first.prepared.unwrap(), second.prepared.unwrap());
    assert_eq!((first.attempt, second.attempt, second.answer_by), (1, 2, None));
    assert_eq!(
        (second.decision.reason.as_str(), second.decided_at),
        ("cloud-late", first.decided_at)
    );
    assert!(Timestamp::now() > first.answer_by.unwrap());
    // answered in time, a frame stays where it is
    stage.answer(&on_the_edge, Status::Done).await;
    stage.send(&envelope("gate", 2), jpeg(64, 48)).await;
    let message = next(&mut stage.cloud).await;
    stage.answer(&message, Status::Done).await;
    stage.send(&envelope("gate", 3), jpeg(64, 48)).await;
    assert_eq!(
        next(&mut stage.edge).await.envelope().unwrap().sequence,
        3,
        "only the third is taken back"
    );
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_taken_back_after_a_restart() {
    let mut stage = Stage::set().await;
    let policy = stage.policy_file("policy = 'cloud-only'\n[redispatch]\nafter_ms = 1500");
    let unit = stage.run(&[("MLVI_POLICY_FILE", &policy)]);
    for sequence in 0..2 {
        stage.send(&envelope("gate", sequence), jpeg(64, 48)).await;
    }
    let answered = next(&mut stage.cloud).await;
    next(&mut stage.cloud).await;
    unit.stop().await;
    // while nobody watches, one of the two is answered
    stage.answer(&answered, Status::Done).await;
    let unit = stage.run(&[("MLVI_POLICY_FILE", &policy)]);
    assert_eq!(next(&mut stage.edge).await.envelope().unwrap().sequence, 1);
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_frame_whose_deadline_has_gone_by_expires() {
    let mut stage = Stage::set().await;
    let unit = stage.run(&[("MLVI_POLICY", "cloud-only")]);
    let sent = Envelope {
        deadline: Some(Timestamp::now() + Duration::from_millis(400)),
        ..envelope("gate", 1)
    };
    stage.send(&sent, jpeg(64, 48)).await;
    let result = next_result(&mut stage.results).await;
    assert_eq!((result.frame_id, result.status), (sent.frame_id, Status::Expired));
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_cloud_leaves_a_cascade_the_edges_answer() {
    let mut stage = Stage::set().await;
    let policy = stage.policy_file(
        "policy = 'cascade'\n[cascade]\nhardness = 'max-confidence<0.7,empty=hard'\n\
             [redispatch]\nafter_ms = 300",
    );
    let unit = stage.run(&[("MLVI_POLICY_FILE", &policy)]);
    stage.send(&envelope("gate", 1), jpeg(64, 48)).await;
    let message = next(&mut stage.edge).await;
    let envelope = message.envelope().unwrap();
    let prepared = envelope.prepared.clone().unwrap();
    assert_eq!(prepared.escalation.as_deref(), Some("max-confidence<0.7,empty=hard"));
    assert_eq!((prepared.decision.reason.as_str(), prepared.answer_by), ("edge-first", None));
    // the edge finds it hard
    stage.answer(&message, Status::Provisional).await;
    let mut on_to_the_cloud = envelope;
    let prepared = on_to_the_cloud.prepared.as_mut().unwrap();
    (prepared.provisional, prepared.attempt, prepared.escalation) = (true, 2, None);
    on_to_the_cloud.sent_at = Timestamp::now();
    stage.send_to_cloud(&on_to_the_cloud, message.payload).await;
    let [provisional, last] =
        [next_result(&mut stage.results).await, next_result(&mut stage.results).await];
    assert_eq!((provisional.status, last.status), (Status::Provisional, Status::Done));
    assert_eq!(
        (last.frame_id, last.model, last.decision.unwrap().reason),
        (provisional.frame_id, provisional.model, "cloud-late".into())
    );
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_policy_file_takes_effect_unless_it_is_broken() {
    let mut stage = Stage::set().await;
    let path = stage.policy_file("policy = 'edge-only'");
    let unit = stage.run(&[("MLVI_POLICY_FILE", &path), ("MLVI_POLICY_RELOAD", "20ms")]);
    let reloads = |text: &str, outcome: &str| -> u64 {
        let line = format!("mlvi_preprocessor_policy_reloads_total{{outcome=\"{outcome}\"}} ");
        text.lines()
            .find_map(|row| row.strip_prefix(&line))
            .map_or(0, |count| count.parse().unwrap())
    };
    stage.send(&envelope("gate", 0), jpeg(16, 16)).await;
    assert_eq!(decision_of(&next(&mut stage.edge).await).policy, "edge-only");
    for (text, outcome, policy) in [
        ("policy = 'coin'", "refused", "edge-only"),
        ("policy = 'ratio'\n[ratio]\ncloud_share = 0.0", "used", "ratio"),
        ("policy = 'expression'\n[expression]\nrule = 'edge.'", "refused", "ratio"),
        ("policy = 'expression'\n[expression]\nrule = 'frame.bytes < 10'", "used", "expression"),
    ] {
        let before = reloads(&stage.metrics(&unit).await, outcome);
        // at once, as a mounted ConfigMap changes
        std::fs::write(format!("{path}.new"), text).unwrap();
        std::fs::rename(format!("{path}.new"), &path).unwrap();
        let started = Instant::now();
        while reloads(&stage.metrics(&unit).await, outcome) == before {
            assert!(started.elapsed() < crate::PATIENCE, "{text}: not read");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stage.send(&envelope("gate", 1), jpeg(16, 16)).await;
        assert_eq!(decision_of(&next(&mut stage.edge).await).policy, policy, "{text}");
    }
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_teach_how_fast_a_tier_is_and_decisions_carry_it() {
    let mut stage = Stage::set().await;
    let unit = stage.run(&[("MLVI_POLICY", "alternate")]);
    let mut predicted = Decision::new(frame::Destination::Edge, "", "").predicted_ms;
    for sequence in 0.. {
        stage.send(&envelope("gate", sequence), jpeg(16, 16)).await;
        let message =
            next(if sequence % 2 == 0 { &mut stage.edge } else { &mut stage.cloud }).await;
        predicted = decision_of(&message).predicted_ms;
        stage.answer(&message, Status::Done).await;
        if predicted.edge.is_some() && predicted.cloud.is_some() {
            break;
        }
        assert!(sequence < 1000, "nothing is learned");
    }
    assert!(predicted.edge.unwrap() >= 22.0 && predicted.cloud.unwrap() >= 22.0, "{predicted:?}");
    let names = [
        "answer_seconds",
        "prediction_ratio",
        "sent_bytes",
        "tier_breaker_state",
        "tier_service_seconds",
    ];
    let started = Instant::now();
    loop {
        let metrics = stage.metrics(&unit).await;
        let missing: Vec<_> = names
            .iter()
            .filter(|name| !metrics.contains(&format!("mlvi_preprocessor_{name}")))
            .collect();
        if missing.is_empty() {
            break;
        }
        assert!(started.elapsed() < crate::PATIENCE, "{missing:?} are not in {metrics}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn still_frames_are_skipped_when_that_is_wanted() {
    let mut stage = Stage::set().await;
    let policy = stage.policy_file("policy = 'edge-only'\n[motion]\nskip_below = 0.01");
    let unit = stage.run(&[("MLVI_POLICY_FILE", &policy)]);
    let first = envelope("gate", 0);
    stage.send(&first, jpeg(64, 48)).await;
    assert_eq!(next(&mut stage.edge).await.envelope().unwrap().frame_id, first.frame_id);
    stage.send(&envelope("gate", 1), jpeg(64, 48)).await;
    let skipped = next_result(&mut stage.results).await;
    assert_eq!(
        (skipped.sequence, skipped.status, skipped.same_as),
        (1, Status::Skipped, Some(first.frame_id))
    );
    assert_eq!(skipped.decision.unwrap().reason, "no-motion");
    // another picture, and another camera
    let upside_down: Vec<u8> = picture(64, 48).data().chunks(3).rev().flatten().copied().collect();
    let other = frame::RgbImage::new(picture(64, 48).size(), upside_down).unwrap();
    stage.send(&envelope("gate", 2), vision::encode_jpeg(&other, 90).unwrap()).await;
    stage.send(&envelope("yard", 3), jpeg(64, 48)).await;
    let mut sent = [next(&mut stage.edge).await, next(&mut stage.edge).await]
        .map(|message| message.envelope().unwrap().sequence);
    sent.sort_unstable();
    assert_eq!(sent, [2, 3]);
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_cannot_be_in_time_expires_and_says_why() {
    let mut stage = Stage::set().await;
    let policy = stage.policy_file(
        "policy = 'deadline'\n[prior.edge]\nservice_ms = 60000\n\
             [prior.cloud]\nservice_ms = 60000\nmbit_s = 1",
    );
    let unit = stage.run(&[("MLVI_POLICY_FILE", &policy)]);
    let sent = Envelope {
        deadline: Some(Timestamp::now() + Duration::from_secs(20)),
        ..envelope("gate", 1)
    };
    stage.send(&sent, jpeg(64, 48)).await;
    let result = next_result(&mut stage.results).await;
    assert_eq!((result.frame_id, result.status), (sent.frame_id, Status::Expired));
    let decision = result.decision.unwrap();
    assert_eq!(
        (decision.reason.as_str(), decision.policy.as_str()),
        ("no-tier-in-time", "deadline")
    );
    assert!(decision.predicted_ms.edge.unwrap() >= 60_000.0);
    unit.stop().await;
}
