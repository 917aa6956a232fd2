//! What a policy file may say.

use crate::Hardness;
use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// A policy with everything that tunes it; the form of the policy file (TOML).
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Which policy: one of [`PolicyConfig::NAMES`].
    pub policy: String,
    /// For `ratio`.
    #[serde(default)]
    pub ratio: Ratio,
    /// For `deadline`.
    #[serde(default)]
    pub deadline: Deadline,
    /// For `cascade`.
    #[serde(default)]
    pub cascade: Cascade,
    /// For `bandit`.
    #[serde(default)]
    pub bandit: Bandit,
    /// For `expression`.
    #[serde(default)]
    pub expression: Expression,
    /// What may be spent on the cloud; absent: as much as the policy likes.
    #[serde(default)]
    pub budget: Option<Budget>,
    /// How quickly a camera may change its tier.
    #[serde(default)]
    pub hysteresis: Hysteresis,
    /// When a tier is given a rest.
    #[serde(default)]
    pub breaker: Breaker,
    /// Which frames need not be looked at.
    #[serde(default)]
    pub motion: Motion,
    /// When a frame is taken back from the cloud.
    #[serde(default)]
    pub redispatch: Redispatch,
    /// What a frame costs.
    #[serde(default)]
    pub price: Price,
    /// What is believed of the tiers before anything was seen.
    #[serde(default)]
    pub prior: Prior,
}

/// A policy file that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not of the form.
    #[error("{0}")]
    Form(String),
    /// It names no policy that exists.
    #[error("there is no policy '{name}'; there are: {}", PolicyConfig::NAMES.join(", "))]
    Unknown {
        /// What it names.
        name: String,
    },
    /// A value is out of its range.
    #[error("{field} = {value} is not allowed: it must be {allowed}")]
    Range {
        /// Which.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        allowed: &'static str,
    },
    /// The rule of `expression` cannot be compiled.
    #[error("[expression] rule: line {line}, column {column}: {problem}")]
    Rule {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong.
        problem: String,
    },
}

/// `[ratio]`
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ratio {
    /// The share of frames that goes to the cloud, 0 to 1.
    pub cloud_share: f64,
}

/// `[deadline]`
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadline {
    /// What frames without a deadline of their own are held to, in milliseconds; such frames never expire.
    pub target_ms: f64,
    /// Up to this share of the time that is left, the cheaper tier is taken; above, the one that answers sooner. 0: always the sooner,
    /// 1: the cheaper as long as it is in time.
    pub comfort: f64,
    /// What is done, in this order, when no tier is expected to answer in time: the first that is possible. After the last, `late`.
    pub degrade: Vec<Degrade>,
    /// `edge` is possible up to this backlog of the edge, in frames.
    pub edge_backlog_up_to: u64,
    /// `late` is possible up to this lateness, in milliseconds.
    pub late_up_to_ms: f64,
    /// When no result of the cloud was seen for this time, one frame is sent there to see how it is, in milliseconds; 0: never.
    pub refresh_ms: f64,
}

/// What to do with a frame that no tier is expected to answer in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Degrade {
    /// The edge looks, however late.
    Edge,
    /// It gets an `expired` result at once and costs nobody's time.
    Expire,
    /// The tier that is expected to be less late looks.
    Late,
}

/// `[cascade]`
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cascade {
    /// Which frames the cloud looks at again, e.g. `max-confidence<0.5,empty=easy`.
    #[serde(deserialize_with = "from_text")]
    pub hardness: Hardness,
}

/// `[bandit]`
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bandit {
    /// What frames without a deadline of their own are held to, in milliseconds; such frames never expire.
    pub target_ms: f64,
}

/// `[expression]`
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expression {
    /// A rule in CEL over `frame`, `edge` and `cloud`. True, a number above 0, or `"cloud"` sends a frame to the cloud; false, any other
    /// number, or `"edge"` to the edge; `"expire"` to nobody.
    pub rule: String,
    /// Which policy decides when the rule gives no answer, e.g. because it asks for what is not known.
    pub fallback: String,
}

/// `[budget]`: a token bucket.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What is counted.
    pub unit: BudgetUnit,
    /// How much of it comes in, for each replica of the preprocessor: bytes per second, money per hour, or frames per frame (the share, 0 to 1).
    pub rate: f64,
    /// How much can be saved up: bytes, money, or frames.
    pub burst: f64,
    /// Whose budget it is.
    #[serde(default)]
    pub per: BudgetScope,
}

/// What a budget counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetScope {
    /// Each camera has its own.
    #[default]
    Camera,
    /// All cameras share one.
    All,
}

/// `[hysteresis]`: off unless `dwell_ms` is above 0.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hysteresis {
    /// How long a camera stays on a tier at least, in milliseconds.
    pub dwell_ms: f64,
    /// A camera goes to the cloud when that is preferred by more than this (the leaning, -1 to 1).
    pub to_cloud_above: f64,
    /// A camera goes back to the edge when the cloud is preferred by less than this.
    pub to_edge_below: f64,
}

/// `[breaker]`
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// Whether there is one.
    pub enabled: bool,
    /// It opens when frames wait for this time and no result comes, in milliseconds (or twice the time that the frame was expected to
    /// take, if that is longer).
    pub silence_ms: f64,
    /// The same before a tier has given its first result: models are loaded, groups are joined.
    pub first_silence_ms: f64,
    /// How long after opening a first frame tries again, in milliseconds; a quarter more or less by chance, and half as much again from try
    /// to try.
    pub probe_after_ms: f64,
    /// The longest such time.
    pub probe_at_most_ms: f64,
}

/// `[motion]`: off unless `skip_below` is above 0.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Motion {
    /// A frame is skipped when less than this differs from the camera's last frame that was looked at, 0 to 1.
    pub skip_below: f64,
    /// A camera's frame is looked at after this time even if nothing moves, in milliseconds.
    pub look_every_ms: f64,
}

/// `[redispatch]`
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redispatch {
    /// Whether frames are taken back from the cloud.
    pub enabled: bool,
    /// After this time without an answer, in milliseconds; earlier for a frame whose deadline the edge could still meet.
    pub after_ms: f64,
}

/// `[price]`, in any currency.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// Of a frame on the edge.
    pub edge_per_frame: f64,
    /// Of a frame in the cloud.
    pub cloud_per_frame: f64,
    /// Of the way to the cloud, per 10⁹ bytes.
    pub cloud_per_gigabyte: f64,
}

/// `[prior.edge]`, `[prior.cloud]`
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prior {
    /// Of the edge.
    pub edge: TierPrior,
    /// Of the cloud.
    pub cloud: TierPrior,
}

/// What is believed of a tier before anything was seen; absent: nothing.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierPrior {
    /// How long a worker takes for a frame, in milliseconds.
    pub service_ms: Option<f64>,
    /// How many frames one replica works on at a time. Without a cluster to ask, one replica is assumed.
    pub workers: Option<u32>,
    /// The way there and back, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// How fast bytes get there, in 10⁶ bits per second.
    pub mbit_s: Option<f64>,
}

impl Default for Ratio {
    fn default() -> Self {
        Self { cloud_share: 0.5 }
    }
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

impl Default for Bandit {
    fn default() -> Self {
        Self { target_ms: 1000.0 }
    }
}

impl Default for Expression {
    fn default() -> Self {
        Self { rule: String::new(), fallback: "deadline".into() }
    }
}

impl Default for Hysteresis {
    fn default() -> Self {
        Self { dwell_ms: 0.0, to_cloud_above: 0.1, to_edge_below: -0.1 }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self { enabled: true, silence_ms: 1000.0, first_silence_ms: 10_000.0, probe_after_ms: 250.0, probe_at_most_ms: 2000.0 }
    }
}

impl Default for Motion {
    fn default() -> Self {
        Self { skip_below: 0.0, look_every_ms: 10_000.0 }
    }
}

impl Default for Redispatch {
    fn default() -> Self {
        Self { enabled: true, after_ms: 5000.0 }
    }
}

impl Default for Price {
    fn default() -> Self {
        Self { edge_per_frame: 0.0, cloud_per_frame: 0.0001, cloud_per_gigabyte: 0.1 }
    }
}

impl Price {
    /// Of a frame of this size on a tier.
    #[must_use]
    pub fn of(&self, tier: frame::Destination, bytes: usize) -> f64 {
        match tier {
            frame::Destination::Edge => self.edge_per_frame,
            frame::Destination::Cloud => self.cloud_per_frame + self.cloud_per_gigabyte * bytes as f64 / 1e9,
        }
    }
}

impl PolicyConfig {
    /// The policies that there are.
    pub const NAMES: [&'static str; 8] =
        ["edge-only", "cloud-only", "alternate", "ratio", "deadline", "cascade", "bandit", "expression"];

    /// A policy as it is when nothing tunes it.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(policy: &str) -> Result<Self, PolicyError> {
        if !Self::NAMES.contains(&policy) {
            return Err(PolicyError::Unknown { name: policy.into() });
        }
        Ok(Self {
            policy: policy.into(),
            ratio: Ratio::default(),
            deadline: Deadline::default(),
            cascade: Cascade::default(),
            bandit: Bandit::default(),
            expression: Expression::default(),
            budget: None,
            hysteresis: Hysteresis::default(),
            breaker: Breaker::default(),
            motion: Motion::default(),
            redispatch: Redispatch::default(),
            price: Price::default(),
            prior: Prior::default(),
        })
    }

    /// Reads a policy file and checks every value.
    ///
    /// # Errors
    /// When it is no TOML of this form (the text says where), or a value is out of its range.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let config: Self = toml::from_str(text).map_err(|error| PolicyError::Form(error.to_string().trim_end().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    /// Whether every value is in its range, and the rule compiles.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), PolicyError> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let (hysteresis, breaker) = (&self.hysteresis, &self.breaker);
        let mut rows: Vec<(&'static str, f64, bool, &'static str)> = vec![
            ("[ratio] cloud_share", self.ratio.cloud_share, share(self.ratio.cloud_share), "from 0 to 1"),
            ("[deadline] target_ms", self.deadline.target_ms, positive(self.deadline.target_ms), "above 0"),
            ("[deadline] comfort", self.deadline.comfort, share(self.deadline.comfort), "from 0 to 1"),
            ("[deadline] late_up_to_ms", self.deadline.late_up_to_ms, not_negative(self.deadline.late_up_to_ms), "0 or more"),
            ("[deadline] refresh_ms", self.deadline.refresh_ms, not_negative(self.deadline.refresh_ms), "0 or more"),
            ("[bandit] target_ms", self.bandit.target_ms, positive(self.bandit.target_ms), "above 0"),
            ("[hysteresis] dwell_ms", hysteresis.dwell_ms, not_negative(hysteresis.dwell_ms), "0 or more"),
            (
                "[hysteresis] to_edge_below",
                hysteresis.to_edge_below,
                hysteresis.to_edge_below <= hysteresis.to_cloud_above,
                "at most to_cloud_above",
            ),
            ("[breaker] silence_ms", breaker.silence_ms, positive(breaker.silence_ms), "above 0"),
            ("[breaker] first_silence_ms", breaker.first_silence_ms, positive(breaker.first_silence_ms), "above 0"),
            ("[breaker] probe_after_ms", breaker.probe_after_ms, positive(breaker.probe_after_ms), "above 0"),
            (
                "[breaker] probe_at_most_ms",
                breaker.probe_at_most_ms,
                breaker.probe_at_most_ms >= breaker.probe_after_ms && breaker.probe_at_most_ms.is_finite(),
                "at least probe_after_ms",
            ),
            ("[motion] skip_below", self.motion.skip_below, share(self.motion.skip_below), "from 0 to 1"),
            ("[motion] look_every_ms", self.motion.look_every_ms, positive(self.motion.look_every_ms), "above 0"),
            ("[redispatch] after_ms", self.redispatch.after_ms, positive(self.redispatch.after_ms), "above 0"),
            ("[price] edge_per_frame", self.price.edge_per_frame, not_negative(self.price.edge_per_frame), "0 or more"),
            ("[price] cloud_per_frame", self.price.cloud_per_frame, not_negative(self.price.cloud_per_frame), "0 or more"),
            (
                "[price] cloud_per_gigabyte",
                self.price.cloud_per_gigabyte,
                not_negative(self.price.cloud_per_gigabyte),
                "0 or more",
            ),
        ];
        if let Some(Budget { unit, rate, burst, .. }) = self.budget {
            let (ok, allowed) = match unit {
                BudgetUnit::Share => (share(rate), "from 0 to 1 when the unit is share"),
                BudgetUnit::Bytes | BudgetUnit::Money => (not_negative(rate), "0 or more"),
            };
            rows.push(("[budget] rate", rate, ok, allowed));
            rows.push(("[budget] burst", burst, positive(burst), "above 0"));
        }
        for prior in [&self.prior.edge, &self.prior.cloud] {
            let entries =
                [("[prior] service_ms", prior.service_ms), ("[prior] rtt_ms", prior.rtt_ms), ("[prior] mbit_s", prior.mbit_s)];
            rows.extend(
                entries.into_iter().filter_map(|(name, value)| value.map(|value| (name, value, positive(value), "above 0"))),
            );
            rows.extend(prior.workers.map(|workers| ("[prior] workers", f64::from(workers), workers > 0, "above 0")));
        }
        if let Some((field, value, _, allowed)) = rows.into_iter().find(|(_, _, ok, _)| !ok) {
            return Err(PolicyError::Range { field, value: value.to_string(), allowed });
        }
        crate::policies::build(self).map(drop)
    }
}

fn from_text<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests;
