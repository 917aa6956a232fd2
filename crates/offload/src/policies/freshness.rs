//! The youngest answers that a share of the frames in the cloud can buy.
//!
//! What is kept low is the age of information: how old the newest answered frame of a camera is.
//! A frame goes where its answer will be youngest, where the cloud has a price: the length of a
//! virtual queue that grows with each frame sent there and shrinks by the share that is allowed
//! (drift plus penalty: I. Kadota, A. Sinha, E. Modiano, *Optimizing age of information in wireless
//! networks with throughput constraints*, INFOCOM 2018). So the cloud gets the frames for which it
//! saves the most. A frame that would wait behind others makes nothing fresher that the next one
//! would not (Y. Sun et al., *Update or wait: how to keep your data fresh*, 2017): it is dropped if
//! it may expire. With `order = "newest"` in a contract, those that wait all the same are
//! overtaken.

use super::PolicySettings;
use crate::config::range;
use crate::{Action, Choice, FrameFacts, Outcome, Policy, PolicyError, Snapshot, TierSnapshot};
use frame::Destination::{Cloud, Edge};
use serde::{Deserialize, Serialize};

/// How many milliseconds of age a frame in the virtual queue is worth.
const MS_PER_FRAME: f64 = 10.0;
/// The virtual queue is no longer than this: what was spent long ago is forgotten.
const MAX_SPENT: f64 = 10_000.0;

/// `[freshness]`
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Freshness {
    /// Which share of the frames may go to the cloud in the long run, from 0 to 1.
    pub cloud_share: f64,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { cloud_share: 0.3 }
    }
}

impl PolicySettings for Freshness {
    fn check(&self) -> Result<(), PolicyError> {
        let Self { cloud_share } = *self;
        range::share("[freshness] cloud_share", cloud_share)
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(Youngest { config: *self, spent: 0.0, counted: 0 }))
    }
}

/// Weighs the age that the cloud saves against what was sent there.
struct Youngest {
    config: Freshness,
    /// The virtual queue, in frames.
    spent: f64,
    /// So many frames have been counted; those that were dropped are among them.
    counted: u64,
}

/// Whether a frame would wait there for longer than another one takes.
fn is_long(tier: &TierSnapshot) -> bool {
    tier.shut || tier.waiting_ms() > tier.service_ms.unwrap_or(f64::INFINITY)
}

impl Policy for Youngest {
    fn name(&self) -> &str {
        "freshness"
    }

    fn choose(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        let (edge, cloud) = (&load.edge, &load.cloud);
        let predicted = |tier: &TierSnapshot| tier.predicted_ms.filter(|_| !tier.shut);
        let may_spend = self.config.cloud_share > 0.0;
        let price_ms = MS_PER_FRAME * self.spent;
        let choice = match (predicted(edge), predicted(cloud)) {
            (None, _) if edge.may_be_tried() => Choice::send(Edge, "edge-unknown"),
            (_, None) if may_spend && cloud.may_be_tried() => Choice::send(Cloud, "cloud-unknown"),
            (_, None) => Choice::send(Edge, "cloud-unknown"),
            (None, Some(_)) if may_spend => Choice::send(Cloud, "edge-unknown"),
            (None, Some(_)) => Choice::send(Edge, "edge-unknown"),
            (Some(edge_ms), Some(cloud_ms)) => {
                let saved_ms = edge_ms - cloud_ms;
                let choice = if may_spend && saved_ms > price_ms {
                    Choice::send(Cloud, "younger-in-cloud")
                } else if saved_ms > 0.0 {
                    Choice::send(Edge, "cloud-too-dear")
                } else {
                    Choice::send(Edge, "younger-on-edge")
                };
                choice.leaning((saved_ms / edge_ms.max(1.0)).clamp(-1.0, 1.0))
            }
        };
        let chosen = if choice.destination() == Some(Cloud) { cloud } else { edge };
        if frame.may_expire() && is_long(chosen) && predicted(chosen).is_some() {
            return Choice { action: Action::Expire, reason: "next-is-younger", ..choice };
        }
        choice
    }

    fn learn(&mut self, outcome: &Outcome) {
        let sent = if outcome.tier == Cloud { 1.0 } else { 0.0 };
        // results come in any order
        let until = (outcome.frame.ordinal + 1).max(self.counted);
        let frames = (until - std::mem::replace(&mut self.counted, until)) as f64;
        self.spent = (self.spent + sent - self.config.cloud_share * frames).clamp(0.0, MAX_SPENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::End;
    use crate::testing::{facts, nth, tier};
    use frame::Destination;

    fn load(edge_ms: f64, cloud_ms: f64) -> Snapshot {
        let seen = |ms| TierSnapshot {
            backlog_frames: Some(0),
            service_ms: Some(20.0),
            ..tier(ms, ms, 1.0)
        };
        Snapshot { edge: seen(edge_ms), cloud: seen(cloud_ms) }
    }

    fn youngest(cloud_share: f64) -> Youngest {
        Youngest { config: Freshness { cloud_share }, spent: 0.0, counted: 0 }
    }

    /// Decides on a frame and hears of its answer.
    fn step(policy: &mut Youngest, n: u64, load: Snapshot) -> Destination {
        let (frame, choice) = (nth(n), policy.choose(&nth(n), &load));
        let tier = choice.destination().unwrap();
        policy.learn(&Outcome {
            frame,
            load,
            choice,
            tier,
            end: End::Done,
            took_ms: 50.0,
            measured: None,
            loss: None,
            wrong: None,
        });
        tier
    }

    #[test]
    fn the_share_of_the_cloud_is_kept_in_the_long_run() {
        for share in [0.0, 0.1, 0.5, 1.0] {
            let mut policy = youngest(share);
            let to_cloud =
                (0..5000).filter(|n| step(&mut policy, *n, load(90.0, 40.0)) == Cloud).count();
            let off = (to_cloud as f64 / 5000.0 - share).abs();
            assert!(off < 0.01, "{to_cloud} of 5000 for {share}");
        }
    }

    #[test]
    fn the_cloud_gets_the_frames_for_which_it_saves_the_most() {
        let mut policy = youngest(0.25);
        let (mut slow, mut quick) = (0, 0);
        for n in 0..4000 {
            let is_slow = n % 4 == 0;
            let tier = step(&mut policy, n, load(if is_slow { 400.0 } else { 90.0 }, 60.0));
            match (tier, is_slow) {
                (Cloud, true) => slow += 1,
                (Cloud, false) => quick += 1,
                (Edge, _) => {}
            }
        }
        assert!(slow > 900 && quick < 100, "{slow} slow ones and {quick} others");
    }

    #[test]
    fn a_frame_that_would_wait_is_dropped_only_if_it_may_expire() {
        let policy = youngest(0.3);
        let mut busy = load(90.0, 400.0);
        busy.edge.backlog_frames = Some(3);
        assert_eq!(policy.choose(&facts(), &busy).reason, "next-is-younger");
        let wanted = FrameFacts { deadline_left_ms: None, ..facts() };
        assert_eq!(policy.choose(&wanted, &busy).destination(), Some(Edge));
    }

    #[test]
    fn what_is_not_known_is_tried_and_what_is_shut_is_not() {
        let policy = youngest(0.3);
        let free = TierSnapshot { backlog_frames: Some(0), ..TierSnapshot::default() };
        let unknown = Snapshot { edge: free, cloud: free };
        assert_eq!(policy.choose(&facts(), &unknown).destination(), Some(Edge));
        let mut shut = load(500.0, 40.0);
        shut.cloud.shut = true;
        assert_eq!(policy.choose(&facts(), &shut).destination(), Some(Edge));
    }
}
