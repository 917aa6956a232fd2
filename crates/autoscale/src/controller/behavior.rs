//! How much may change within a period, and what the recent past says.

use crate::{ChangePolicy, PolicyKind, Rules, Select};
use std::time::Duration;

/// A change of the number of replicas that has been made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    pub(crate) at: Duration,
    pub(crate) replicas: u32,
}

/// The most replicas that may be had now (`calculateScaleUpLimitWithScalingRules`).
pub(crate) fn up_limit(
    rules: &Rules,
    current: u32,
    up: &[Change],
    down: &[Change],
    now: Duration,
) -> u32 {
    let allowed = |policy: &ChangePolicy| {
        let start = at_period_start(policy, current, up, down, now);
        match policy.kind {
            PolicyKind::Pods => start + f64::from(policy.value),
            // rounded up: 10 % of one pod would be nothing, for ever
            PolicyKind::Percent => (start * (1.0 + f64::from(policy.value) / 100.0)).ceil(),
        }
    };
    let limits = rules.policies.iter().map(allowed);
    let limit = match rules.select {
        Select::Disabled => None,
        Select::Max => limits.reduce(f64::max),
        Select::Min => limits.reduce(f64::min),
    };
    limit.map_or(current, |limit| (limit as u32).max(current))
}

/// The fewest replicas that may be had now (`calculateScaleDownLimitWithBehaviors`).
pub(crate) fn down_limit(
    rules: &Rules,
    current: u32,
    up: &[Change],
    down: &[Change],
    now: Duration,
) -> u32 {
    let allowed = |policy: &ChangePolicy| {
        let start = at_period_start(policy, current, up, down, now);
        match policy.kind {
            PolicyKind::Pods => start - f64::from(policy.value),
            PolicyKind::Percent => (start * (1.0 - f64::from(policy.value) / 100.0)).trunc(),
        }
    };
    let limits = rules.policies.iter().map(allowed);
    let limit = match rules.select {
        Select::Disabled => None,
        // the largest change leaves the fewest
        Select::Max => limits.reduce(f64::min),
        Select::Min => limits.reduce(f64::max),
    };
    limit.map_or(current, |limit| (limit as u32).min(current))
}

/// How many replicas there were when the policy's period began.
fn at_period_start(
    policy: &ChangePolicy,
    current: u32,
    up: &[Change],
    down: &[Change],
    now: Duration,
) -> f64 {
    let within = |changes: &[Change]| -> f64 {
        let recent = changes.iter().filter(|change| change.at + policy.period > now);
        recent.map(|change| f64::from(change.replicas)).sum()
    };
    f64::from(current) - within(up) + within(down)
}

/// What was recommended, before any window or limit, and when.
#[derive(Clone, Debug)]
pub(crate) struct Past(Vec<(Duration, u32)>);

impl Past {
    pub(crate) const fn empty() -> Self {
        Self(Vec::new())
    }

    /// The most cautious number between the windows' bounds
    /// (`stabilizeRecommendationWithBehaviors`), and remembers `wanted`.
    pub(crate) fn stabilise(
        &mut self,
        current: u32,
        wanted: u32,
        windows: (Duration, Duration),
        now: Duration,
    ) -> u32 {
        let (up, down) = windows;
        let (mut lowest, mut highest) = (wanted, wanted);
        for (at, recommended) in &self.0 {
            if *at + up > now {
                lowest = lowest.min(*recommended);
            }
            if *at + down > now {
                highest = highest.max(*recommended);
            }
        }
        self.0.retain(|(at, _)| *at + up.max(down) > now);
        self.0.push((now, wanted));
        // in this order, as the controller has it: the window of the way down wins
        current.max(lowest).min(highest)
    }

    /// The highest recommendation of the window (`stabilizeRecommendation`, for autoscalers without
    /// a `behavior`).
    pub(crate) fn highest(&mut self, wanted: u32, window: Duration, now: Duration) -> u32 {
        self.0.retain(|(at, _)| *at + window >= now);
        self.0.push((now, wanted));
        self.0.iter().map(|(_, recommended)| *recommended).max().unwrap_or(wanted)
    }

    pub(crate) fn remember_first(&mut self, current: u32, now: Duration) {
        if self.0.is_empty() {
            self.0.push((now, current));
        }
    }
}
