//! The policies.
//!
//! A policy of your own becomes one that can be chosen by name with a file here, a line in
//! [`build`] and its name in [`PolicyConfig::NAMES`].

mod bandit;
mod cascade;
mod deadline;
mod expression;
mod fixed;

pub use expression::EXPRESSION_VARIABLES;

use crate::{Policy, PolicyConfig, PolicyError};

/// The policy that a configuration names.
///
/// # Errors
/// When there is none of that name, or its rule does not compile.
pub fn build(config: &PolicyConfig) -> Result<Box<dyn Policy>, PolicyError> {
    named(&config.policy, config)
}

fn named(name: &str, config: &PolicyConfig) -> Result<Box<dyn Policy>, PolicyError> {
    Ok(match name {
        "edge-only" => Box::new(fixed::EdgeOnly),
        "cloud-only" => Box::new(fixed::CloudOnly),
        "alternate" => Box::new(fixed::Alternate),
        "ratio" => Box::new(fixed::Ratio { cloud_share: config.ratio.cloud_share }),
        "deadline" => Box::new(deadline::DeadlineAware::new(config.deadline.clone())),
        "cascade" => Box::new(cascade::Cascading { hardness: config.cascade.hardness.clone() }),
        "bandit" => Box::new(bandit::ThresholdBandit::new(config.bandit)),
        "expression" => Box::new(expression::Rule::compile(config)?),
        _ => return Err(PolicyError::Unknown { name: name.into() }),
    })
}
