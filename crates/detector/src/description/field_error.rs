//! What is wrong with a field of a description; the caller knows the file.

/// A field that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FieldError {
    /// It has no meaning in this description.
    #[error("`{field}` is only for the {of}")]
    OnlyFor {
        /// Which field.
        field: &'static str,
        /// What it has a meaning for.
        of: String,
    },
    /// It must be there.
    #[error("`{field}` is missing: {needed}")]
    Missing {
        /// Which field.
        field: &'static str,
        /// What for, or what it may be.
        needed: String,
    },
    /// Its value is not allowed.
    #[error("`{field}` is {value}; it must be {allowed}")]
    Value {
        /// Which field.
        field: &'static str,
        /// As it stands there.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// Its value is not of the kind that is expected.
    #[error("`{field}` must be {allowed}")]
    Malformed {
        /// Which field.
        field: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
}
