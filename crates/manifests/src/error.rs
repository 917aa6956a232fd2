//! Manifests that cannot be used.

use crate::object::Field;
use std::fmt;

/// A manifest that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is no YAML, or a key stands twice.
    #[error("line {line}: {reason}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// An object says something that it may not.
    #[error("{object}: {problem}")]
    Object {
        /// Its kind and name.
        object: String,
        /// Which field, and what is wrong with it.
        problem: String,
    },
}

impl ManifestError {
    /// A field and what is wrong with it, e.g. `is 9, it must be at most 8`.
    pub(crate) fn at(field: &Field<'_>, problem: impl fmt::Display) -> Self {
        let object = field.object;
        Self::Object {
            object: format!("{} {}", object.kind, object.name),
            problem: format!("{} {problem}", field.path),
        }
    }

    /// A field that has a value which it may not have.
    pub(crate) fn value(field: &Field<'_>, allowed: impl fmt::Display) -> Self {
        let value = field.scalar().unwrap_or_default();
        let shown = if field.text().is_some() { format!("'{value}'") } else { value };
        Self::at(field, format!("is {shown}, it must be {allowed}"))
    }
}
