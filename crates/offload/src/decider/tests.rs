//! The decider as a preprocessor drives it.

use super::*;
use crate::testing::facts;
use crate::{BudgetScope, BudgetUnit};
use proptest::prelude::*;

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
    TierResult { tier, end: End::Done, service_ms: Some(20.0), provisional: false }
}

/// Sends a frame and has it answered 60 ms later.
fn answered(decider: &mut Decider<u64>, key: u64, now: u64) {
    let tier = decider.decide(key, &nth(key), at(now)).choice.destination().unwrap();
    decider.result(key, &done(tier), at(now + 60));
}

#[test]
fn a_silent_cloud_is_left_within_two_seconds_tried_again_and_comes_back() {
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
fn a_silent_edge_is_left_too_and_with_both_silent_frames_wait_on_the_edge() {
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
fn a_late_frame_goes_to_the_edge_once_and_the_late_answer_changes_nothing() {
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
fn a_late_frame_is_not_taken_back_from_a_cloud_that_answers_to_an_edge_with_a_longer_queue() {
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
fn the_cloud_is_waited_for_as_long_as_the_edge_would_take_within_bounds() {
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
fn a_frame_is_taken_back_while_the_edge_can_still_meet_its_deadline() {
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
fn however_slow_a_silent_cloud_seems_it_is_not_waited_for_without_end() {
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
fn a_frame_that_another_process_took_back_says_that_the_cloud_was_late() {
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
fn an_edge_answer_that_was_made_final_is_nothing_new_of_the_edge() {
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
fn a_policy_that_wants_the_edge_never_sends_to_a_cloud_that_does_not_exist_for_long() {
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
fn a_cascade_reserves_what_may_be_sent_on_and_pays_only_for_what_is() {
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
fn a_new_configuration_takes_effect_and_a_bad_one_changes_nothing() {
    let mut decider = decider("edge-only");
    answered(&mut decider, 0, 0);
    let bad =
        PolicyConfig { policy: "expression".into(), ..PolicyConfig::named("edge-only").unwrap() };
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
    for key in 0..(MOST_ON_THEIR_WAY as u64 + 50) {
        decider.decide(key, &nth(key), at(key));
    }
    assert_eq!(
        (decider.on_their_way.len(), decider.in_order.len()),
        (MOST_ON_THEIR_WAY, MOST_ON_THEIR_WAY)
    );
}

#[test]
fn results_of_other_processes_frames_tell_how_fast_a_tier_is() {
    let mut decider = decider("edge-only");
    decider.result(99, &done(Cloud), at(10));
    let cloud = decider.snapshot(1, at(20)).cloud;
    assert_eq!(
        (cloud.service_ms, cloud.last_result_ms, cloud.predicted_ms),
        (Some(20.0), Some(10.0), None)
    );
}

#[derive(Clone, Debug)]
enum Step {
    Decide { deadline: Option<u16>, change: Option<f64>, bytes: u16 },
    Result { back: u8, cloud: bool, end: u8, provisional: bool },
    Late { back: u8 },
    Lag { cloud: bool, frames: Option<u16> },
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<Option<u16>>(), prop::option::of(0.0..1.0f64), any::<u16>())
            .prop_map(|(deadline, change, bytes)| Step::Decide { deadline, change, bytes }),
        4 => (0u8..20, any::<bool>(), 0u8..4, any::<bool>())
            .prop_map(|(back, cloud, end, provisional)| Step::Result { back, cloud, end, provisional }),
        1 => (0u8..20).prop_map(|back| Step::Late { back }),
        1 => (any::<bool>(), any::<Option<u16>>()).prop_map(|(cloud, frames)| Step::Lag { cloud, frames }),
        3 => any::<u16>().prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    /// Whatever happens, in whatever order: there is a decision with a short reason, numbers are numbers, the same history gives the same
    /// decisions, and a budget holds.
    #[test]
    fn there_is_always_a_decision(steps in steps(), which in 0..PolicyConfig::NAMES.len(), dwell in any::<bool>(), share in 0.0..=1.0f64) {
        let mut config = PolicyConfig::named(PolicyConfig::NAMES[which]).unwrap();
        config.expression.rule = "cloud.predicted_ms < edge.predicted_ms".into();
        config.hysteresis.dwell_ms = if dwell { 300.0 } else { 0.0 };
        config.motion.skip_below = 0.05;
        config.budget = Some(crate::Budget { unit: BudgetUnit::Share, rate: share, burst: 3.0, per: BudgetScope::All });
        let run = || {
            let mut decider: Decider<u64> = Decider::new(&config, 5).unwrap();
            let (mut now, mut key, mut decisions, mut cloud) = (0u64, 0u64, Vec::new(), 0u64);
            for step in &steps {
                match step {
                    Step::Decide { deadline, change, bytes } => {
                        key += 1;
                        let frame = FrameFacts {
                            deadline_left_ms: deadline.map(f64::from), change: *change, bytes: usize::from(*bytes), ..nth(key)
                        };
                        let decided = decider.decide(key, &frame, at(now));
                        cloud += u64::from(decided.choice.destination() == Some(Cloud));
                        decisions.push(decided);
                    }
                    Step::Result { back, cloud, end, provisional } => {
                        let end = [End::Done, End::Failed, End::Expired, End::Late][usize::from(*end)];
                        let tier = if *cloud { Cloud } else { Edge };
                        let result = TierResult { tier, end, service_ms: Some(30.0), provisional: *provisional && !cloud };
                        decider.result(key.saturating_sub(u64::from(*back)), &result, at(now));
                    }
                    Step::Late { back } => {
                        decider.late(key.saturating_sub(u64::from(*back)), at(now));
                    }
                    Step::Lag { cloud, frames } => decider.lag(if *cloud { Cloud } else { Edge }, frames.map(u64::from)),
                    Step::Wait(ms) => now += u64::from(*ms) / 8,
                }
            }
            (decisions, cloud)
        };
        let (decisions, cloud) = run();
        for decided in &decisions {
            prop_assert!((1..=32).contains(&decided.choice.reason.len()), "{}", decided.choice.reason);
            let Predicted { edge, cloud } = decided.predicted_ms;
            prop_assert!(edge.into_iter().chain(cloud).all(|ms| ms.is_finite() && ms >= 0.0), "{:?}", decided.predicted_ms);
        }
        prop_assert!(cloud as f64 <= 3.0 + share * decisions.len() as f64 + 1e-6, "{cloud} of {}", decisions.len());
        prop_assert_eq!(run().0, decisions);
    }
}

fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::sample::select(vec![
            0.0,
            1e-300,
            1e-3,
            0.5,
            1.0,
            86_400_000.0,
            1e15,
            1e16,
            1e300,
            f64::NAN,
            f64::INFINITY,
            -1.0
        ]),
        0.0..1e6f64,
        -1.0..=1.0f64,
    ]
}

proptest! {
    /// Whatever numbers a policy file has: it is refused, or each frame gets a decision and whatever is waited for comes within days.
    #[test]
    fn what_is_accepted_decides(
        which in 0..PolicyConfig::NAMES.len(), numbers in prop::collection::vec(numbers(), 12), places in prop::collection::vec(0..24usize, 3),
        gaps in prop::collection::vec((0u64..10_000, prop::option::of(-1e9..1e9f64), any::<u32>(), 0u8..4), 1..40),
    ) {
        let mut config = PolicyConfig::named(PolicyConfig::NAMES[which]).unwrap();
        config.expression.rule = "edge.backlog * edge.service_ms > cloud.rtt_ms".into();
        let unit = [BudgetUnit::Bytes, BudgetUnit::Money, BudgetUnit::Share][places[0] % 3];
        config.budget = (places[1] % 2 == 0).then_some(crate::Budget { unit, rate: 0.5, burst: 3.0, per: BudgetScope::All });
        for (place, value) in places.iter().zip(&numbers) {
            let value = *value;
            match place {
                0 => config.ratio.cloud_share = value,
                1 => config.deadline.target_ms = value,
                2 => config.deadline.comfort = value,
                3 => config.deadline.late_up_to_ms = value,
                4 => config.deadline.refresh_ms = value,
                5 => config.bandit.target_ms = value,
                6 => config.hysteresis.dwell_ms = value,
                7 => config.hysteresis.to_cloud_above = value,
                8 => config.hysteresis.to_edge_below = value,
                9 => config.breaker.silence_ms = value,
                10 => config.breaker.first_silence_ms = value,
                11 => config.breaker.probe_after_ms = value,
                12 => config.breaker.probe_at_most_ms = value,
                13 => config.motion.skip_below = value,
                14 => config.motion.look_every_ms = value,
                15 => config.redispatch.after_ms = value,
                16 => config.price.cloud_per_frame = value,
                17 => config.price.edge_per_frame = value,
                18 => config.price.cloud_per_gigabyte = value,
                19 => config.prior.cloud.service_ms = Some(value),
                20 => config.prior.cloud.rtt_ms = Some(value),
                21 => config.prior.cloud.mbit_s = Some(value),
                22 => config.prior.edge.service_ms = Some(value),
                _ => config.budget = config.budget.map(|budget| crate::Budget { rate: value, burst: numbers[11], ..budget }),
            }
        }
        let Ok(mut decider) = Decider::<u64>::new(&config, 3) else { return Ok(()) };
        let mut now = 0;
        for (key, (gap, deadline_left_ms, bytes, end)) in gaps.into_iter().enumerate() {
            now += gap;
            let key = key as u64;
            let frame = FrameFacts { deadline_left_ms, bytes: bytes as usize, change: Some(0.2), ..nth(key) };
            let decided = decider.decide(key, &frame, at(now));
            let far = at(now + 86_400_001);
            prop_assert!(decided.answer_by.is_none_or(|answer_by| answer_by <= far));
            prop_assert!(decider.cloud_patience(frame.bytes, at(now)).is_none_or(|patience| patience <= Duration::from_secs(86_400)));
            let tier = decided.choice.destination().unwrap_or(Edge);
            match end {
                0 => drop(decider.result(key, &done(tier), at(now + gap))),
                1 => drop(decider.late(key, at(now + gap))),
                2 => drop(decider.again(key, frame.bytes, Duration::from_millis(gap), at(now + gap))),
                _ => drop(decider.result(key, &TierResult { service_ms: Some(1e300), ..done(tier) }, at(now + gap))),
            }
        }
    }
}
