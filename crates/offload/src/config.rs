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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Degrade {
    /// The edge looks, however late; the cloud, when the edge has more than a second of work and
    /// the cloud answers sooner.
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
    /// What frames without a deadline of their own are held to, in milliseconds; such frames never
    /// expire.
    pub target_ms: f64,
}

/// `[expression]`
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expression {
    /// A rule in CEL over `frame`, `edge` and `cloud`. True, a number above 0, or `"cloud"` sends
    /// a frame to the cloud; false, any other number, or `"edge"` to the edge; `"expire"` to
    /// nobody.
    pub rule: String,
    /// Which policy decides when the rule gives no answer, e.g. because it asks for what is not
    /// known.
    pub fallback: String,
}

/// `[budget]`: a token bucket.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
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
    /// It opens when frames wait for this time and no result comes, in milliseconds (or twice the
    /// time that the frame was expected to take, if that is longer).
    pub silence_ms: f64,
    /// The same before a tier has given its first result: models are loaded, groups are joined.
    pub first_silence_ms: f64,
    /// How long after opening a first frame tries again, in milliseconds; a quarter more or less
    /// by chance, and half as much again from try to try.
    pub probe_after_ms: f64,
    /// The longest such time.
    pub probe_at_most_ms: f64,
}

/// `[motion]`: off unless `skip_below` is above 0.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Motion {
    /// A frame is skipped when less than this differs from the camera's last frame that was looked
    /// at, 0 to 1.
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
    /// After this time without an answer, in milliseconds; earlier for a frame whose deadline the
    /// edge could still meet, and later when the tiers have that much work (up to three times,
    /// when the cloud answers nobody). A cloud that answers others, sooner than the
    /// edge would, gets it again.
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
    /// How many frames one replica works on at a time. Without a cluster to ask, one replica is
    /// assumed.
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
        Self {
            enabled: true,
            silence_ms: 1000.0,
            first_silence_ms: 10_000.0,
            probe_after_ms: 250.0,
            probe_at_most_ms: 2000.0,
        }
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
            frame::Destination::Cloud => {
                self.cloud_per_frame + self.cloud_per_gigabyte * bytes as f64 / 1e9
            }
        }
    }
}

impl PolicyConfig {
    /// The policies that there are.
    pub const NAMES: [&'static str; 8] = [
        "edge-only",
        "cloud-only",
        "alternate",
        "ratio",
        "deadline",
        "cascade",
        "bandit",
        "expression",
    ];

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
        let config: Self = toml::from_str(text)
            .map_err(|error| PolicyError::Form(error.to_string().trim_end().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    /// Whether every value is in its range, and the rule compiles.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), PolicyError> {
        let mut rows = self.shares_and_times();
        rows.extend(self.money_and_beliefs());
        if let Some(Row { field, value, allowed, .. }) = rows.into_iter().find(|row| !row.ok) {
            return Err(PolicyError::Range { field, value: value.to_string(), allowed });
        }
        crate::policies::build(self).map(drop)
    }

    fn shares_and_times(&self) -> Vec<Row> {
        let (deadline, hysteresis, breaker, motion) =
            (&self.deadline, &self.hysteresis, &self.breaker, &self.motion);
        let lean = |field, value| Row {
            field,
            value,
            ok: (-1.0..=1.0).contains(&value),
            allowed: "from -1 to 1",
        };
        let (below, above) = (hysteresis.to_edge_below, hysteresis.to_cloud_above);
        let (probe, most) = (breaker.probe_after_ms, breaker.probe_at_most_ms);
        vec![
            Row::share("[ratio] cloud_share", self.ratio.cloud_share),
            Row::time("[deadline] target_ms", deadline.target_ms),
            Row::share("[deadline] comfort", deadline.comfort),
            Row::time_or_none("[deadline] late_up_to_ms", deadline.late_up_to_ms),
            Row::time_or_none("[deadline] refresh_ms", deadline.refresh_ms),
            Row::time("[bandit] target_ms", self.bandit.target_ms),
            Row::time_or_none("[hysteresis] dwell_ms", hysteresis.dwell_ms),
            lean("[hysteresis] to_cloud_above", above),
            lean("[hysteresis] to_edge_below", below),
            Row {
                field: "[hysteresis] to_edge_below",
                value: below,
                ok: below <= above,
                allowed: "at most to_cloud_above",
            },
            Row::time("[breaker] silence_ms", breaker.silence_ms),
            Row::time("[breaker] first_silence_ms", breaker.first_silence_ms),
            Row::time("[breaker] probe_after_ms", probe),
            Row::time("[breaker] probe_at_most_ms", most),
            Row {
                field: "[breaker] probe_at_most_ms",
                value: most,
                ok: most >= probe,
                allowed: "at least probe_after_ms",
            },
            Row::share("[motion] skip_below", motion.skip_below),
            Row::time("[motion] look_every_ms", motion.look_every_ms),
            Row::time("[redispatch] after_ms", self.redispatch.after_ms),
        ]
    }

    fn money_and_beliefs(&self) -> Vec<Row> {
        let price = &self.price;
        let mut rows = vec![
            Row::amount("[price] edge_per_frame", price.edge_per_frame),
            Row::amount("[price] cloud_per_frame", price.cloud_per_frame),
            Row::amount("[price] cloud_per_gigabyte", price.cloud_per_gigabyte),
        ];
        if let Some(Budget { unit, rate, burst, .. }) = self.budget {
            rows.push(match unit {
                BudgetUnit::Share => Row {
                    allowed: "from 0 to 1 when the unit is share",
                    ..Row::share("[budget] rate", rate)
                },
                BudgetUnit::Bytes | BudgetUnit::Money => Row::amount("[budget] rate", rate),
            });
            rows.push(Row {
                ok: burst > 0.0 && burst <= MOST,
                allowed: "above 0 and at most 1e15",
                ..Row::amount("[budget] burst", burst)
            });
        }
        for prior in [&self.prior.edge, &self.prior.cloud] {
            rows.extend(prior.service_ms.map(|ms| Row::believed_ms("[prior] service_ms", ms)));
            rows.extend(prior.rtt_ms.map(|ms| Row::believed_ms("[prior] rtt_ms", ms)));
            let speed = |value| Row {
                field: "[prior] mbit_s",
                value,
                ok: (0.001..=1e6).contains(&value),
                allowed: "from 0.001 to 1000000",
            };
            rows.extend(prior.mbit_s.map(speed));
            let workers = |workers| Row {
                field: "[prior] workers",
                value: f64::from(workers),
                ok: (1..=10_000).contains(&workers),
                allowed: "from 1 to 10000",
            };
            rows.extend(prior.workers.map(workers));
        }
        rows
    }
}

/// A number of the policy file, and what it may be.
struct Row {
    field: &'static str,
    value: f64,
    ok: bool,
    allowed: &'static str,
}

/// A day, milliseconds: longer than anybody waits for a frame.
const DAY_MS: f64 = 86_400_000.0;
/// Of money, bytes and frames: sums of it are still exact to a thousandth, and no arithmetic
/// overflows.
const MOST: f64 = 1e15;

impl Row {
    fn share(field: &'static str, value: f64) -> Self {
        Self { field, value, ok: (0.0..=1.0).contains(&value), allowed: "from 0 to 1" }
    }

    /// In milliseconds.
    fn time(field: &'static str, value: f64) -> Self {
        Self {
            field,
            value,
            ok: (1.0..=DAY_MS).contains(&value),
            allowed: "from 1 to 86400000 (a day)",
        }
    }

    /// In milliseconds; 0 means that there is none.
    fn time_or_none(field: &'static str, value: f64) -> Self {
        Self {
            field,
            value,
            ok: (0.0..=DAY_MS).contains(&value),
            allowed: "from 0 to 86400000 (a day)",
        }
    }

    /// What is believed, in milliseconds: shorter times than one there are.
    fn believed_ms(field: &'static str, value: f64) -> Self {
        Self {
            field,
            value,
            ok: (0.001..=DAY_MS).contains(&value),
            allowed: "from 0.001 to 86400000 (a day)",
        }
    }

    fn amount(field: &'static str, value: f64) -> Self {
        Self { field, value, ok: (0.0..=MOST).contains(&value), allowed: "from 0 to 1e15" }
    }
}

fn from_text<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests;
