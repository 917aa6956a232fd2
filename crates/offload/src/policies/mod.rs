//! The policies, a file each: its section of the policy file with defaults, what is checked of it,
//! how it is built, and how it decides.
//!
//! A policy of your own becomes one that can be chosen by name with a file here and a line in the
//! table; if it has settings, its section goes into [`PolicyConfig`], and the compiler names every
//! other place.

mod alternate;
mod audited;
mod bandit;
mod cascade;
mod cloud_only;
mod deadline;
mod edge_only;
mod expression;
mod freshness;
mod ratio;

pub use bandit::Bandit;
pub use cascade::Cascade;
pub use deadline::{Deadline, Degrade};
pub use expression::{EXPRESSION_VARIABLES, Expression};
pub use freshness::Freshness;
pub use ratio::Ratio;

use crate::{Policy, PolicyConfig, PolicyError};
use std::fmt;
use std::str::FromStr;

/// What a policy is built from.
pub(crate) trait PolicySettings: Clone + PartialEq + fmt::Debug {
    /// Whether every value is in its range.
    fn check(&self) -> Result<(), PolicyError>;

    /// The policy with these settings. It sees nothing else, so that equal settings make equal
    /// policies.
    fn build(&self) -> Result<Box<dyn Policy>, PolicyError>;
}

/// A line for each policy: variant, name, the settings that it is built from, and how these are
/// taken from a policy file.
macro_rules! table {
    ($($variant:ident = $text:literal: $settings:ty, $of:expr;)*) => {
        /// The policies that there are.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum PolicyName {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl PolicyName {
            /// All of them.
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$variant),*];
            /// Their names, in the same order.
            pub(crate) const TEXTS: [&'static str; Self::ALL.len()] = [$($text),*];

            /// As it stands in a policy file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        /// A policy with everything that it is built from. Whether a new policy file makes another
        /// policy is whether it makes another one of these: no setting can be forgotten.
        #[derive(Clone, PartialEq, Debug)]
        pub(crate) enum PolicySpec {
            $($variant($settings),)*
        }

        impl PolicySpec {
            /// The policy `name` with its settings in `config`.
            pub(crate) fn of(name: PolicyName, config: &PolicyConfig) -> Self {
                match name {
                    $(PolicyName::$variant => {
                        let of: fn(&PolicyConfig) -> $settings = $of;
                        Self::$variant(of(config))
                    })*
                }
            }

            /// Builds it.
            pub(crate) fn build(&self) -> Result<Box<dyn Policy>, PolicyError> {
                match self {
                    $(Self::$variant(settings) => settings.build(),)*
                }
            }
        }
    };
}

table! {
    EdgeOnly = "edge-only": edge_only::EdgeOnly, |_| edge_only::EdgeOnly;
    CloudOnly = "cloud-only": cloud_only::CloudOnly, |_| cloud_only::CloudOnly;
    Alternate = "alternate": alternate::Alternate, |_| alternate::Alternate;
    Ratio = "ratio": Ratio, |config| config.ratio;
    Deadline = "deadline": Deadline, |config| config.deadline.clone();
    Cascade = "cascade": Cascade, |config| config.cascade.clone();
    Bandit = "bandit": Bandit, |config| config.bandit;
    Freshness = "freshness": Freshness, |config| config.freshness;
    Expression = "expression": expression::WithFallback, expression::WithFallback::of;
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PolicyName {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|name| name.as_str() == text);
        named.ok_or_else(|| PolicyError::Unknown { name: text.to_owned() })
    }
}

/// The policy that a configuration names.
///
/// # Errors
/// When its rule does not compile.
pub fn build(config: &PolicyConfig) -> Result<Box<dyn Policy>, PolicyError> {
    PolicySpec::of(config.policy, config).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_says_its_own_name() {
        for name in PolicyName::ALL {
            let mut config = PolicyConfig::of(name);
            config.expression.rule = "edge.backlog > 3".into();
            assert_eq!(build(&config).unwrap().name(), name.as_str());
            assert_eq!(name.as_str().parse(), Ok(name));
        }
    }
}
