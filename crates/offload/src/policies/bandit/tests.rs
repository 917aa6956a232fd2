//! The bandit at first, after it has learned, and with tiers of which nothing is known.

use super::*;
use crate::testing::{facts, nth, tier};
use proptest::prelude::*;

fn outcome(bandit_tier: Destination, predicted_ms: f64, took_ms: f64) -> Outcome {
    let seen = tier(predicted_ms, predicted_ms, 0.0);
    Outcome {
        frame: facts(),
        load: Snapshot { edge: seen, cloud: seen },
        choice: Choice::send(bandit_tier, "test"),
        tier: bandit_tier,
        end: End::Done,
        took_ms,
        measured: None,
        loss: None,
        wrong: None,
    }
}

fn choose(bandit: &ThresholdBandit, edge_ms: f64, cloud_ms: f64) -> Choice {
    bandit.choose(
        &nth(1),
        &Snapshot { edge: tier(edge_ms, edge_ms, 0.0), cloud: tier(cloud_ms, cloud_ms, 1.0) },
    )
}

#[test]
fn at_first_predictions_are_taken_at_their_word() {
    let bandit = ThresholdBandit::new(Bandit::default());
    let cases = [
        (80.0, 60.0, Some(Edge)),
        (400.0, 100.0, Some(Cloud)),
        (100.0, 400.0, Some(Edge)),
        (500.0, 500.0, None),
    ];
    for (edge, cloud, destination) in cases {
        assert_eq!(choose(&bandit, edge, cloud).destination(), destination, "{edge} {cloud}");
    }
}

#[test]
fn it_learns_when_predictions_are_too_low_and_when_not() {
    let mut bandit = ThresholdBandit::new(Bandit::default());
    // predicted at 0.77 of the deadline, and late every time
    for _ in 0..60 {
        bandit.learn(&outcome(Edge, 230.0, 400.0));
    }
    assert_eq!(choose(&bandit, 230.0, 200.0).destination(), Some(Cloud));
    assert_eq!(
        choose(&bandit, 100.0, 200.0).destination(),
        Some(Edge),
        "lower loads are not blamed for it"
    );
    assert_eq!(choose(&bandit, 290.0, 200.0).destination(), Some(Cloud), "higher loads are");
    for _ in 0..600 {
        bandit.learn(&outcome(Edge, 230.0, 200.0));
    }
    assert_eq!(choose(&bandit, 230.0, 200.0).destination(), Some(Edge));
}

#[test]
fn it_is_not_trapped() {
    let mut bandit = ThresholdBandit::new(Bandit::default());
    let silent = TierSnapshot {
        backlog_frames: Some(0),
        last_result_ms: Some(5000.0),
        ..tier(60.0, 60.0, 1.0)
    };
    let load = Snapshot { edge: tier(80.0, 80.0, 0.0), cloud: silent };
    assert_eq!(bandit.choose(&nth(1), &load).reason, "explore-silent");
    for _ in 0..200 {
        bandit.learn(&outcome(Edge, 100.0, 900.0));
        bandit.learn(&outcome(Cloud, 100.0, 900.0));
    }
    let hopeless: Vec<Choice> = (0..64)
        .map(|n| {
            bandit.choose(
                &nth(n),
                &Snapshot { edge: tier(100.0, 100.0, 0.0), cloud: tier(100.0, 100.0, 1.0) },
            )
        })
        .collect();
    assert_eq!(hopeless.iter().filter(|choice| choice.reason == "least-late").count(), 2);
}

#[test]
fn what_is_not_known_is_said() {
    let bandit = ThresholdBandit::new(Bandit::default());
    let unknown =
        |backlog| TierSnapshot { backlog_frames: Some(backlog), ..TierSnapshot::default() };
    let reason = |edge, cloud| bandit.choose(&facts(), &Snapshot { edge, cloud }).reason;
    assert_eq!(reason(unknown(0), unknown(0)), "edge-unknown");
    assert_eq!(reason(unknown(2), unknown(0)), "cloud-unknown");
    assert_eq!(reason(unknown(2), unknown(1)), "both-unknown");
    let choice = |edge, cloud| bandit.choose(&nth(1), &Snapshot { edge, cloud }).destination();
    assert_eq!(choice(tier(80.0, 80.0, 0.0), unknown(1)), Some(Edge));
    assert_eq!(choice(unknown(1), tier(80.0, 80.0, 0.0)), Some(Cloud));
    assert_eq!(choice(tier(900.0, 900.0, 0.0), unknown(1)), None);
}

proptest! {
    #[test]
    fn more_load_never_seems_less_risky(
        seen in prop::collection::vec((0.0..900.0f64, 0.0..900.0f64, any::<bool>()), 0..300),
    ) {
        let mut bandit = ThresholdBandit::new(Bandit::default());
        for (predicted, took, cloud) in seen {
            bandit.learn(&outcome(if cloud { Cloud } else { Edge }, predicted, took));
        }
        for arm in bandit.arms.values() {
            prop_assert!(arm.miss.is_sorted() && arm.bound.is_sorted());
            for (bound, miss) in arm.bound.iter().zip(&arm.miss) {
                prop_assert!(bound <= miss && (0.0..=1.0).contains(miss));
            }
        }
    }
}
