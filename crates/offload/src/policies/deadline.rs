//! Meet the frame's deadline at the least cost.

use crate::config::{Deadline, Degrade};
use crate::{Action, Choice, FrameFacts, Policy, Snapshot, TierSnapshot};
use frame::Destination::{self, Cloud, Edge};

/// How many times rarer a tier is asked that seems too slow.
const RARELY: f64 = 6.0;

/// No tier is left idle while the other one has more than this much work, milliseconds.
const MOST_WORK_ALONE_MS: f64 = 1000.0;

/// Compares the predicted completion on each tier with the time that is left.
pub(super) struct DeadlineAware {
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
    pub(super) fn new(config: Deadline) -> Self {
        Self { config }
    }

    fn promise(tier: &TierSnapshot, left_ms: f64) -> Promise {
        // a tight frame on a tier that has other work half the time takes that time in vain, and a
        // queue that is a little shorter keeps the workers as busy: so it is only let in
        // where nothing waits
        let idle = tier.is_idle();
        match (tier.predicted_ms, tier.predicted_high_ms) {
            _ if tier.shut => Promise::Late,
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
        let edge_is_too_full = less_late == Cloud && edge_waits_ms > MOST_WORK_ALONE_MS;
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
                Degrade::Expire if frame.deadline_left_ms.is_some() => {
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
        let left_ms = frame.deadline_left_ms.unwrap_or(self.config.target_ms);
        let (edge, cloud) =
            (Self::promise(&load.edge, left_ms), Self::promise(&load.cloud, left_ms));
        let choice = match (edge, cloud) {
            // the first frames find out; one at a time, so that not many wait for what may never
            // come
            (Promise::Unknown, _) if load.edge.may_be_tried() => Choice::send(Edge, "edge-unknown"),
            (_, Promise::Unknown) if load.cloud.may_be_tried() => {
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
            (Promise::Late, Promise::Late | Promise::Unknown) => self.degrade(frame, load, left_ms),
        };
        match (load.edge.predicted_ms, load.cloud.predicted_ms) {
            (Some(edge), Some(cloud)) => {
                choice.leaning(((edge - cloud) / left_ms.max(1.0)).clamp(-1.0, 1.0))
            }
            _ => choice,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{facts, tier};

    fn choose(
        config: Deadline,
        edge: TierSnapshot,
        cloud: TierSnapshot,
        left: Option<f64>,
    ) -> Choice {
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
        let choice = choose(
            Deadline::default(),
            tier(280.0, 320.0, 0.0),
            tier(290.0, 350.0, 1.0),
            Some(300.0),
        );
        assert_eq!((choice.destination(), choice.reason), (None, "no-tier-in-time"));
    }

    #[test]
    fn a_long_queue_of_the_cheaper_tier_is_left_alone_while_the_other_one_is_sooner() {
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
    fn when_both_are_late_no_tier_has_more_than_a_second_of_work_while_the_other_answers_sooner() {
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
    fn what_is_not_known_is_found_out_one_frame_at_a_time_and_the_reason_says_so() {
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
        let unknown =
            TierSnapshot { shut: true, backlog_frames: Some(0), ..TierSnapshot::default() };
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
}
