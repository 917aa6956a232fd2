//! A token bucket: what may be spent on the cloud.

use crate::PolicyError;
use crate::config::range;
use frame::CameraId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// `[budget]`: a token bucket.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What is counted.
    pub unit: BudgetUnit,
    /// How much of it comes in, for each replica of the preprocessor: bytes per second, money per
    /// hour, or frames per frame (the share, 0 to 1).
    pub rate: f64,
    /// How much can be saved up: bytes, money, or frames.
    pub burst: f64,
    /// Whose budget it is.
    #[serde(default)]
    pub per: BudgetScope,
}

/// What a budget counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetUnit {
    /// Bytes sent to the cloud.
    Bytes,
    /// Money, by `[price]`.
    Money,
    /// Frames sent to the cloud, of all frames.
    Share,
}

/// Whose budget it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetScope {
    /// Each camera has its own.
    #[default]
    Camera,
    /// All cameras share one.
    All,
}

impl Budget {
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let Self { unit, rate, burst, per: _ } = *self;
        match unit {
            BudgetUnit::Share => {
                let ok = (0.0..=1.0).contains(&rate);
                range::require("[budget] rate", rate, ok, "from 0 to 1 when the unit is share")?;
            }
            BudgetUnit::Bytes | BudgetUnit::Money => range::amount("[budget] rate", rate)?,
        }
        range::amount_above_zero("[budget] burst", burst)
    }

    /// Whether both count the same thing, so that what one reserved the other can give back.
    pub(crate) fn counts_like(&self, other: &Self) -> bool {
        (self.unit, self.per) == (other.unit, other.per)
    }
}

/// One bucket, or one per camera.
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    config: Budget,
    shared: Bucket,
    of_cameras: HashMap<CameraId, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled_at: f64,
}

impl TokenBucket {
    /// Full from the beginning.
    pub(crate) fn new(config: Budget, now: f64) -> Self {
        Self {
            config,
            shared: Bucket { tokens: config.burst, filled_at: now },
            of_cameras: HashMap::new(),
        }
    }

    /// Other numbers; what is left stays, as far as it fits.
    pub(crate) fn reconfigure(&mut self, config: Budget, now: f64) {
        if !config.counts_like(&self.config) {
            *self = Self::new(config, now);
            return;
        }
        let before = std::mem::replace(&mut self.config, config);
        for bucket in self.of_cameras.values_mut().chain([&mut self.shared]) {
            // until now it was filled as it was said before
            filled(&before, bucket, now);
            bucket.tokens = bucket.tokens.min(config.burst);
        }
    }

    /// A frame was decided on, wherever it goes: shares count in frames.
    pub(crate) fn frame(&mut self, camera: &CameraId, now: f64) {
        if self.config.unit == BudgetUnit::Share {
            let Budget { rate, burst, .. } = self.config;
            let bucket = self.bucket(camera, now);
            bucket.tokens = (bucket.tokens + rate).min(burst);
        }
    }

    /// What a frame costs of it.
    pub(crate) fn cost(&self, bytes: usize, price: f64) -> f64 {
        match self.config.unit {
            BudgetUnit::Bytes => bytes as f64,
            BudgetUnit::Money => price,
            BudgetUnit::Share => 1.0,
        }
    }

    /// Takes this much, if it is there.
    pub(crate) fn take(&mut self, camera: &CameraId, cost: f64, now: f64) -> bool {
        let bucket = self.bucket(camera, now);
        let enough = bucket.tokens >= cost;
        if enough {
            bucket.tokens -= cost;
        }
        enough
    }

    /// Gives back what was taken and not spent.
    pub(crate) fn give_back(&mut self, camera: &CameraId, cost: f64, now: f64) {
        let burst = self.config.burst;
        let bucket = self.bucket(camera, now);
        bucket.tokens = (bucket.tokens + cost).min(burst);
    }

    /// What is left: of the shared bucket, or of the camera that has the least.
    pub(crate) fn left(&mut self, now: f64) -> f64 {
        let config = self.config;
        match config.per {
            BudgetScope::All => filled(&config, &mut self.shared, now).tokens,
            BudgetScope::Camera => self
                .of_cameras
                .values_mut()
                .map(|bucket| filled(&config, bucket, now).tokens)
                .fold(config.burst, f64::min),
        }
    }

    fn bucket(&mut self, camera: &CameraId, now: f64) -> &mut Bucket {
        let config = self.config;
        if config.per == BudgetScope::All {
            return filled(&config, &mut self.shared, now);
        }
        // a full bucket says nothing
        super::make_room(&mut self.of_cameras, camera, |bucket| {
            filled(&config, bucket, now).tokens < config.burst
        });
        let bucket = self
            .of_cameras
            .entry(camera.clone())
            .or_insert(Bucket { tokens: config.burst, filled_at: now });
        filled(&config, bucket, now)
    }
}

/// Lets in what has come since the last time. Shares come with frames, not with time.
fn filled<'a>(config: &Budget, bucket: &'a mut Bucket, now: f64) -> &'a mut Bucket {
    let per_ms = match config.unit {
        BudgetUnit::Bytes => config.rate / 1000.0,
        BudgetUnit::Money => config.rate / 3_600_000.0,
        BudgetUnit::Share => 0.0,
    };
    let since = (now - bucket.filled_at).max(0.0);
    bucket.tokens = (bucket.tokens + per_ms * since).min(config.burst);
    bucket.filled_at = bucket.filled_at.max(now);
    bucket
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(rate: f64, burst: f64, per: BudgetScope) -> TokenBucket {
        TokenBucket::new(Budget { unit: BudgetUnit::Bytes, rate, burst, per }, 0.0)
    }

    proptest! {
        /// In any window of time, no more than the burst plus the rate times the window is spent.
        #[test]
        fn a_budget_is_never_exceeded(
            rate in 0.0..10_000.0f64, burst in 1.0..50_000.0f64,
            steps in prop::collection::vec(
                (0.0..2000.0f64, 0.0..30_000.0f64, any::<bool>()),
                1..200,
            ),
        ) {
            let camera: CameraId = "gate".parse().unwrap();
            let mut bucket = bytes(rate, burst, BudgetScope::Camera);
            let (mut now, mut spent) = (0.0, Vec::new());
            for (pause, cost, unspent) in steps {
                now += pause;
                if bucket.take(&camera, cost, now) {
                    if unspent {
                        bucket.give_back(&camera, cost, now);
                    } else {
                        spent.push((now, cost));
                    }
                }
            }
            for (first, (start, _)) in spent.iter().enumerate() {
                let mut sum = 0.0;
                for (end, cost) in &spent[first..] {
                    sum += cost;
                    let window_ms = end - start;
                    let allowed = burst + rate * window_ms / 1000.0 + 1e-6;
                    prop_assert!(sum <= allowed, "{sum} in {window_ms} ms");
                }
            }
        }

        #[test]
        fn a_share_is_never_exceeded(
            share in 0.0..=1.0f64, burst in 1.0..20.0f64,
            wishes in prop::collection::vec(any::<bool>(), 1..400),
        ) {
            let camera: CameraId = "gate".parse().unwrap();
            let (unit, per) = (BudgetUnit::Share, BudgetScope::All);
            let mut bucket = TokenBucket::new(Budget { unit, rate: share, burst, per }, 0.0);
            let mut sent = 0.0;
            for (index, wish) in wishes.iter().enumerate() {
                bucket.frame(&camera, index as f64);
                if *wish && bucket.take(&camera, 1.0, index as f64) {
                    sent += 1.0;
                }
                prop_assert!(sent <= burst + share * (index + 1) as f64 + 1e-6);
            }
        }
    }

    #[test]
    fn cameras_share_a_budget_only_when_told_to() {
        let [gate, yard]: [CameraId; 2] = ["gate", "yard"].map(|name| name.parse().unwrap());
        for (per, yard_may) in [(BudgetScope::Camera, true), (BudgetScope::All, false)] {
            let mut bucket = bytes(0.0, 100.0, per);
            assert!(bucket.take(&gate, 80.0, 0.0) && !bucket.take(&gate, 80.0, 0.0));
            assert_eq!(bucket.take(&yard, 80.0, 0.0), yard_may);
            assert_eq!(bucket.left(0.0), 20.0);
        }
    }

    #[test]
    fn a_smaller_burst_caps_and_another_unit_begins_anew() {
        let gate: CameraId = "gate".parse().unwrap();
        let mut bucket = bytes(1.0, 100.0, BudgetScope::All);
        bucket.reconfigure(
            Budget { unit: BudgetUnit::Bytes, rate: 1.0, burst: 10.0, per: BudgetScope::All },
            0.0,
        );
        assert!(!bucket.take(&gate, 11.0, 0.0));
        bucket.reconfigure(
            Budget { unit: BudgetUnit::Share, rate: 0.5, burst: 3.0, per: BudgetScope::All },
            0.0,
        );
        assert_eq!(bucket.left(0.0), 3.0);
    }
}
