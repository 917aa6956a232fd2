//! Contracts as a decider applies them.

use crate::testing::facts;
use crate::{Decider, End, FrameFacts, PolicyConfig, PolicyError, TierResult};
use frame::Destination::{self, Cloud, Edge};
use frame::{Order, Timestamp};
use proptest::prelude::*;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_micros(3_600_000_000 + ms * 1000)
}

fn with(text: &str) -> Decider<u64> {
    Decider::new(&PolicyConfig::from_toml(text).unwrap(), 1).unwrap()
}

fn frame_of(camera: &str, n: u64) -> FrameFacts {
    let camera = camera.parse().unwrap();
    FrameFacts { camera, ordinal: n, sequence: n, deadline_left_ms: None, ..facts() }
}

fn done(tier: Destination) -> TierResult {
    TierResult {
        tier,
        end: End::Done,
        service_ms: Some(20.0),
        provisional: false,
        measured: None,
        loss: None,
        wrong: None,
    }
}

/// Sends a frame of `camera` at `now`, and has it answered `took` later wherever it went.
fn answered(decider: &mut Decider<u64>, camera: &str, key: u64, now: u64, took: u64) -> String {
    let decided = decider.decide(key, &frame_of(camera, key), at(now));
    if let Some(tier) = decided.choice.destination() {
        decider.result(key, &done(tier), at(now + took));
    }
    decided.choice.reason.to_owned()
}

const GATES: &str = "[[contract]]\nname = 'gates'\ncameras = ['gate-*']\nwithin_ms = 100\n\
                     share = 0.9\nwindow_s = 60\n";

#[test]
fn what_contradicts_itself_is_named() {
    let cases = [
        ("name = 'g g'", "name", "1 to 64 characters"),
        ("name = 'g'\ncameras = []", "cameras", "1 to 64 patterns"),
        ("cameras = ['gate 1']", "cameras", "fits no camera"),
        ("within_ms = 0", "within_ms", "from 1 to"),
        ("within_ms = nan", "within_ms", "from 1 to"),
        ("share = 1.0", "share", "leaves no error"),
        ("share = 0.9", "share", "within_ms is missing"),
        ("agreement = 0.9", "agreement", "only the policy cascade"),
        ("priority = 0", "priority", "from 1 to 100"),
        ("window_s = inf", "window_s", "from 10 to"),
        ("budget = { unit = 'share', rate = 2, burst = 1 }", "budget.rate", "from 0 to 1"),
        ("budget = { unit = 'bytes', rate = 2, burst = 0 }", "budget.burst", "above 0"),
        ("on_violation = ['cloud']", "on_violation", "no share"),
        ("within_ms = 9\nshare = 0.9\non_violation = ['edge', 'edge']", "on_violation", "twice"),
        ("within_ms = 9\nshare = 0.9\non_violation = ['cloud']", "on_violation", "edge-only"),
        ("on_violation = ['panic']", "", "unknown variant"),
        ("sharing = 0.9", "", "unknown field"),
    ];
    for (lines, key, words) in cases {
        let named = |what: &str, otherwise: &str| {
            if lines.contains(&format!("{what} = ")) { String::new() } else { otherwise.to_owned() }
        };
        let text = format!(
            "policy = 'edge-only'\n[[contract]]\n{lines}\n{}\n{}",
            named("name", "name = 'x'"),
            named("cameras", "cameras = ['gate-*']")
        );
        let error = PolicyConfig::from_toml(&text).unwrap_err();
        assert!(error.to_string().contains(words), "{text}: {error}");
        match &error {
            PolicyError::Contract { key: wrong, .. } => assert_eq!(*wrong, key, "{text}"),
            other => assert!(key.is_empty(), "{text}: {other}"),
        }
    }
}

#[test]
fn contracts_may_not_hide_each_other() {
    let contract = |name: &str, camera: &str| {
        format!("[[contract]]\nname = '{name}'\ncameras = ['{camera}']\n")
    };
    let read = |one: String, other: String| {
        PolicyConfig::from_toml(&format!("policy = 'edge-only'\n{one}{other}"))
    };
    let hidden = read(contract("all", "gate-*"), contract("one", "gate-1*")).unwrap_err();
    assert!(hidden.to_string().contains("'all', which comes first"), "{hidden}");
    let twice = read(contract("a", "gate"), contract("a", "yard")).unwrap_err();
    assert!(twice.to_string().contains("another contract has this name"), "{twice}");
    assert!(read(contract("one", "gate-1*"), contract("all", "gate-*")).is_ok());
    let spent = "policy = 'ratio'\n[budget]\nunit = 'bytes'\nrate = 0\nburst = 9\n[[contract]]\n\
                 name = 'a'\ncameras = ['*']\nwithin_ms = 9\nshare = 0.9\non_violation = ['cloud']";
    let never = PolicyConfig::from_toml(spent).unwrap_err();
    assert!(never.to_string().contains("never allows the cloud"), "{never}");
    let many: String = (0..33).map(|n| contract(&format!("c{n}"), &format!("c{n}"))).collect();
    assert!(read(many, String::new()).unwrap_err().to_string().contains("more than 32"));
}

#[test]
fn what_is_written_is_read_again() {
    let text = format!(
        "policy = 'ratio'\n{GATES}order = 'newest'\npriority = 7\non_violation = ['lower-rate']\n\
         [contract.budget]\nunit = 'share'\nrate = 0.5\nburst = 3\n\
         [[contract]]\nname = 'b'\ncameras = ['*']"
    );
    let config = PolicyConfig::from_toml(&text).unwrap();
    assert_eq!(PolicyConfig::from_toml(&config.to_toml()), Ok(config));
}

#[test]
fn the_first_contract_that_names_the_camera_counts_and_is_named() {
    let text = format!(
        "policy = 'edge-only'\n[[contract]]\nname = 'one'\ncameras = ['gate-1']\npriority = 7\n\
         order = 'newest'\n{GATES}"
    );
    let mut decider = with(&text);
    for (camera, name, order, weight) in [
        ("gate-1", Some("one"), Order::Newest, 7),
        ("gate-2", Some("gates"), Order::InOrder, 1),
        ("yard", None, Order::InOrder, 1),
    ] {
        let decided = decider.decide(1, &frame_of(camera, 1), at(0));
        let contract = decided.contract.as_deref();
        assert_eq!((contract, decided.order, decided.weight), (name, order, weight), "{camera}");
        assert_eq!(decider.order(&camera.parse().unwrap()), order);
    }
}

#[test]
fn every_end_of_a_frame_is_counted_once() {
    let mut decider = with(&format!("policy = 'cloud-only'\n{GATES}"));
    // receipt is 5 ms before the decision
    answered(&mut decider, "gate-1", 1, 0, 95);
    answered(&mut decider, "gate-1", 2, 0, 96);
    answered(&mut decider, "yard", 3, 0, 500);
    decider.decide(4, &frame_of("gate-2", 4), at(0));
    decider.late_and_expired(4, at(200));
    decider.decide(5, &frame_of("gate-2", 5), at(0));
    decider.overtaken(5, at(200));
    decider.decide(6, &frame_of("gate-2", 6), at(0));
    decider.ended_elsewhere(6, at(200));
    decider.undecided(&"gate-9".parse().unwrap(), false, at(200));
    decider.undecided(&"gate-9".parse().unwrap(), true, at(200));
    let failed = TierResult { end: End::Failed, ..done(Cloud) };
    decider.decide(7, &frame_of("gate-2", 7), at(200));
    decider.result(7, &failed, at(220));
    for key in [1, 2, 4, 5, 6, 7] {
        decider.result(key, &done(Cloud), at(230));
    }
    let standing = decider.contracts(false, at(240)).pop().unwrap();
    assert_eq!((standing.met, standing.missed, standing.set_aside), (1, 5, 2));
    let later = decider.contracts(false, at(120_000)).pop().unwrap();
    assert_eq!((later.met, later.missed, later.set_aside), (0, 0, 0));
    let ever = decider.contracts(true, at(120_000)).pop().unwrap();
    assert_eq!((ever.met, ever.missed, ever.set_aside), (1, 5, 2));
}

#[test]
fn a_provisional_answer_is_an_answer() {
    let mut decider = with(&format!("policy = 'cascade'\n{GATES}"));
    decider.decide(1, &frame_of("gate-1", 1), at(0));
    decider.result(1, &TierResult { provisional: true, ..done(Edge) }, at(50));
    decider.result(1, &done(Cloud), at(900));
    let standing = decider.contracts(false, at(900)).pop().unwrap();
    assert_eq!((standing.met, standing.missed), (1, 0));
}

#[test]
fn remedies_are_applied_in_order_while_the_contract_is_violated() {
    let text = format!("policy = 'edge-only'\n{GATES}on_violation = ['lower-rate', 'expire']");
    let mut decider = with(&text);
    let mut key = 0;
    let mut next = |decider: &mut Decider<u64>, took: u64| {
        key += 1;
        answered(decider, "gate-1", key, key * 200, took)
    };
    for _ in 0..20 {
        assert_ne!(next(&mut decider, 150), "lower-rate");
    }
    assert!(decider.contracts(false, at(4000))[0].violated);
    for _ in 0..5 {
        assert_eq!(next(&mut decider, 150), "lower-rate");
        // the edge is expected to take longer than the contract allows
        assert_eq!(next(&mut decider, 150), "only-edge");
    }
}

#[test]
fn a_violated_contract_goes_to_the_tier_that_answers_sooner() {
    for (policy, step, slow, reason) in
        [("ratio", "cloud", Edge, "contract-cloud"), ("ratio", "edge", Cloud, "contract-edge")]
    {
        let share = if slow == Edge { 0.1 } else { 0.9 };
        let text = format!(
            "policy = '{policy}'\n[ratio]\ncloud_share = {share}\n{GATES}on_violation = ['{step}']"
        );
        let mut decider = with(&text);
        let mut reasons = Vec::new();
        for key in 0..80 {
            let now = key * 500;
            let decided = decider.decide(key, &frame_of("gate-1", key), at(now));
            let tier = decided.choice.destination().unwrap();
            let took = if tier == slow { 180 } else { 60 };
            decider.result(
                key,
                &TierResult { service_ms: Some(took as f64 - 20.0), ..done(tier) },
                at(now + took),
            );
            reasons.push(decided.choice.reason);
        }
        assert!(!reasons[..20].contains(&reason) && reasons.contains(&reason), "{reasons:?}");
    }
}

#[test]
fn a_contract_spends_its_own_budget() {
    let budget = "unit = 'share'\nrate = 0\nburst = 2";
    let text =
        format!("policy = 'cloud-only'\n[budget]\n{budget}\n{GATES}[contract.budget]\n{budget}");
    let mut decider = with(&text);
    let mut to_cloud = |camera: &str, key| {
        decider.decide(key, &frame_of(camera, key), at(key)).choice.destination() == Some(Cloud)
    };
    assert!(to_cloud("gate-1", 1) && to_cloud("gate-1", 2) && !to_cloud("gate-1", 3));
    assert!(to_cloud("yard", 4) && to_cloud("yard", 5) && !to_cloud("yard", 6));
}

#[test]
fn frames_of_a_contract_expire_only_if_it_says_so() {
    let policy = "policy = 'deadline'\n[prior.edge]\nservice_ms = 900\n[prior.cloud]\n\
                  service_ms = 900\nrtt_ms = 10\nmbit_s = 100\n";
    let mut kept = with(&format!("{policy}{GATES}"));
    let mut dropped = with(&format!("{policy}{GATES}on_violation = ['expire']"));
    let action = |decider: &mut Decider<u64>| {
        decider.decide(1, &frame_of("gate-1", 1), at(0)).choice.destination()
    };
    assert!(action(&mut kept).is_some());
    assert_eq!(action(&mut dropped), None);
}

#[test]
fn the_cameras_of_a_lower_priority_leave_room_while_a_higher_one_is_in_danger() {
    let text = "policy = 'deadline'\n[deadline]\ndegrade = ['expire']\n\
                [prior.edge]\nservice_ms = 20\nworkers = 1\n\
                [prior.cloud]\nservice_ms = 20\nrtt_ms = 10\nmbit_s = 1000\nworkers = 1\n\
                [[contract]]\nname = 'high'\ncameras = ['high']\nwithin_ms = 300\nshare = 0.9\n\
                priority = 10\n[[contract]]\nname = 'low'\ncameras = ['low']\nwithin_ms = 300\n\
                share = 0.5\npriority = 1\non_violation = ['expire']";
    let low = |decider: &mut Decider<u64>| {
        decider.lag(Edge, Some(5));
        decider.lag(Cloud, Some(5));
        decider.decide(900, &frame_of("low", 900), at(5000)).choice.destination()
    };
    let mut calm = with(text);
    assert!(low(&mut calm).is_some());
    let mut tense = with(text);
    for _ in 0..30 {
        tense.undecided(&"high".parse().unwrap(), false, at(4000));
    }
    assert_eq!(low(&mut tense), None, "100 ms of work are more than a tenth of its time");
}

#[test]
fn what_was_counted_stays_at_a_reload_that_promises_the_same() {
    let with_step = |step: &str| format!("policy = 'edge-only'\n{GATES}on_violation = [{step}]");
    let mut decider = with(&with_step(""));
    answered(&mut decider, "gate-1", 1, 0, 500);
    let config = PolicyConfig::from_toml(&with_step("'lower-rate'")).unwrap();
    decider.reconfigure(&config, at(600)).unwrap();
    assert_eq!(decider.contracts(false, at(700))[0].missed, 1);
    let other = with_step("").replace("within_ms = 100", "within_ms = 200");
    decider.reconfigure(&PolicyConfig::from_toml(&other).unwrap(), at(800)).unwrap();
    assert_eq!(decider.contracts(false, at(900))[0].missed, 0);
}

proptest! {
    /// Whatever the ends, none is counted twice and none is forgotten.
    #[test]
    fn each_frame_is_counted_once(
        frames in prop::collection::vec((0u64..400, 0usize..5, any::<bool>()), 1..150),
    ) {
        let mut decider = with(&format!(
            "policy = 'alternate'\n{GATES}on_violation = ['cloud', 'lower-rate', 'expire']"
        ));
        let mut now = 0;
        for (key, (took, end, twice)) in (0..).zip(&frames) {
            now += 40;
            let decided = decider.decide(key, &frame_of("gate-1", key), at(now));
            let Some(tier) = decided.choice.destination() else { continue };
            for _ in 0..=usize::from(*twice) {
                match end {
                    0 | 1 => drop(decider.result(key, &done(tier), at(now + took))),
                    2 => decider.late_and_expired(key, at(now + took)),
                    3 => decider.overtaken(key, at(now + took)),
                    _ => decider.ended_elsewhere(key, at(now + took)),
                }
            }
        }
        let ever = decider.contracts(true, at(now)).pop().unwrap();
        prop_assert_eq!(ever.met + ever.missed + ever.set_aside, frames.len() as u64);
    }
}

#[test]
fn uploads_without_a_camera_overtake_nobody() {
    let mut decider = with(
        "policy = 'edge-only'\n[[contract]]\nname = 'all'\ncameras = ['*']\norder = 'newest'\n",
    );
    for (camera, order) in [("gate-1", Order::Newest), ("unnamed", Order::InOrder)] {
        let decided = decider.decide(1, &frame_of(camera, 1), at(1));
        assert_eq!((decided.contract.as_deref(), decided.order), (Some("all"), order), "{camera}");
    }
}
