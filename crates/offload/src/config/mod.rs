//! A policy file: which policy decides, and its sections. Each section's type stands with what it
//! tunes: those of the policies in [`crate::policies`], the others in [`crate::guards`] and beside
//! what they price or tell in advance.

mod built_in;
mod error;
mod place;
pub(crate) mod range;

pub use built_in::BuiltIn;
pub use error::PolicyError;
pub use place::Place;

use crate::contracts::{self, Contract};
use crate::guards::{Breaker, Budget, Hysteresis, Motion, Redispatch};
use crate::learn::{self, Prior};
use crate::policies::{
    Bandit, Cascade, Deadline, Expression, Freshness, PolicyName, PolicySettings, Ratio,
};
use crate::price::Price;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A policy with everything that tunes it; the form of the policy file (TOML).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Which policy.
    #[serde(deserialize_with = "from_text", serialize_with = "to_text")]
    pub policy: PolicyName,
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
    /// For `freshness`.
    #[serde(default)]
    pub freshness: Freshness,
    /// For `expression`.
    #[serde(default)]
    pub expression: Expression,
    /// What may be spent on the cloud; absent: as much as the policy likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// How quickly a camera may change its tier.
    #[serde(default)]
    pub hysteresis: Hysteresis,
    /// When a tier is given a rest.
    #[serde(default)]
    pub breaker: Breaker,
    /// Which frames need no detection.
    #[serde(default)]
    pub motion: Motion,
    /// When a frame is taken back from the cloud.
    #[serde(default)]
    pub redispatch: Redispatch,
    /// What a frame costs.
    #[serde(default)]
    pub price: Price,
    /// What is believed of the tiers before anything was seen.
    #[serde(
        default,
        deserialize_with = "learn::read_prior",
        serialize_with = "learn::write_prior"
    )]
    pub prior: Prior,
    /// What is promised to groups of cameras.
    #[serde(default, rename = "contract", skip_serializing_if = "Vec::is_empty")]
    pub contracts: Vec<Contract>,
}

impl PolicyConfig {
    /// The names of the policies that there are.
    pub const NAMES: [&'static str; PolicyName::ALL.len()] = PolicyName::TEXTS;

    /// A policy as it is when nothing tunes it.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(policy: &str) -> Result<Self, PolicyError> {
        policy.parse().map(Self::of)
    }

    /// A policy as it is when nothing tunes it.
    #[must_use]
    pub fn of(policy: PolicyName) -> Self {
        Self {
            policy,
            ratio: Ratio::default(),
            deadline: Deadline::default(),
            cascade: Cascade::default(),
            bandit: Bandit::default(),
            freshness: Freshness::default(),
            expression: Expression::default(),
            budget: None,
            hysteresis: Hysteresis::default(),
            breaker: Breaker::default(),
            motion: Motion::default(),
            redispatch: Redispatch::default(),
            price: Price::default(),
            prior: Prior::default(),
            contracts: Vec::new(),
        }
    }

    /// Reads a policy file and checks every value.
    ///
    /// # Errors
    /// When it is no TOML of this form (the text says where), or a value is out of its range.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let config = Self::read(text)?;
        config.check()?;
        Ok(config)
    }

    /// Reads a policy file without looking at its values: for those who do not decide.
    ///
    /// # Errors
    /// When it is no TOML of this form; the text says where.
    pub fn read(text: &str) -> Result<Self, PolicyError> {
        toml::from_str(text).map_err(|error| PolicyError::form(&error, text))
    }

    /// As the text of a policy file, with every value that counts.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("texts and numbers in sections can be written as TOML")
    }

    /// Whether every value is in its range, and the policy can be built.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), PolicyError> {
        self.check_values()?;
        crate::policies::build(self).map(drop)
    }

    /// Whether every value is in its range. A rule is not compiled: a program that only passes a
    /// policy on need not contain a compiler.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check_values(&self) -> Result<(), PolicyError> {
        // every section is named here, so that the compiler misses one that is not checked
        let Self {
            policy,
            ratio,
            deadline,
            cascade,
            bandit,
            freshness,
            expression,
            budget,
            hysteresis,
            breaker,
            motion,
            redispatch,
            price,
            prior,
            contracts: _,
        } = self;
        ratio.check()?;
        deadline.check()?;
        cascade.check()?;
        bandit.check()?;
        freshness.check()?;
        hysteresis.check()?;
        breaker.check()?;
        motion.check()?;
        redispatch.check()?;
        price.check()?;
        budget.as_ref().map_or(Ok(()), Budget::check)?;
        learn::check_prior(prior)?;
        contracts::check(self)?;
        if *policy == PolicyName::Expression && expression.rule.trim().is_empty() {
            let problem = "there is no rule".to_owned();
            return Err(PolicyError::Rule { line: 1, column: 1, problem });
        }
        Ok(())
    }
}

/// Reads a value of which the file has the text.
pub(crate) fn from_text<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

/// Writes a value as the text that the file has of it.
pub(crate) fn to_text<S: Serializer, T: fmt::Display>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests;
