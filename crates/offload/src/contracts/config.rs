//! `[[contract]]`: what is promised to a group of cameras.

use crate::config::range;
use crate::guards::{Budget, BudgetUnit};
use crate::{PolicyConfig, PolicyError, PolicyName};
use frame::{CameraId, Glob, Order};
use serde::{Deserialize, Serialize};

/// There are no more contracts than this: they label metrics.
const MAX_CONTRACTS: usize = 32;
/// A contract has no more patterns than this.
const MAX_PATTERNS: usize = 64;
/// A name has no more characters than this, and a pattern neither.
const MAX_NAME: usize = 64;
/// The highest priority.
const MAX_PRIORITY: u32 = 100;

/// `[[contract]]`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// What results and metrics call it.
    pub name: String,
    /// Patterns of the cameras' names, in which `*` stands for any characters. A camera has the
    /// first contract of the file that names it.
    pub cameras: Vec<Glob>,
    /// Within how many milliseconds of its receipt a frame is to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<f64>,
    /// Which share of the frames is to be answered within that time; absent: the time is planned
    /// with, and nothing is promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// How far the edge's answers are to agree with the cloud's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<f64>,
    /// The weight of these cameras beside others, from 1 to 100.
    #[serde(default = "one")]
    pub priority: u32,
    /// In which order the waiting frames of a camera are served.
    #[serde(default)]
    pub order: Order,
    /// Over how many seconds it is reckoned whether the contract is kept.
    #[serde(default = "five_minutes")]
    pub window_s: f64,
    /// What is done while it is not kept: of these the first that changes something for a frame.
    #[serde(default)]
    pub on_violation: Vec<OnViolation>,
    /// What these cameras may spend on the cloud, in place of `[budget]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// What is done with a frame whose contract is violated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnViolation {
    /// It goes to the cloud, if that is expected to answer sooner than the edge.
    Cloud,
    /// It goes to the edge, if that is expected to answer sooner than the cloud.
    Edge,
    /// Every second frame of a camera is dropped.
    LowerRate,
    /// A frame that no tier is expected to answer in time is dropped.
    Expire,
}

impl OnViolation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Edge => "edge",
            Self::LowerRate => "lower-rate",
            Self::Expire => "expire",
        }
    }
}

fn one() -> u32 {
    1
}

fn five_minutes() -> f64 {
    300.0
}

impl Contract {
    /// Whether it is for this camera.
    pub(crate) fn names(&self, camera: &CameraId) -> bool {
        self.cameras.iter().any(|pattern| pattern.fits(camera.as_str()))
    }

    /// Whether what was counted for one counts for the other.
    pub(super) fn promises_like(&self, other: &Self) -> bool {
        let budgets_alike = match (&self.budget, &other.budget) {
            (Some(one), Some(other)) => one.counts_like(other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        (&self.name, self.within_ms, self.share, self.window_s)
            == (&other.name, other.within_ms, other.share, other.window_s)
            && budgets_alike
    }

    /// Its key that is wrong, and why.
    fn fault(&self, config: &PolicyConfig) -> Option<(&'static str, String)> {
        self.fault_of_value().or_else(|| self.contradiction(config))
    }

    fn fault_of_value(&self) -> Option<(&'static str, String)> {
        let fault = |key, words: &str| Some((key, words.to_owned()));
        let is_word = |text: &str| {
            (1..=MAX_NAME).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        if !is_word(&self.name) {
            return fault("name", "it must have 1 to 64 characters out of A-Z a-z 0-9 . _ -");
        }
        if !(1..=MAX_PATTERNS).contains(&self.cameras.len()) {
            return fault("cameras", "there must be 1 to 64 patterns");
        }
        for pattern in &self.cameras {
            let text = pattern.as_str();
            if text != "*" && !is_word(&text.replace('*', "_")) {
                let problem =
                    format!("'{text}' fits no camera: names are made of A-Z a-z 0-9 . _ -");
                return Some(("cameras", problem));
            }
        }
        if self.within_ms.is_some_and(|within_ms| range::time("", within_ms).is_err()) {
            return fault("within_ms", "it must be from 1 to 86400000 (a day)");
        }
        let is_part = |value: f64| value > 0.0 && value < 1.0;
        if self.share.is_some_and(|share| !is_part(share)) {
            return fault("share", "it must be above 0 and below 1: a share of 1 leaves no error");
        }
        if self.agreement.is_some_and(|agreement| !is_part(agreement)) {
            return fault("agreement", "it must be above 0 and below 1");
        }
        if !(1..=MAX_PRIORITY).contains(&self.priority) {
            return fault("priority", "it must be from 1 to 100");
        }
        if !(10.0..=86_400.0).contains(&self.window_s) {
            return fault("window_s", "it must be from 10 to 86400 (a day)");
        }
        match self.budget.map(|budget| budget.check()) {
            Some(Err(PolicyError::Range { field, value, allowed })) => {
                let key = if field.ends_with("burst") { "budget.burst" } else { "budget.rate" };
                Some((key, format!("{value} is not allowed: it must be {allowed}")))
            }
            Some(Err(other)) => Some(("budget", other.to_string())),
            Some(Ok(())) | None => None,
        }
    }

    /// What contradicts itself, or the policy.
    fn contradiction(&self, config: &PolicyConfig) -> Option<(&'static str, String)> {
        if self.share.is_some() && self.within_ms.is_none() {
            let problem = "a share of the frames within which time? within_ms is missing";
            return Some(("share", problem.into()));
        }
        let (policy, steps) = (config.policy, &self.on_violation);
        if self.agreement.is_some() && policy != PolicyName::Cascade {
            let problem = format!("only the policy cascade can keep an agreement, not {policy}");
            return Some(("agreement", problem));
        }
        if self.agreement.is_some() && config.cascade.audit <= 0.0 {
            let problem = "only audits tell how far the tiers agree: [cascade] audit is 0";
            return Some(("agreement", problem.into()));
        }
        if !steps.is_empty() && self.share.is_none() {
            let problem = "there is no share that could be violated";
            return Some(("on_violation", problem.into()));
        }
        for (place, step) in steps.iter().enumerate() {
            let text = step.as_str();
            if steps[..place].contains(step) {
                return Some(("on_violation", format!("'{text}' is there twice")));
            }
            let never = match (step, policy) {
                (OnViolation::Cloud, PolicyName::EdgeOnly) => Some("the policy is edge-only"),
                (OnViolation::Edge, PolicyName::CloudOnly) => Some("the policy is cloud-only"),
                (OnViolation::Cloud, _) if self.has_no_money(config) => {
                    Some("the budget never allows the cloud")
                }
                (OnViolation::Cloud | OnViolation::Edge, _) => None,
                (OnViolation::LowerRate | OnViolation::Expire, _) => None,
            };
            if let Some(why) = never {
                return Some(("on_violation", format!("'{text}' contradicts: {why}")));
            }
        }
        None
    }

    fn has_no_money(&self, config: &PolicyConfig) -> bool {
        let budget = self.budget.or(config.budget);
        budget.is_some_and(|budget| {
            budget.rate == 0.0 && (budget.unit != BudgetUnit::Share || budget.burst < 1.0)
        })
    }
}

/// Whether all contracts can be kept at once, and each has a camera.
pub(crate) fn check(config: &PolicyConfig) -> Result<(), PolicyError> {
    let contracts = &config.contracts;
    let error = |number: usize, key, problem: String| {
        let name = contracts.get(number).map(|contract| contract.name.clone()).unwrap_or_default();
        Err(PolicyError::Contract { name, number, key, problem })
    };
    if contracts.len() > MAX_CONTRACTS {
        return error(MAX_CONTRACTS, "name", format!("there are more than {MAX_CONTRACTS}"));
    }
    for (number, contract) in contracts.iter().enumerate() {
        if let Some((key, problem)) = contract.fault(config) {
            return error(number, key, problem);
        }
        let before = &contracts[..number];
        if before.iter().any(|other| other.name == contract.name) {
            return error(number, "name", "another contract has this name".into());
        }
        for pattern in &contract.cameras {
            let covering =
                before.iter().find(|other| other.cameras.iter().any(|wider| wider.covers(pattern)));
            if let Some(other) = covering {
                let problem = format!(
                    "every camera that fits '{}' has the contract '{}', which comes first",
                    pattern.as_str(),
                    other.name
                );
                return error(number, "cameras", problem);
            }
        }
    }
    Ok(())
}
