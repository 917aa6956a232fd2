//! A policy of one's own that panics.

use super::*;
use crate::{Outcome, Snapshot};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Sends everything to the cloud and panics when it is told to.
#[derive(Default, Clone)]
struct Fragile {
    at_choices: Arc<AtomicBool>,
    at_lessons: Arc<AtomicBool>,
}

impl Policy for Fragile {
    fn name(&self) -> &str {
        "fragile"
    }

    fn choose(&self, _frame: &FrameFacts, _load: &Snapshot) -> Choice {
        assert!(!self.at_choices.load(Ordering::Relaxed), "no choice");
        Choice::send(Cloud, "fragile")
    }

    fn learn(&mut self, _outcome: &Outcome) {
        assert!(!self.at_lessons.load(Ordering::Relaxed), "no lesson");
    }
}

fn fragile() -> (Fragile, Decider<u64>) {
    let policy = Fragile::default();
    let config = PolicyConfig::from_toml(
        "policy = 'edge-only'\nmotion.skip_below = 0.01\nhysteresis.dwell_ms = 100\n\
         budget = { unit = 'share', rate = 0.5, burst = 3, per = 'all' }",
    );
    let mut decider = Decider::with_policy(Box::new(policy.clone()), &config.unwrap(), 1);
    answered(&mut decider, 0, 0);
    (policy, decider)
}

fn panics<T>(work: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

/// Everything that can be seen of it.
fn state(decider: &mut Decider<u64>, now: Timestamp) -> String {
    let breakers = Destination::ALL.map(|tier| decider.breaker(tier, now));
    let left = decider.budget_left(now);
    format!("{decider:?} {breakers:?} {left:?} {:?}", decider.snapshot(1000, now))
}

#[test]
fn a_choice_that_panics_changes_nothing() {
    let (policy, mut decider) = fragile();
    let (_, mut untouched) = fragile();
    policy.at_choices.store(true, Ordering::Relaxed);
    for key in 1..50 {
        assert!(panics(|| decider.decide(key, &nth(key), at(1000))));
        assert!(!decider.knows(key));
    }
    policy.at_choices.store(false, Ordering::Relaxed);
    assert_eq!(state(&mut decider, at(1000)), state(&mut untouched, at(1000)));
    let frame = FrameFacts { change: Some(0.5), ..nth(60) };
    assert_eq!(decider.decide(60, &frame, at(1010)), untouched.decide(60, &frame, at(1010)));
}

#[test]
fn a_lesson_that_panics_costs_only_itself() {
    let (policy, mut decider) = fragile();
    let (_, mut other) = fragile();
    policy.at_lessons.store(true, Ordering::Relaxed);
    for decider in [&mut decider, &mut other] {
        for key in 1..4 {
            decider.decide(key, &nth(key), at(1000 + key));
        }
    }
    // an answer, a frame that has expired, and one that goes to the edge
    assert!(panics(|| decider.result(1, &done(Cloud), at(1100))));
    assert!(panics(|| decider.late_and_expired(2, at(7000))));
    assert!(panics(|| decider.late(3, at(7000))));
    assert_eq!(decider.late(3, at(7000)), Some(TakenTo::Edge), "the second call goes without it");
    assert_eq!(decider.late(3, at(7000)), None);
    other.result(1, &done(Cloud), at(1100));
    other.late_and_expired(2, at(7000));
    assert_eq!(other.late(3, at(7000)), Some(TakenTo::Edge));
    assert_eq!(state(&mut decider, at(7000)), state(&mut other, at(7000)));
    decider.result(3, &done(Edge), at(7100));
    assert!(!decider.knows(3));
}

#[test]
fn a_provisional_answer_counts_after_a_lesson_that_panics() {
    let (policy, mut decider) = fragile();
    decider.guards.reconfigure(&PolicyConfig::of(PolicyName::Cascade), false, at(10));
    decider.decide(1, &nth(1), at(20));
    policy.at_lessons.store(true, Ordering::Relaxed);
    let provisional = TierResult { provisional: true, ..done(Edge) };
    let answer_by = decider.result(1, &provisional, at(50)).expect("it goes on to the cloud");
    assert!(panics(|| decider.late(1, answer_by)));
    assert_eq!(decider.late(1, answer_by), Some(TakenTo::Provisional));
    assert!(!decider.knows(1));
}
