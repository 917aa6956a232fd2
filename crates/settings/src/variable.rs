//! What a unit can tell about a variable of its own.

/// A variable that a unit reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, e.g. `MLVI_BROKERS`.
    pub name: &'static str,
    /// Its default as text; empty when it has none.
    pub default: String,
    /// What it may be, in words.
    pub allowed: String,
    /// What it does.
    pub help: &'static str,
}

impl Variable {
    pub(crate) fn new(
        name: &'static str,
        default: impl Into<String>,
        allowed: impl Into<String>,
        help: &'static str,
    ) -> Self {
        Self { name, default: default.into(), allowed: allowed.into(), help }
    }
}
