//! Why a policy file cannot be used.

use crate::PolicyConfig;

/// A policy file that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not of the form.
    #[error("{problem}")]
    Form {
        /// What is wrong, with the place in words.
        problem: String,
        /// Line and column, counted from 1, if it is a certain place.
        at: Option<(usize, usize)>,
    },
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
    /// A contract cannot be kept as it stands.
    #[error("[[contract]] '{name}' {key}: {problem}")]
    Contract {
        /// Which.
        name: String,
        /// Its place in the file, counted from 0.
        number: usize,
        /// Its key that is wrong.
        key: &'static str,
        /// What is wrong.
        problem: String,
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
