//! What happened in each of the last 600 seconds: for the dashboard's charts.
//!
//! A second is that in which a result was made, so every replica counts the same, and a restart
//! loses nothing that is still on the results topic. Takes 0.4 MB, whatever happens.

mod histogram;
mod view;

pub(crate) use view::View;

use frame::{Destination, FrameResult, PerTier, Status, Timestamp};
use histogram::Histogram;
use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// How many seconds are kept.
pub(crate) const KEPT_S: u64 = 600;

/// The last seconds, in a ring.
#[derive(Debug)]
pub(crate) struct Stats(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    seconds: Vec<Second>,
    backlog: Option<Backlog>,
}

/// What waits for each group of units, by the broker's lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Backlog {
    /// For the preprocessors.
    pub(crate) frames: u64,
    pub(crate) edge: u64,
    pub(crate) cloud: u64,
}

/// How a tier's circuit breaker stands, the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Breaker {
    Closed,
    HalfOpen,
    Open,
}

impl Breaker {
    /// As preprocessors announce it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "closed" => Some(Self::Closed),
            "half-open" => Some(Self::HalfOpen),
            "open" => Some(Self::Open),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Second {
    /// Seconds since the epoch.
    at: u64,
    /// In the order of [`Destination::ALL`].
    tiers: [Tier; 2],
    /// Results of frames that never came to a decision.
    undecided: Tier,
    backlog: Option<Backlog>,
    breakers: PerTier<Option<Breaker>>,
}

#[derive(Clone, Debug, Default)]
struct Tier {
    done: u32,
    failed: u32,
    expired: u32,
    skipped: u32,
    provisional: u32,
    /// Those of a second or later attempt.
    redispatched: u32,
    /// From receipt to result, of those that are done.
    latency: Histogram,
    /// How many have both a prediction for their tier and a measured time, and the sums of these.
    compared: u32,
    predicted_ms: f64,
    took_ms: f64,
}

impl Stats {
    pub(crate) fn new() -> Self {
        let seconds = (0..KEPT_S).map(|_| Second::default()).collect();
        Self(Mutex::new(Inner { seconds, backlog: None }))
    }

    /// Counts a result that was made at `made_at` and is shown with `status`.
    pub(crate) fn count(&self, result: &FrameResult, status: Status, made_at: Timestamp) {
        self.change(made_at, |second| {
            let destination = result.decision.as_ref().map(|decision| decision.destination);
            let tier = match destination {
                Some(Destination::Edge) => &mut second.tiers[0],
                Some(Destination::Cloud) => &mut second.tiers[1],
                None => &mut second.undecided,
            };
            tier.count(result, status);
        });
    }

    /// What waits now; `None` when the broker did not say.
    pub(crate) fn waits(&self, backlog: Option<Backlog>) {
        self.change(Timestamp::now(), |second| second.backlog = backlog);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).backlog = backlog;
    }

    /// How the circuit breakers stand now, the worst of all preprocessors.
    pub(crate) fn breakers(&self, breakers: PerTier<Option<Breaker>>) {
        if breakers.edge.is_some() || breakers.cloud.is_some() {
            self.change(Timestamp::now(), |second| second.breakers = breakers);
        }
    }

    /// Every second from `since` (seconds since the epoch) on in which something happened.
    pub(crate) fn since(&self, since: u64) -> View {
        let now = second_of(Timestamp::now());
        let (oldest, mut seconds, backlog) = {
            let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let oldest = since.max(now.saturating_sub(KEPT_S - 1));
            let kept = inner.seconds.iter().filter(|second| second.at >= oldest);
            (oldest, kept.cloned().collect::<Vec<_>>(), inner.backlog)
        };
        seconds.sort_unstable_by_key(|second| second.at);
        View::new(now, oldest, &seconds, backlog)
    }

    /// Changes a second that is still kept; a moment ahead of our clock is now.
    fn change(&self, moment: Timestamp, change: impl FnOnce(&mut Second)) {
        let now = second_of(Timestamp::now());
        let at = second_of(moment).min(now);
        if at + KEPT_S <= now {
            return;
        }
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(at % KEPT_S).unwrap_or(0);
        let second = &mut inner.seconds[place];
        if second.at != at {
            *second = Second { at, ..Second::default() };
        }
        change(second);
    }
}

impl Tier {
    fn count(&mut self, result: &FrameResult, status: Status) {
        let counter = match status {
            Status::Done => &mut self.done,
            Status::Failed => &mut self.failed,
            Status::Expired => &mut self.expired,
            Status::Skipped => &mut self.skipped,
            Status::Provisional => &mut self.provisional,
        };
        *counter = counter.saturating_add(1);
        if result.attempt.is_some_and(|attempt| attempt > 1) {
            self.redispatched = self.redispatched.saturating_add(1);
        }
        if status == Status::Done
            && let Some(ms) = result.timings_ms.end_to_end
        {
            self.latency.add(ms);
        }
        let Some(decision) = &result.decision else { return };
        let predicted = decision.predicted_ms[decision.destination];
        if let (Some(predicted), Some(took)) = (predicted, decision.took_ms)
            && predicted.is_finite()
            && took.is_finite()
        {
            self.compared = self.compared.saturating_add(1);
            self.predicted_ms += predicted;
            self.took_ms += took;
        }
    }
}

fn second_of(moment: Timestamp) -> u64 {
    moment.as_micros() / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::samples;
    use frame::Problem;
    use serde_json::{Value, json};

    fn ago(seconds: u64) -> Timestamp {
        Timestamp::from_micros(Timestamp::now().as_micros() - seconds * 1_000_000)
    }

    fn shown(stats: &Stats, since: u64) -> Value {
        serde_json::from_str(&stats.since(since).to_json()).unwrap()
    }

    #[test]
    fn results_count_in_the_second_in_which_they_were_made() {
        let stats = Stats::new();
        let made_at = ago(30);
        stats.count(&samples::done("gate", 1), Status::Done, made_at);
        stats.count(&samples::done("gate", 2), Status::Provisional, made_at);
        let again = FrameResult { attempt: Some(2), ..samples::done("yard", 1) };
        stats.count(&again, Status::Done, ago(20));
        let undecided = FrameResult {
            decision: None,
            ..samples::failed(Problem::undecodable("the JPEG breaks off"))
        };
        stats.count(&undecided, Status::Failed, ago(20));
        let all = shown(&stats, 0);
        assert_eq!(all["kept_s"], 600);
        let seconds = all["seconds"].as_array().unwrap();
        assert_eq!(seconds.len(), 2, "{all}");
        let edge = &seconds[0]["edge"];
        assert_eq!(seconds[0]["at_s"], second_of(made_at));
        assert_eq!((&edge["done"], &edge["provisional"]), (&json!(1), &json!(1)));
        assert_eq!(edge["latency_ms"]["steps"], json!([[32.0, 1]]));
        assert_eq!(edge["compared"], json!({"results": 2, "predicted_ms": 60.0, "took_ms": 50.0}));
        assert_eq!(seconds[1]["edge"]["redispatched"], 1);
        assert_eq!(seconds[1]["undecided"]["failed"], 1);
        assert!(seconds[1].get("cloud").is_none());
        let newer = shown(&stats, second_of(made_at) + 1);
        assert_eq!(newer["seconds"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_is_too_old_is_not_kept_and_the_future_is_now() {
        let stats = Stats::new();
        stats.count(&samples::done("gate", 1), Status::Done, ago(KEPT_S));
        assert_eq!(shown(&stats, 0)["seconds"], json!([]));
        let ahead = Timestamp::from_micros(Timestamp::now().as_micros() + 90_000_000);
        stats.count(&samples::done("gate", 1), Status::Done, ahead);
        let all = shown(&stats, 0);
        assert!(all["seconds"][0]["at_s"].as_u64().unwrap() <= all["now_s"].as_u64().unwrap());
    }

    #[test]
    fn a_place_in_the_ring_forgets_its_older_second() {
        let stats = Stats::new();
        for seconds in 0..KEPT_S - 1 {
            stats.count(&samples::done("gate", seconds), Status::Done, ago(seconds));
        }
        // the clock may have moved on by a second meanwhile
        let kept = shown(&stats, 0)["seconds"].as_array().unwrap().len() as u64;
        assert!((KEPT_S - 4..KEPT_S).contains(&kept), "{kept}");
        let held = stats.0.lock().unwrap().seconds.len();
        assert_eq!(held as u64, KEPT_S);
    }

    #[test]
    fn breakers_are_shown_in_the_second_in_which_they_were_looked_at() {
        let stats = Stats::new();
        stats.breakers(PerTier::default());
        assert_eq!(shown(&stats, 0)["seconds"], json!([]));
        stats.breakers(PerTier { edge: Some(Breaker::Closed), cloud: Some(Breaker::HalfOpen) });
        let expected = json!({"edge": "closed", "cloud": "half-open"});
        assert_eq!(shown(&stats, 0)["seconds"][0]["breakers"], expected);
    }

    #[test]
    fn the_backlog_is_shown_while_it_is_known() {
        let stats = Stats::new();
        stats.waits(Some(Backlog { frames: 1, edge: 2, cloud: 3 }));
        let expected = json!({"frames": 1, "edge": 2, "cloud": 3});
        let all = shown(&stats, 0);
        assert_eq!(all["backlog"], expected);
        assert_eq!(all["seconds"][0]["backlog"], expected);
        stats.waits(None);
        assert!(shown(&stats, 0).get("backlog").is_none());
    }
}
