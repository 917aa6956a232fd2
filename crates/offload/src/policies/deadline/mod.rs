//! Meet the frame's deadline at the least cost.

use super::PolicySettings;
use crate::config::range;
use crate::{Action, Choice, FrameFacts, Policy, PolicyError, Snapshot, TierSnapshot};
use frame::Destination::{self, Cloud, Edge};
use serde::{Deserialize, Serialize};

/// How many times rarer a tier is asked that seems too slow.
const RARELY: f64 = 6.0;

/// No tier is left idle while the other one has more than this much work, milliseconds.
const MAX_WORK_ALONE_MS: f64 = 1000.0;

/// `[deadline]`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadline {
    /// What frames without a deadline of their own are held to, in milliseconds; such frames never
    /// expire.
    pub target_ms: f64,
    /// Up to this share of the time that is left, the cheaper tier is taken; above, the one that
    /// answers sooner. 0: always the sooner, 1: the cheaper as long as it is in time.
    pub comfort: f64,
    /// What is done, in this order, when no tier is expected to answer in time: the first that is
    /// possible. After the last, `late`.
    pub degrade: Vec<Degrade>,
    /// `edge` is possible up to this backlog of the edge, in frames.
    pub edge_backlog_up_to: u64,
    /// `late` is possible up to this lateness, in milliseconds.
    pub late_up_to_ms: f64,
    /// When no result of the cloud was seen for this time, one frame is sent there to see how it
    /// is, in milliseconds; 0: never.
    pub refresh_ms: f64,
}

/// What to do with a frame that no tier is expected to answer in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Degrade {
    /// It goes to the edge, however late; to the cloud, when the edge has more than a second of
    /// work and the cloud answers sooner.
    Edge,
    /// It gets an `expired` result at once and costs nobody's time.
    Expire,
    /// It goes to the tier that is expected to be less late.
    Late,
}

impl Default for Deadline {
    fn default() -> Self {
        Self {
            target_ms: 1000.0,
            comfort: 0.5,
            degrade: vec![Degrade::Expire],
            edge_backlog_up_to: 100,
            late_up_to_ms: 1000.0,
            refresh_ms: 5000.0,
        }
    }
}

impl PolicySettings for Deadline {
    fn check(&self) -> Result<(), PolicyError> {
        let Self {
            target_ms,
            comfort,
            degrade: _,
            edge_backlog_up_to: _,
            late_up_to_ms,
            refresh_ms,
        } = *self;
        range::time("[deadline] target_ms", target_ms)?;
        range::share("[deadline] comfort", comfort)?;
        range::time_or_none("[deadline] late_up_to_ms", late_up_to_ms)?;
        range::time_or_none("[deadline] refresh_ms", refresh_ms)
    }

    fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(DeadlineAware::new(self.clone())))
    }
}

/// Compares the predicted completion on each tier with the time that is left.
struct DeadlineAware {
    config: Deadline,
}

/// What a tier promises.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Promise {
    /// It will not be in time.
    Late,
    /// It is expected to be in time, but may well not be; nobody has to wait for it.
    Tight,
    /// It is in time with a margin.
    InTime,
    /// Nothing is known.
    Unknown,
}

impl DeadlineAware {
    fn new(config: Deadline) -> Self {
        Self { config }
    }

    fn promise(tier: &TierSnapshot, bytes: usize, left_ms: f64, yields: f64) -> Promise {
        // a tight frame on a tier that has other work half the time takes that time in vain, and a
        // queue that is a little shorter keeps the workers as busy: so it is only let in
        // where nothing waits, or where nobody would know in time that nothing waits
        let idle = tier.is_idle() || tier.link_may_run_dry(bytes);
        match (tier.predicted_ms, tier.predicted_high_ms) {
            _ if tier.shut => Promise::Late,
            // the place is left to frames of a contract that is more important and in danger
            _ if yields > 0.0 && tier.waiting_ms() > (1.0 - yields) * left_ms => Promise::Late,
            (Some(_), Some(high)) if high <= left_ms => Promise::InTime,
            (Some(expected), _) if expected <= left_ms && idle => Promise::Tight,
            (Some(_), _) => Promise::Late,
            (None, _) => Promise::Unknown,
        }
    }

    /// What to do when nobody promises to be in time.
    fn degrade(&self, frame: &FrameFacts, load: &Snapshot, left_ms: f64) -> Choice {
        let first_ms = |tier: Destination| {
            let seen = load.of(tier);
            seen.predicted_ms.filter(|_| !seen.shut).unwrap_or(f64::INFINITY)
        };
        let less_late = if first_ms(Cloud) < first_ms(Edge) { Cloud } else { Edge };
        // a backlog that grows on one tier alone makes all that comes after it later
        let edge_waits_ms = first_ms(Edge) - load.edge.service_ms.unwrap_or(0.0);
        let edge_is_too_full = less_late == Cloud && edge_waits_ms > MAX_WORK_ALONE_MS;
        for step in &self.config.degrade {
            match step {
                Degrade::Edge
                    if load.edge.backlog_frames.unwrap_or(0) <= self.config.edge_backlog_up_to =>
                {
                    return if edge_is_too_full {
                        Choice::send(Cloud, "least-late")
                    } else {
                        Choice::send(Edge, "late-on-edge")
                    };
                }
                Degrade::Expire if frame.may_expire() => {
                    return Choice::new(Action::Expire, "no-tier-in-time");
                }
                Degrade::Late if first_ms(less_late) - left_ms <= self.config.late_up_to_ms => {
                    return Choice::send(less_late, "least-late");
                }
                Degrade::Edge | Degrade::Expire | Degrade::Late => {}
            }
        }
        Choice::send(less_late, "least-late")
    }

    /// Both are in time: the cheaper one, unless its queue is getting long while the other one's is
    /// not. A queue that is filled up first leaves the other tier idle at the beginning of a
    /// burst.
    fn of_two(&self, load: &Snapshot, left_ms: f64) -> Choice {
        let (cheaper, dearer) =
            if load.cloud.price < load.edge.price { (Cloud, Edge) } else { (Edge, Cloud) };
        let predicted = |tier: Destination| load.of(tier).predicted_ms.unwrap_or(f64::INFINITY);
        if predicted(cheaper) > self.config.comfort * left_ms
            && predicted(dearer) < predicted(cheaper)
        {
            Choice::send(dearer, "sooner-in-time")
        } else {
            Choice::send(cheaper, "cheaper-in-time")
        }
    }

    /// Whether a tier should be asked how it is: everything that is known of it is older than
    /// `times` the time for that. A tier that gets no frames because it was too slow once would
    /// otherwise be too slow forever.
    fn is_stale(&self, tier: &TierSnapshot, times: f64) -> bool {
        let old_ms = self.config.refresh_ms * times;
        old_ms > 0.0
            && !tier.shut
            && tier.backlog_frames == Some(0)
            && tier.last_result_ms.is_some_and(|age_ms| age_ms > old_ms)
    }
}

impl Policy for DeadlineAware {
    fn name(&self) -> &str {
        "deadline"
    }

    fn choose(&self, frame: &FrameFacts, load: &Snapshot) -> Choice {
        let left_ms = frame.wanted_within_ms().unwrap_or(self.config.target_ms);
        let yields = frame.terms.yields;
        let promise = |tier| Self::promise(load.of(tier), frame.bytes, left_ms, yields);
        let (edge, cloud) = (promise(Edge), promise(Cloud));
        // what the edge would answer in time does not go where nothing is known, unless it can be
        // taken back from there in time
        let may_explore = edge != Promise::InTime || frame.can_be_rescued(load);
        let choice = match (edge, cloud) {
            // the first frames find out; one at a time, so that not many wait for what may never
            // come
            (Promise::Unknown, _) if load.edge.may_be_tried() => Choice::send(Edge, "edge-unknown"),
            (_, Promise::Unknown) if may_explore && load.cloud.may_be_tried() => {
                Choice::send(Cloud, "cloud-unknown")
            }
            // what waits is all that is known of them, e.g. after a restart
            (Promise::Unknown, Promise::Unknown)
                if load.cloud.backlog_frames < load.edge.backlog_frames && !load.cloud.shut =>
            {
                Choice::send(Cloud, "both-unknown")
            }
            (Promise::Unknown, Promise::Unknown) => Choice::send(Edge, "both-unknown"),
            (Promise::Unknown, Promise::InTime) => Choice::send(Cloud, "edge-unknown"),
            (Promise::Unknown, _) => Choice::send(Edge, "edge-unknown"),
            (Promise::InTime, Promise::InTime) if self.is_stale(&load.cloud, 1.0) => {
                Choice::send(Cloud, "refresh")
            }
            (Promise::InTime, Promise::InTime) => self.of_two(load, left_ms),
            // one that seems too slow is asked more rarely: the frame will probably be late
            (Promise::InTime, Promise::Late) if self.is_stale(&load.cloud, RARELY) => {
                Choice::send(Cloud, "refresh")
            }
            (Promise::Late, Promise::InTime) if self.is_stale(&load.edge, RARELY) => {
                Choice::send(Edge, "refresh")
            }
            (Promise::InTime, _) => Choice::send(Edge, "edge-in-time"),
            (_, Promise::InTime) => Choice::send(Cloud, "cloud-in-time"),
            (Promise::Tight, Promise::Tight)
                if load.cloud.predicted_ms < load.edge.predicted_ms =>
            {
                Choice::send(Cloud, "tight")
            }
            (Promise::Tight, _) => Choice::send(Edge, "tight"),
            (_, Promise::Tight) => Choice::send(Cloud, "tight"),
            // there is nothing to lose
            (Promise::Late, _) if self.is_stale(&load.edge, 1.0) => Choice::send(Edge, "refresh"),
            (Promise::Late, _) if self.is_stale(&load.cloud, 1.0) => Choice::send(Cloud, "refresh"),
            // a frame that only the link makes late delays nobody where nothing waits, and what is
            // known of a link is soon out of date
            (Promise::Late, Promise::Late)
                if load.cloud.backlog_bytes == Some(0)
                    && load.cloud.least_ms() <= left_ms
                    && !load.cloud.shut
                    && frame.deadline_left_ms.is_some()
                    && self.config.degrade.first() == Some(&Degrade::Expire) =>
            {
                Choice::send(Cloud, "last-chance")
            }
            (Promise::Late, Promise::Late | Promise::Unknown) => self.degrade(frame, load, left_ms),
        };
        match (load.edge.predicted_ms, load.cloud.predicted_ms) {
            (Some(edge), Some(cloud)) => {
                choice.leaning(((edge - cloud) / left_ms.max(1.0)).clamp(-1.0, 1.0))
            }
            (None, _) | (_, None) => choice,
        }
    }
}

#[cfg(test)]
mod tests;
