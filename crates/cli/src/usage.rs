//! What the caller has to mend.

use std::fmt::Display;

/// Bad input: an option, or a file that it names, cannot be used. The process ends with the code
/// for that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

impl UsageError {
    /// With these words.
    pub fn new(problem: impl Display) -> Self {
        Self(problem.to_string())
    }

    /// With these words about `what`.
    pub fn about(what: impl Display, problem: impl Display) -> Self {
        Self(format!("{what}: {problem}"))
    }
}
