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

mod arm;

use super::PolicySettings;
use crate::config::range;
use crate::{
    Action, Choice, End, FrameFacts, Outcome, Policy, PolicyError, Snapshot, TierSnapshot,
};
use arm::{Arm, LAST_BUCKET, bucket_of};
use frame::Destination::{self, Cloud, Edge};
use frame::PerTier;
use serde::{Deserialize, Serialize};

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

/// `[bandit]`
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bandit {
    /// What frames without a deadline of their own are held to, in milliseconds; such frames never
    /// expire.
    pub target_ms: f64,
}

impl Default for Bandit {
    fn default() -> Self {
        Self { target_ms: 1000.0 }
    }
}

impl PolicySettings for Bandit {
    fn check(&self) -> Result<(), PolicyError> {
        let Self { target_ms } = *self;
        range::time("[bandit] target_ms", target_ms)
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(ThresholdBandit::new(*self)))
    }
}

/// Learns the probability of missing the deadline by tier and load ratio.
struct ThresholdBandit {
    config: Bandit,
    arms: PerTier<Arm>,
    observations: f64,
}

/// What is believed of sending a frame to a tier.
#[derive(Clone, Copy)]
struct Belief {
    bucket: usize,
    miss: f64,
    bound: f64,
}

impl ThresholdBandit {
    fn new(config: Bandit) -> Self {
        Self { config, arms: PerTier::from_fn(|_| Arm::new()), observations: 1.0 }
    }

    fn left_ms(&self, frame: &FrameFacts) -> f64 {
        frame.wanted_within_ms().unwrap_or(self.config.target_ms)
    }

    fn belief(&self, tier: Destination, seen: &TierSnapshot, left_ms: f64) -> Option<Belief> {
        let bucket = bucket_of(seen.predicted_ms? / left_ms.max(0.001));
        let arm = &self.arms[tier];
        Some(Belief { bucket, miss: arm.miss[bucket], bound: arm.bound[bucket] })
    }
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
        let not_now = Belief { bucket: LAST_BUCKET, miss: 1.0, bound: 1.0 };
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
            (true, true) | (false, false) => (best, second),
        };
        let choice = if edge_hopeless && cloud_hopeless {
            if frame.may_expire() && !frame.ordinal.is_multiple_of(HOPELESS_TRIED) {
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
        let arm = &mut self.arms[outcome.tier];
        arm.observe(bucket_of(predicted_ms / left_ms.max(0.001)), missed);
        arm.estimate(self.observations);
    }
}

#[cfg(test)]
mod tests;
