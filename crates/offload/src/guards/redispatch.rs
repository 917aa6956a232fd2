//! Re-dispatch: how long the cloud is waited for before a frame is taken back from it.

use crate::PolicyError;
use crate::config::range;
use crate::time::duration;
use crate::{FrameFacts, Snapshot};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A cloud that is slow but steady gets this many times the expected time before frames are taken
/// back from it.
const SLOW_BUT_STEADY: f64 = 2.0;
/// But not more than so many times the configured time when it answers nobody: what is expected of
/// a silent cloud has no bound.
const MAX_PATIENCE: f64 = 3.0;
/// Of the configured time: clocks of several machines differ a little.
const NEARLY: f64 = 0.9;

/// `[redispatch]`
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redispatch {
    /// Whether frames are taken back from the cloud.
    pub enabled: bool,
    /// After this time without an answer, in milliseconds; earlier for a frame whose deadline the
    /// edge could still meet, and later when the tiers have that much work (up to three times,
    /// when the cloud answers nobody). A cloud that answers others, sooner than the
    /// edge would, gets it again.
    pub after_ms: f64,
}

impl Default for Redispatch {
    fn default() -> Self {
        Self { enabled: true, after_ms: 5000.0 }
    }
}

impl Redispatch {
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let Self { enabled: _, after_ms } = *self;
        range::time("[redispatch] after_ms", after_ms)
    }

    /// The time in which a frame without a deadline must be answered by the cloud; `None` when
    /// frames are not taken back. `cloud_answers` tells whether the cloud has answered somebody
    /// lately.
    pub(crate) fn patience_ms(&self, load: &Snapshot, cloud_answers: bool) -> Option<f64> {
        let high_ms = SLOW_BUT_STEADY * load.cloud.predicted_high_ms.unwrap_or(0.0);
        // taken back, it would wait there
        let edge_ms = load.edge.predicted_high_ms.unwrap_or(0.0);
        let max_ms = if cloud_answers { f64::INFINITY } else { MAX_PATIENCE * self.after_ms };
        let patience_ms = self.after_ms.max(high_ms.max(edge_ms).min(max_ms));
        self.enabled.then_some(patience_ms)
    }

    /// After which time a frame is taken back from the cloud: early enough for the edge to meet
    /// its deadline, if that is not before the cloud is expected to answer; else when its deadline
    /// goes by; or after the configured time.
    pub(crate) fn answer_within_ms(
        &self,
        frame: &FrameFacts,
        load: &Snapshot,
        cloud_answers: bool,
    ) -> Option<f64> {
        let high_ms = load.cloud.predicted_high_ms.unwrap_or(0.0);
        let patience_ms = self.patience_ms(load, cloud_answers)?;
        let Some(left_ms) = frame.wanted_within_ms() else { return Some(patience_ms) };
        let rescue_ms = left_ms - load.edge.predicted_high_ms.unwrap_or(f64::INFINITY);
        // taken back before any answer could come, it would have gone there in vain
        let can_rescue = rescue_ms >= high_ms && frame.can_be_rescued(load);
        Some(match frame.deadline_left_ms {
            _ if can_rescue => patience_ms.min(rescue_ms),
            Some(left_ms) => patience_ms.min(left_ms),
            // a contract's time is over, but the answer is wanted all the same
            None => patience_ms,
        })
    }

    /// Whether a frame has had its time in the cloud, rather than only its deadline having gone by.
    pub(crate) fn is_over(&self, waited: Duration) -> bool {
        self.enabled && waited >= duration(self.after_ms * NEARLY)
    }
}
