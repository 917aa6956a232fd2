//! The policies that there are, with what tunes each: what a page or a command line can offer.

use crate::PolicyConfig;
use crate::policies::PolicyName;
use serde::Serialize;

/// A rule for those who have none yet.
const EXAMPLE_RULE: &str = "edge.backlog > 3";

/// A policy that can be chosen by name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Where it sends a frame.
    pub about: &'static str,
    /// The text of a policy file that chooses it, with its own section and the defaults of that.
    pub settings: String,
}

impl BuiltIn {
    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        PolicyName::ALL.into_iter().map(Self::of).collect()
    }

    fn of(policy: PolicyName) -> Self {
        let name = policy.as_str();
        let mut config = PolicyConfig::of(policy);
        config.expression.rule = EXAMPLE_RULE.into();
        let about = match policy {
            PolicyName::EdgeOnly => "every frame to the edge",
            PolicyName::CloudOnly => "every frame to the cloud",
            PolicyName::Alternate => "every second frame to the cloud",
            PolicyName::Ratio => "a share of the frames to the cloud, evenly distributed",
            PolicyName::Deadline => {
                "to the cheapest tier whose predicted response time meets the frame's deadline"
            }
            PolicyName::Cascade => "to the edge, and then hard frames to the cloud as well",
            PolicyName::Bandit => {
                "learns from the results how far predictions of response times can be trusted"
            }
            PolicyName::Freshness => {
                "where the answer will be youngest, with a share of the frames to the cloud"
            }
            PolicyName::Expression => "a rule of your own, in CEL",
        };
        let section = match policy {
            PolicyName::EdgeOnly | PolicyName::CloudOnly | PolicyName::Alternate => String::new(),
            PolicyName::Ratio => section(name, &config.ratio),
            PolicyName::Deadline => section(name, &config.deadline),
            PolicyName::Cascade => section(name, &config.cascade),
            PolicyName::Bandit => section(name, &config.bandit),
            PolicyName::Freshness => section(name, &config.freshness),
            PolicyName::Expression => section(name, &config.expression),
        };
        Self { name, about, settings: format!("policy = \"{name}\"\n{section}") }
    }
}

fn section(name: &str, settings: &impl Serialize) -> String {
    let settings = toml::to_string(settings).expect("texts and numbers can be written as TOML");
    format!("\n[{name}]\n{settings}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_can_be_used_and_is_the_default() {
        for offered in BuiltIn::all() {
            let mut config = PolicyConfig::from_toml(&offered.settings).unwrap();
            assert_eq!(config.policy.as_str(), offered.name);
            assert_eq!(config.expression.rule.is_empty(), offered.name != "expression");
            config.expression.rule.clear();
            assert_eq!(config, PolicyConfig::named(offered.name).unwrap());
        }
    }
}
