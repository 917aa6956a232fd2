//! The decider as a preprocessor drives it.

mod properties;
mod reload;
mod unwinding;

use super::in_flight::MAX_IN_FLIGHT;
use super::*;
use crate::testing::facts;
use crate::{
    Action, BreakerState, End, FrameFacts, Measured, Outcome, PolicyName, Snapshot, TierResult,
};
use frame::Destination::{self, Cloud, Edge};
use std::time::Duration;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_micros(3_600_000_000 + ms * 1000)
}

fn decider(policy: &str) -> Decider<u64> {
    Decider::new(&PolicyConfig::named(policy).unwrap(), 1).unwrap()
}

fn with(text: &str) -> Decider<u64> {
    Decider::new(&PolicyConfig::from_toml(text).unwrap(), 1).unwrap()
}

fn nth(n: u64) -> FrameFacts {
    FrameFacts { ordinal: n, sequence: n, deadline_left_ms: None, ..facts() }
}

fn done(tier: Destination) -> TierResult {
    TierResult::done(tier, Some(20.0))
}

/// Sends a frame and has it answered 60 ms later.
fn answered(decider: &mut Decider<u64>, key: u64, now: u64) {
    let tier = decider.decide(key, &nth(key), at(now)).choice.destination().unwrap();
    decider.result(key, &done(tier), at(now + 60));
}

#[test]
fn a_silent_cloud_is_left_probed_and_comes_back() {
    let mut decider = decider("cloud-only");
    let mut now = 0;
    for key in 0..20 {
        answered(&mut decider, key, now);
        now += 100;
    }
    // the uplink is cut: 10 frames a second, none answered, each taken back when it is late
    let (cut, mut opened, mut probes, mut late) = (now, None, 0, Vec::new());
    for key in 100..700 {
        let decided = decider.decide(key, &nth(key), at(now));
        match (decided.choice.destination().unwrap(), decided.choice.reason) {
            (Cloud, reason) => {
                if reason == "probe-cloud" {
                    probes += 1;
                }
                late.push((key, decided.answer_by.unwrap()));
            }
            (Edge, reason) => {
                assert_eq!(reason, "cloud-breaker-open");
                opened.get_or_insert(now);
                decider.result(key, &done(Edge), at(now + 50));
            }
        }
        late.retain(|(key, answer_by)| {
            let due = *answer_by <= at(now);
            if due {
                assert_eq!(decider.late(*key, at(now)), Some(TakenTo::Edge));
                decider.result(*key, &done(Edge), at(now + 90));
            }
            !due
        });
        now += 100;
    }
    assert!(opened.unwrap() - cut <= 2000, "opened after {} ms", opened.unwrap() - cut);
    assert!((10..=40).contains(&probes), "{probes} probes in a minute");
    // it is back: the next probe is answered
    let back = now;
    for key in 1000.. {
        let decided = decider.decide(key, &nth(key), at(now));
        let tier = decided.choice.destination().unwrap();
        decider.result(key, &done(tier), at(now + 60));
        if decider.breaker(Cloud, at(now + 60)) == BreakerState::Closed {
            break;
        }
        assert!(now - back < 5000, "not closed 5 s after the return");
        now += 100;
    }
}

#[test]
fn with_both_tiers_silent_frames_wait_on_the_edge() {
    let mut decider = decider("edge-only");
    answered(&mut decider, 0, 0);
    decider.decide(1, &nth(1), at(1000));
    assert_eq!(
        decider.decide(2, &nth(2), at(2500)).choice,
        Choice::send(Cloud, "edge-breaker-open")
    );
    // the cloud has never answered, so it gets ten seconds
    let choice = decider.decide(3, &nth(3), at(13_000)).choice;
    assert!(["both-breakers-open", "probe-edge"].contains(&choice.reason), "{choice:?}");
    assert_eq!(choice.destination(), Some(Edge));
}

#[test]
fn a_late_frame_goes_to_the_edge_once() {
    let mut decider = decider("cloud-only");
    answered(&mut decider, 0, 0);
    let answer_by = decider.decide(1, &nth(1), at(1000)).answer_by.unwrap();
    assert!(answer_by > at(1500) && answer_by <= at(6500), "{answer_by}");
    assert_eq!(decider.late(1, answer_by), Some(TakenTo::Edge));
    assert_eq!(decider.late(1, answer_by), None, "once is enough");
    assert_eq!(decider.snapshot(1, answer_by).edge.backlog_frames, Some(1));
    // both answer
    decider.result(1, &done(Cloud), at(3100));
    decider.result(1, &done(Edge), at(3200));
    assert_eq!(decider.late(1, at(4000)), None);
    let snapshot = decider.snapshot(1, at(4000));
    assert_eq!((snapshot.edge.backlog_frames, snapshot.cloud.backlog_frames), (Some(0), Some(0)));
}

#[test]
fn a_late_frame_stays_where_the_queue_is_shorter() {
    let waited = Duration::from_secs(5);
    let piled = |edge: u64, cloud: u64, heard: u64| {
        let mut decider = decider("alternate");
        answered(&mut decider, 0, 0);
        answered(&mut decider, 1, 100);
        decider.decide(2, &nth(3), at(200));
        decider.lag(Edge, Some(edge));
        decider.lag(Cloud, Some(cloud));
        // another frame's answer
        decider.result(99, &done(Cloud), at(heard));
        decider
    };
    // 20 ms a frame: 9 s of work on the edge, nearly none in the cloud
    let mut decider = piled(472, 3, 5100);
    let answer_by =
        decider.again(2, 30_000, waited, at(5200)).expect("the cloud has nothing to do");
    assert!(answer_by > at(5200 + 5000), "{answer_by}");
    assert!(
        decider.snapshot(1, at(5200)).cloud.predicted_ms.is_some(),
        "it is no sign that the cloud has stalled"
    );
    assert_eq!(decider.late(2, answer_by), Some(TakenTo::Edge));
    assert_eq!(decider.again(2, 30_000, waited, at(5300)), None, "the edge has it");
    assert_eq!(
        piled(3, 472, 5100).again(2, 30_000, waited, at(5200)),
        None,
        "the edge answers sooner"
    );
    assert_eq!(
        piled(472, 3, 300).again(2, 30_000, waited, at(5200)),
        None,
        "the cloud answers nobody"
    );
    assert_eq!(
        piled(472, 3, 5100).again(2, 30_000, waited / 10, at(5200)),
        None,
        "its deadline has gone by"
    );
    assert!(
        piled(472, 3, 5100).again(77, 30_000, waited, at(5200)).is_some(),
        "another process had decided on it"
    );
}

#[test]
fn the_cloud_is_waited_for_as_long_as_the_edge_would_take() {
    let patience = |backlog: u64, now: u64| {
        let mut decider = decider("alternate");
        answered(&mut decider, 0, 0);
        decider.result(99, &done(Cloud), at(100));
        decider.lag(Edge, Some(backlog));
        decider.cloud_patience(30_000, at(now)).unwrap().as_secs_f64()
    };
    assert_eq!(patience(10, 200), 5.0);
    assert!((8.0..=11.0).contains(&patience(472, 200)), "{}", patience(472, 200));
    assert!(patience(10_000, 200) > 190.0, "a cloud that answers keeps its frames");
    assert_eq!(patience(10_000, 5000), 15.0, "one that is silent does not");
}

#[test]
fn a_frame_is_taken_back_while_the_edge_can_be_in_time() {
    let mut decider = decider("cloud-only");
    for key in 0..5 {
        answered(&mut decider, key, key * 100);
    }
    decider.lag(Edge, Some(0));
    let frame = FrameFacts { deadline_left_ms: Some(300.0), ..nth(9) };
    // nothing is known of the edge: at the deadline
    assert_eq!(decider.decide(9, &frame, at(1000)).answer_by, Some(at(1300)));
    decider.result(9, &done(Cloud), at(1060));
    // the edge takes 20 ms, so it could still make it 280 ms from now
    decider.result(77, &done(Edge), at(1100));
    assert_eq!(decider.decide(10, &frame, at(2000)).answer_by, Some(at(2280)));
}

#[test]
fn the_patience_with_a_silent_cloud_is_bounded() {
    let mut decider = with("policy = 'cloud-only'\n[breaker]\nenabled = false");
    for key in 0..20 {
        answered(&mut decider, key, key * 100);
    }
    for key in 100..400 {
        let now = 2000 + (key - 100) * 50;
        let patience = decider.decide(key, &nth(key), at(now)).answer_by.unwrap();
        // in the first second it is not silent but slow, and gets the time that a backlog as long
        // would take
        let most = if now < 3000 { 60_000 } else { 15_000 };
        assert!(patience <= at(now + most), "frame {key}");
    }
}

#[test]
fn a_frame_taken_back_elsewhere_tells_of_a_late_cloud() {
    let mut decider = decider("cloud-only");
    answered(&mut decider, 0, 0);
    decider.decide(1, &nth(1), at(1000));
    // the edge answers a frame that was sent to the cloud
    decider.result(1, &done(Edge), at(7000));
    let cloud = decider.snapshot(1, at(7000)).cloud;
    assert_eq!((cloud.predicted_ms, cloud.backlog_frames), (None, Some(0)));
    assert!(!decider.knows(1));
}

#[test]
fn a_promoted_answer_is_nothing_new_of_the_edge() {
    let mut decider = decider("cascade");
    decider.decide(1, &nth(1), at(0));
    decider.result(1, &TierResult { provisional: true, ..done(Edge) }, at(50));
    // a second provisional one does not send it on twice, and the same answer as final ends it
    decider.result(1, &TierResult { provisional: true, ..done(Edge) }, at(60));
    assert_eq!(decider.snapshot(1, at(60)).cloud.backlog_frames, Some(1));
    decider.result(1, &done(Edge), at(5000));
    assert_eq!(decider.snapshot(1, at(5000)).edge.last_result_ms, Some(4950.0));
    assert!(!decider.knows(1));
}

#[test]
fn a_silent_edge_sends_few_frames_to_an_absent_cloud() {
    let mut decider = decider("edge-only");
    let mut to_cloud = 0;
    for key in 0..6000 {
        to_cloud += u64::from(
            decider.decide(key, &nth(key), at(key * 100)).choice.destination() == Some(Cloud),
        );
    }
    // while the edge is silent and the cloud still may answer: ten seconds, and no more
    assert!(to_cloud <= 110, "{to_cloud}");
}

#[test]
fn a_cascade_pays_only_for_what_is_sent_on() {
    let mut decider =
        with("policy = 'cascade'\n[budget]\nunit = 'bytes'\nrate = 0\nburst = 100000\nper = 'all'");
    let provisional = TierResult { provisional: true, ..done(Edge) };
    let choice = decider.decide(1, &nth(1), at(0)).choice;
    assert!(matches!(choice.action, Action::Cascade(_)));
    assert_eq!(decider.budget_left(at(0)), Some(70_000.0));
    decider.result(1, &done(Edge), at(50));
    assert_eq!(decider.budget_left(at(50)), Some(100_000.0), "it was easy");

    decider.decide(2, &nth(2), at(100));
    let answer_by = decider.result(2, &provisional, at(150)).expect("it goes on to the cloud");
    assert_eq!(decider.snapshot(1, at(150)).cloud.backlog_frames, Some(1));
    assert_eq!(decider.late(2, answer_by), Some(TakenTo::Provisional));
    assert_eq!(decider.budget_left(answer_by), Some(70_000.0));

    decider.decide(3, &nth(3), at(5000));
    decider.result(3, &provisional, at(5050));
    decider.result(3, &done(Cloud), at(5100));
    decider.decide(4, &nth(4), at(5200));
    decider.result(4, &provisional, at(5250));
    decider.result(4, &done(Cloud), at(5300));
    assert_eq!(decider.decide(5, &nth(5), at(5400)).choice, Choice::send(Edge, "budget-spent"));
}

/// Notes what it is told.
struct Told(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl Policy for Told {
    fn name(&self) -> &str {
        "told"
    }

    fn choose(&self, _frame: &FrameFacts, _load: &Snapshot) -> Choice {
        Choice::new(Action::Cascade("mean-confidence<0.5".parse().unwrap()), "told")
    }

    fn measured(&mut self, frame: &FrameFacts, _choice: &Choice, measured: &Measured) {
        self.0.lock().unwrap().push(format!("{} measured {:?}", frame.ordinal, measured.score));
    }

    fn learn(&mut self, outcome: &Outcome) {
        let Outcome { frame, measured, loss, .. } = outcome;
        let score = measured.map(|measured| measured.score);
        self.0.lock().unwrap().push(format!("{} ended {score:?} {loss:?}", frame.ordinal));
    }
}

#[test]
fn a_policy_is_told_what_the_edge_measured_and_how_far_the_cloud_was_from_it() {
    let told = std::sync::Arc::default();
    let mut decider = Decider::with_policy(
        Box::new(Told(std::sync::Arc::clone(&told))),
        &PolicyConfig::of(PolicyName::Cascade),
        1,
    );
    let measured = |score| Some(Measured { score: Some(score), features: None });
    decider.decide(1, &nth(1), at(0));
    decider.result(1, &TierResult { measured: measured(0.25), ..done(Edge) }, at(50));
    decider.decide(2, &nth(2), at(100));
    let hard = TierResult { provisional: true, measured: measured(0.75), ..done(Edge) };
    decider.result(2, &hard, at(150));
    // the same once more is nothing new
    decider.result(2, &hard, at(160));
    decider.result(2, &TierResult { loss: Some(0.5), ..done(Cloud) }, at(200));
    assert_eq!(
        *told.lock().unwrap(),
        [
            "1 measured Some(0.25)",
            "1 ended Some(Some(0.25)) None",
            "2 measured Some(0.75)",
            "2 ended Some(Some(0.75)) Some(0.5)",
        ]
    );
}

#[test]
fn a_cascade_stays_on_the_edge_while_the_cloud_is_silent() {
    let mut decider = decider("cascade");
    let provisional = TierResult { provisional: true, ..done(Edge) };
    decider.decide(0, &nth(0), at(0));
    decider.result(0, &provisional, at(10));
    decider.result(0, &done(Cloud), at(50));
    decider.decide(1, &nth(1), at(100));
    decider.result(1, &provisional, at(110));
    assert_eq!(
        decider.decide(2, &nth(2), at(1500)).choice,
        Choice::send(Edge, "cloud-breaker-open")
    );
}

#[test]
fn a_still_frame_is_skipped_and_says_what_it_equals() {
    let mut decider = with("policy = 'edge-only'\n[motion]\nskip_below = 0.01");
    answered(&mut decider, 1, 0);
    let still = FrameFacts { change: Some(0.001), ..nth(2) };
    let decided = decider.decide(2, &still, at(100));
    assert_eq!((decided.choice.action, decided.same_as), (Action::Skip, Some(1)));
    assert_eq!(decider.decide(3, &still, at(11_000)).choice.reason, "only-edge");
}

#[test]
fn a_bad_configuration_changes_nothing() {
    let mut decider = decider("edge-only");
    answered(&mut decider, 0, 0);
    let bad =
        PolicyConfig { policy: PolicyName::Expression, ..PolicyConfig::of(PolicyName::EdgeOnly) };
    assert!(decider.reconfigure(&bad, at(100)).is_err());
    assert_eq!(decider.policy(), "edge-only");
    let good = PolicyConfig::from_toml("policy = 'ratio'\n[ratio]\ncloud_share = 1.0").unwrap();
    decider.reconfigure(&good, at(100)).unwrap();
    let decided = decider.decide(1, &nth(1), at(200));
    assert_eq!((decided.policy.as_str(), decided.choice.destination()), ("ratio", Some(Cloud)));
    assert!(decided.predicted_ms.edge.is_some(), "what was seen of the tiers stays");
}

#[test]
fn frames_that_nobody_answers_are_forgotten_in_the_end() {
    let mut decider = decider("edge-only");
    for key in 0..(MAX_IN_FLIGHT as u64 + 50) {
        decider.decide(key, &nth(key), at(key));
    }
    assert_eq!(decider.in_flight.len(), MAX_IN_FLIGHT);
    assert!(!decider.knows(49) && decider.knows(50), "the oldest go");
}

#[test]
fn results_of_others_frames_tell_how_fast_a_tier_is() {
    let mut decider = decider("edge-only");
    decider.result(99, &done(Cloud), at(10));
    let cloud = decider.snapshot(1, at(20)).cloud;
    assert_eq!(
        (cloud.service_ms, cloud.last_result_ms, cloud.predicted_ms),
        (Some(20.0), Some(10.0), None)
    );
}
