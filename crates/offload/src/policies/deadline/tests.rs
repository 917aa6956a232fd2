//! What the policy chooses for what it knows of the tiers, case by case.

use super::*;
use crate::testing::{facts, tier};

fn choose(config: Deadline, edge: TierSnapshot, cloud: TierSnapshot, left: Option<f64>) -> Choice {
    let frame = FrameFacts { deadline_left_ms: left, ..facts() };
    DeadlineAware::new(config).choose(&frame, &Snapshot { edge, cloud })
}

/// Edge expected and high, cloud expected and high, time left → where and why.
#[test]
fn scenarios() {
    let cases = [
        ((80.0, 100.0), (60.0, 90.0), 300.0, Some(Edge), "cheaper-in-time"),
        ((250.0, 320.0), (60.0, 90.0), 300.0, Some(Cloud), "cloud-in-time"),
        ((80.0, 100.0), (400.0, 500.0), 300.0, Some(Edge), "edge-in-time"),
        ((280.0, 320.0), (250.0, 350.0), 300.0, Some(Cloud), "tight"),
        ((250.0, 320.0), (280.0, 350.0), 300.0, Some(Edge), "tight"),
        ((350.0, 420.0), (280.0, 350.0), 300.0, Some(Cloud), "tight"),
        ((350.0, 420.0), (380.0, 450.0), 300.0, None, "no-tier-in-time"),
    ];
    for (edge, cloud, left, destination, reason) in cases {
        let idle = |(expected, high): (f64, f64), price| TierSnapshot {
            backlog_frames: Some(0),
            ..tier(expected, high, price)
        };
        let choice = choose(Deadline::default(), idle(edge, 0.0), idle(cloud, 1.0), Some(left));
        assert_eq!(
            (choice.destination(), choice.reason),
            (destination, reason),
            "{edge:?} {cloud:?} {left}"
        );
    }
}

#[test]
fn a_tight_frame_does_not_make_others_wait() {
    let choice =
        choose(Deadline::default(), tier(280.0, 320.0, 0.0), tier(290.0, 350.0, 1.0), Some(300.0));
    assert_eq!((choice.destination(), choice.reason), (None, "no-tier-in-time"));
}

#[test]
fn a_long_queue_of_the_cheaper_tier_is_avoided() {
    let reason = |edge, cloud| {
        choose(Deadline::default(), tier(edge, edge, 0.0), tier(cloud, cloud, 1.0), Some(300.0))
            .reason
    };
    assert_eq!(
        [reason(140.0, 60.0), reason(160.0, 60.0), reason(160.0, 170.0)],
        ["cheaper-in-time", "sooner-in-time", "cheaper-in-time"]
    );
}

#[test]
fn the_cheaper_tier_is_taken_when_both_are_in_time() {
    let choice =
        choose(Deadline::default(), tier(80.0, 90.0, 2.0), tier(80.0, 90.0, 1.0), Some(300.0));
    assert_eq!((choice.destination(), choice.reason), (Some(Cloud), "cheaper-in-time"));
}

#[test]
fn degradation_goes_in_the_declared_order() {
    let late = |degrade: Vec<Degrade>, backlog: u64, lateness: f64, left: Option<f64>| {
        let config = Deadline {
            degrade,
            edge_backlog_up_to: 10,
            late_up_to_ms: 200.0,
            target_ms: 300.0,
            ..Deadline::default()
        };
        let edge = TierSnapshot { backlog_frames: Some(backlog), ..tier(900.0, 900.0, 0.0) };
        let choice = choose(config, edge, tier(300.0 + lateness, 900.0, 1.0), left);
        (choice.destination(), choice.reason)
    };
    use Degrade::{Edge as OnEdge, Expire, Late};
    let left = Some(300.0);
    assert_eq!(late(vec![OnEdge, Expire], 10, 100.0, left), (Some(Edge), "late-on-edge"));
    assert_eq!(late(vec![OnEdge, Expire], 11, 100.0, left), (None, "no-tier-in-time"));
    assert_eq!(late(vec![Late, Expire], 11, 100.0, left), (Some(Cloud), "least-late"));
    assert_eq!(late(vec![Late, Expire], 11, 300.0, left), (None, "no-tier-in-time"));
    assert_eq!(late(vec![], 11, 300.0, left), (Some(Cloud), "least-late"));
    assert_eq!(
        late(vec![Expire], 11, 100.0, None),
        (Some(Cloud), "least-late"),
        "only frames with a deadline expire"
    );
}

#[test]
fn when_both_are_late_work_is_shared() {
    let late = |edge_ms: f64, cloud_ms: f64, shut: bool| {
        let config = Deadline {
            degrade: vec![Degrade::Edge, Degrade::Late],
            target_ms: 300.0,
            ..Deadline::default()
        };
        let edge = TierSnapshot {
            service_ms: Some(100.0),
            backlog_frames: Some(60),
            ..tier(edge_ms, edge_ms, 0.0)
        };
        let cloud = TierSnapshot { shut, ..tier(cloud_ms, cloud_ms, 1.0) };
        choose(config, edge, cloud, None).reason
    };
    assert_eq!(late(6000.0, 400.0, false), "least-late");
    assert_eq!(late(6000.0, 7000.0, false), "late-on-edge");
    assert_eq!(late(1000.0, 400.0, false), "late-on-edge");
    assert_eq!(late(6000.0, 400.0, true), "late-on-edge");
}

#[test]
fn unknown_tiers_are_tried_one_frame_at_a_time() {
    let unknown =
        |backlog| TierSnapshot { backlog_frames: Some(backlog), ..TierSnapshot::default() };
    let known = tier(80.0, 90.0, 0.0);
    let cases = [
        (unknown(0), unknown(0), Edge, "edge-unknown"),
        (unknown(1), unknown(0), Cloud, "cloud-unknown"),
        (unknown(1), unknown(1), Edge, "both-unknown"),
        (known, unknown(0), Cloud, "cloud-unknown"),
        (known, unknown(1), Edge, "edge-in-time"),
        (unknown(400), unknown(7), Cloud, "both-unknown"),
        (unknown(3), known, Cloud, "edge-unknown"),
        (TierSnapshot::default(), TierSnapshot::default(), Edge, "both-unknown"),
    ];
    for (edge, cloud, destination, reason) in cases {
        let choice = choose(Deadline::default(), edge, cloud, Some(300.0));
        assert_eq!(
            (choice.destination(), choice.reason, choice.lean),
            (Some(destination), reason, None)
        );
    }
}

#[test]
fn a_tier_that_was_too_slow_once_is_tried_again() {
    let heard = |expected: f64, age_ms: f64| TierSnapshot {
        backlog_frames: Some(0),
        last_result_ms: Some(age_ms),
        ..tier(expected, expected, 0.0)
    };
    let chosen = |edge, cloud| {
        let choice = choose(Deadline::default(), edge, cloud, Some(300.0));
        (choice.destination(), choice.reason)
    };
    assert_eq!(chosen(heard(400.0, 100.0), heard(400.0, 100.0)), (None, "no-tier-in-time"));
    assert_eq!(chosen(heard(400.0, 6000.0), heard(400.0, 100.0)), (Some(Edge), "refresh"));
    assert_eq!(chosen(heard(400.0, 100.0), heard(400.0, 6000.0)), (Some(Cloud), "refresh"));
    assert_eq!(chosen(heard(80.0, 100.0), heard(400.0, 6000.0)), (Some(Edge), "edge-in-time"));
    assert_eq!(chosen(heard(80.0, 100.0), heard(400.0, 31_000.0)), (Some(Cloud), "refresh"));
    assert_eq!(chosen(heard(400.0, 31_000.0), heard(80.0, 100.0)), (Some(Edge), "refresh"));
}

#[test]
fn a_tier_that_is_shut_is_no_choice() {
    let shut = TierSnapshot { shut: true, ..tier(60.0, 70.0, 1.0) };
    assert_eq!(
        choose(Deadline::default(), tier(250.0, 270.0, 0.0), shut, Some(300.0)).destination(),
        Some(Edge)
    );
    assert_eq!(
        choose(Deadline::default(), tier(450.0, 470.0, 0.0), shut, Some(300.0)).reason,
        "no-tier-in-time"
    );
    let unknown = TierSnapshot { shut: true, backlog_frames: Some(0), ..TierSnapshot::default() };
    assert_eq!(
        choose(Deadline::default(), tier(450.0, 470.0, 0.0), unknown, Some(300.0)).reason,
        "no-tier-in-time"
    );
}

#[test]
fn a_cloud_that_was_not_heard_of_for_long_gets_one_frame() {
    let cloud = |age_ms, backlog| TierSnapshot {
        last_result_ms: Some(age_ms),
        backlog_frames: Some(backlog),
        ..tier(60.0, 90.0, 1.0)
    };
    let reason = |age_ms, backlog| {
        choose(Deadline::default(), tier(80.0, 90.0, 0.0), cloud(age_ms, backlog), Some(300.0))
            .reason
    };
    assert_eq!(
        [reason(4000.0, 0), reason(6000.0, 0), reason(6000.0, 1)],
        ["cheaper-in-time", "refresh", "cheaper-in-time"]
    );
}

#[test]
fn a_link_is_kept_busy_and_not_more() {
    // a frame of 30,000 bytes takes 100 ms over it; there and back with the work takes 90 ms
    let cloud = |waits: f64| TierSnapshot {
        throughput_bytes_per_s: Some(300_000.0),
        rtt_ms: Some(40.0),
        service_ms: Some(50.0),
        backlog_bytes: Some(30_000),
        ..tier(190.0 + waits, 600.0, 1.0)
    };
    let late = tier(900.0, 900.0, 0.0);
    let reason = |waits| choose(Deadline::default(), late, cloud(waits), Some(300.0)).reason;
    assert_eq!([reason(60.0), reason(100.0)], ["tight", "no-tier-in-time"]);
}

#[test]
fn a_hopeless_frame_tries_an_idle_cloud() {
    let late = tier(900.0, 900.0, 0.0);
    let cloud = TierSnapshot { backlog_bytes: Some(0), ..tier(800.0, 900.0, 1.0) };
    let reason = |cloud, left| choose(Deadline::default(), late, cloud, left).reason;
    assert_eq!(reason(cloud, Some(300.0)), "last-chance");
    assert_eq!(reason(TierSnapshot { shut: true, ..cloud }, Some(300.0)), "no-tier-in-time");
    let busy = TierSnapshot { backlog_bytes: Some(30_000), ..cloud };
    assert_eq!(reason(busy, Some(300.0)), "no-tier-in-time");
}

#[test]
fn what_only_the_edge_can_save_does_not_explore() {
    let unknown = TierSnapshot {
        backlog_frames: Some(0),
        service_p95_ms: Some(50.0),
        rtt_ms: Some(40.0),
        ..TierSnapshot::default()
    };
    let reason = |edge_ms| {
        choose(Deadline::default(), tier(edge_ms, edge_ms, 0.0), unknown, Some(300.0)).reason
    };
    assert_eq!(
        [reason(200.0), reason(220.0), reason(400.0)],
        ["cloud-unknown", "edge-in-time", "cloud-unknown"]
    );
}
