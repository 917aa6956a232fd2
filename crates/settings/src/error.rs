//! What can be wrong with settings.

use std::path::PathBuf;

/// Settings that a unit cannot start with; its process exits with code 64 (`EX_USAGE` of
/// `sysexits.h`).
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Values that are not allowed, all of them.
    #[error("{}", list(.0))]
    Invalid(Vec<InvalidSetting>),
    /// The settings file cannot be used.
    #[error("MLVI_CONFIG={}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// One value that is not allowed.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidSetting {
    /// The variable.
    pub name: &'static str,
    /// What it is set to.
    pub value: String,
    /// What it may be.
    pub allowed: String,
}

fn list(problems: &[InvalidSetting]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|p| format!("{}='{}' is not allowed; it must be {}", p.name, p.value, p.allowed))
        .collect();
    lines.join("\n")
}
