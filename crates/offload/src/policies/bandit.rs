//! An online learner that finds by itself how far a prediction can be trusted.
//!
//! The arms are the two tiers, the context of an arm is its *load ratio*: the predicted completion
//! as a share of the time that is left, in buckets. What is learned is the probability of missing
//! the deadline in each bucket of each tier. It can only grow with the ratio, and that structure is
//! used twice, as HI-LCB does for confidences (arXiv 2508.08985): neighbouring buckets that
//! contradict it are pooled (isotonic regression, pool-adjacent-violators), and a bucket's lower
//! confidence bound is at least that of every bucket below it. The arm with the lowest bound is
//! chosen, so what has been tried little is tried more. The learned probabilities act as a
//! threshold on the ratio that moves with the network: older evidence counts less.
//!
//! A latency bandit that stops sending to a tier hears nothing of it any more and can be trapped
//! (ANS, arXiv 2102.02638); so a tier that was silent for a while, the second best tier near the
//! threshold, and frames that seem hopeless are tried now and then by force.

use crate::config::Bandit;
use crate::{Action, Choice, End, FrameFacts, Outcome, Policy, Snapshot, TierSnapshot};
use frame::Destination::{self, Cloud, Edge};

/// Upper ends of the buckets of load ratios; the last bucket has none.
const BUCKETS: [f64; 16] =
    [0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.4, 2.0, f64::INFINITY];
/// What an older observation counts of what the next one does: about the latest hundred in a bucket
/// count.
const DISCOUNT: f64 = 0.99;
/// How many observations the initial belief is worth.
const PRIOR_WEIGHT: f64 = 1.0;
/// The width of the confidence bound; the theory's constant is for worst cases and explores more
/// than pays.
const CONFIDENCE: f64 = 0.005;
/// Above this probability of missing, a frame is not worth the time of a tier that has nothing else
/// to do.
const HOPELESS: f64 = 0.8;
/// Above this one, it only takes time from frames that would be in time, where others wait.
const RISKY: f64 = 0.15;
/// Of the frames that seem hopeless, one in so many is sent all the same.
const HOPELESS_TRIED: u64 = 32;
/// Near the threshold, one frame in so many goes to the second best tier.
const SECOND_TRIED: u64 = 64;
/// A tier without a result for so long gets a frame, milliseconds.
const SILENT_MS: f64 = 3000.0;
/// What a frame may cost in probability of missing to save the price of the dearer tier.
const PRICE_WEIGHT: f64 = 0.02;

/// Learns the probability of missing the deadline by tier and load ratio.
pub(super) struct ThresholdBandit {
    config: Bandit,
    arms: [Arm; 2],
    observations: f64,
}

#[derive(Clone)]
struct Arm {
    cells: [Cell; BUCKETS.len()],
    /// The probability of missing, never falling from bucket to bucket.
    miss: [f64; BUCKETS.len()],
    /// Its lower confidence bound, never falling either.
    bound: [f64; BUCKETS.len()],
}

#[derive(Clone, Copy)]
struct Cell {
    weight: f64,
    missed: f64,
}

/// What is believed of sending a frame to a tier.
#[derive(Clone, Copy)]
struct Belief {
    bucket: usize,
    miss: f64,
    bound: f64,
}

impl Arm {
    fn new() -> Self {
        // before anything was seen, predictions are taken at their word
        let cell = |index: usize| {
            let missed = match BUCKETS[index] {
                upper if upper <= 0.9 => 0.0,
                upper if upper <= 1.0 => 0.5,
                _ => 1.0,
            };
            Cell { weight: PRIOR_WEIGHT, missed: PRIOR_WEIGHT * missed }
        };
        let mut arm = Self {
            cells: std::array::from_fn(cell),
            miss: [0.0; BUCKETS.len()],
            bound: [0.0; BUCKETS.len()],
        };
        arm.estimate(1.0);
        arm
    }

    fn observe(&mut self, bucket: usize, missed: bool) {
        let cell = &mut self.cells[bucket];
        cell.weight = cell.weight * DISCOUNT + 1.0;
        cell.missed = cell.missed * DISCOUNT + f64::from(u8::from(missed));
    }

    /// Pools adjacent violators, then bounds.
    fn estimate(&mut self, observations: f64) {
        let mut blocks: Vec<(f64, f64, usize)> = Vec::with_capacity(BUCKETS.len());
        for cell in &self.cells {
            let (mut missed, mut weight, mut length) = (cell.missed, cell.weight, 1);
            while let Some(&(before, of, cells)) = blocks.last()
                && before / of > missed / weight
            {
                (missed, weight, length) = (missed + before, weight + of, length + cells);
                blocks.pop();
            }
            blocks.push((missed, weight, length));
        }
        let (mut bucket, mut least) = (0, 0.0f64);
        for (missed, weight, length) in blocks {
            let probability = missed / weight;
            let width = (CONFIDENCE * (1.0 + observations).ln() / weight).sqrt();
            least = least.max(probability - width);
            for _ in 0..length {
                (self.miss[bucket], self.bound[bucket]) = (probability, least.clamp(0.0, 1.0));
                bucket += 1;
            }
        }
    }
}

impl ThresholdBandit {
    pub(super) fn new(config: Bandit) -> Self {
        Self { config, arms: [Arm::new(), Arm::new()], observations: 1.0 }
    }

    fn left_ms(&self, frame: &FrameFacts) -> f64 {
        frame.deadline_left_ms.unwrap_or(self.config.target_ms)
    }

    fn belief(&self, tier: Destination, seen: &TierSnapshot, left_ms: f64) -> Option<Belief> {
        let bucket = bucket_of(seen.predicted_ms? / left_ms.max(0.001));
        let arm = &self.arms[index(tier)];
        Some(Belief { bucket, miss: arm.miss[bucket], bound: arm.bound[bucket] })
    }
}

fn index(tier: Destination) -> usize {
    usize::from(tier == Cloud)
}

fn bucket_of(ratio: f64) -> usize {
    BUCKETS.partition_point(|upper| *upper < ratio).min(BUCKETS.len() - 1)
}

impl Policy for ThresholdBandit {
    fn name(&self) -> &str {
        "bandit"
    }

    fn choose(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        let left_ms = self.left_ms(frame);
        let idle = |tier: Destination| load.of(tier).backlog_frames == Some(0);
        // while a frame finds out how a tier is that nothing is known of, no other one should
        // follow it
        let not_now = Belief { bucket: BUCKETS.len() - 1, miss: 1.0, bound: 1.0 };
        let belief = |tier: Destination| {
            let seen = load.of(tier);
            if seen.shut { Some(not_now) } else { self.belief(tier, seen, left_ms) }
        };
        let (edge, cloud) = match (belief(Edge), belief(Cloud)) {
            (Some(edge), Some(cloud)) => (edge, cloud),
            (None, _) if load.edge.may_be_tried() => return Choice::send(Edge, "edge-unknown"),
            (_, None) if load.cloud.may_be_tried() => return Choice::send(Cloud, "cloud-unknown"),
            (None, Some(cloud)) => (not_now, cloud),
            (Some(edge), None) => (edge, not_now),
            (None, None) => return Choice::send(Edge, "both-unknown"),
        };
        let dearest = load.edge.price.max(load.cloud.price);
        let cost = |tier: Destination, belief: &Belief| {
            let price = if dearest > 0.0 { load.of(tier).price / dearest } else { 0.0 };
            belief.bound + PRICE_WEIGHT * price
        };
        let (cost_edge, cost_cloud) = (cost(Edge, &edge), cost(Cloud, &cloud));
        let (best, second) = if cost_cloud < cost_edge { (Cloud, Edge) } else { (Edge, Cloud) };
        let of = |tier| if tier == Cloud { &cloud } else { &edge };
        let silent = |tier: Destination| {
            idle(tier) && load.of(tier).last_result_ms.is_some_and(|ms| ms > SILENT_MS)
        };
        let lean = (cost_edge - cost_cloud).clamp(-1.0, 1.0);
        let hopeless = |tier: Destination, belief: &Belief| {
            belief.miss > if load.of(tier).is_idle() { HOPELESS } else { RISKY }
        };
        let (edge_hopeless, cloud_hopeless) = (hopeless(Edge, &edge), hopeless(Cloud, &cloud));
        let (best, second) = match (edge_hopeless, cloud_hopeless) {
            (true, false) => (Cloud, Edge),
            (false, true) => (Edge, Cloud),
            _ => (best, second),
        };
        let choice = if edge_hopeless && cloud_hopeless {
            if frame.deadline_left_ms.is_some() && !frame.ordinal.is_multiple_of(HOPELESS_TRIED) {
                Choice::new(Action::Expire, "no-tier-in-time")
            } else {
                let less_late = if cloud.bucket < edge.bucket { Cloud } else { Edge };
                Choice::send(less_late, "least-late")
            }
        } else if silent(second) && of(second).miss < 0.5 {
            Choice::send(second, "explore-silent")
        } else if frame.ordinal.is_multiple_of(SECOND_TRIED)
            && of(best).miss > 0.1
            && of(second).miss < 0.5
        {
            Choice::send(second, "explore-second")
        } else {
            Choice::send(best, "least-risk")
        };
        choice.leaning(lean)
    }

    fn learn(&mut self, outcome: &Outcome) {
        let left_ms = self.left_ms(&outcome.frame);
        let Some(predicted_ms) = outcome.load.of(outcome.tier).predicted_ms else { return };
        let missed = match outcome.end {
            // a broken frame says nothing about the tier
            End::Failed => return,
            End::Done => outcome.took_ms > left_ms,
            End::Expired | End::Late => true,
        };
        self.observations += 1.0;
        let arm = &mut self.arms[index(outcome.tier)];
        arm.observe(bucket_of(predicted_ms / left_ms.max(0.001)), missed);
        arm.estimate(self.observations);
    }
}

#[cfg(test)]
mod tests {
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
    fn it_learns_that_a_tier_is_slower_than_predicted_and_that_it_has_become_faster() {
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
        fn more_load_never_seems_less_risky(seen in prop::collection::vec((0.0..900.0f64, 0.0..900.0f64, any::<bool>()), 0..300)) {
            let mut bandit = ThresholdBandit::new(Bandit::default());
            for (predicted, took, cloud) in seen {
                bandit.learn(&outcome(if cloud { Cloud } else { Edge }, predicted, took));
            }
            for arm in &bandit.arms {
                prop_assert!(arm.miss.is_sorted() && arm.bound.is_sorted());
                prop_assert!(arm.bound.iter().zip(&arm.miss).all(|(bound, miss)| bound <= miss && (0.0..=1.0).contains(miss)));
            }
        }
    }
}
