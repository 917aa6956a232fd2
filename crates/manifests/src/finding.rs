//! What a rule has found.

use crate::object::Field;
use crate::path::Path;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does not work like that, or not as written.
    Error,
    /// It works, and will surprise someone.
    Warning,
    /// Something to know; nothing is wrong.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file, as it was reached from the path that was given.
    pub file: PathBuf,
    /// The document within it, from 1.
    pub document: usize,
    /// The line, from 1.
    pub line: usize,
}

/// What a rule has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Which rule.
    pub rule: &'static str,
    /// `Kind/name`; empty where a file cannot even be read.
    pub object: String,
    /// The field, e.g. `spec.ports[0].name`; empty for the whole object.
    pub field: String,
    /// Where the field is set; `None` in a cluster.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The same as `field`, to find the place.
    #[serde(skip)]
    pub(crate) path: Path,
    /// The document that the object was read from directly.
    #[serde(skip)]
    pub(crate) source: Option<usize>,
}

impl Finding {
    pub(crate) fn at(
        field: &Field<'_>,
        severity: Severity,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            rule,
            object: field.object.title(),
            field: field.path.to_string(),
            place: None,
            message: message.into(),
            help: None,
            path: field.path.clone(),
            source: field.object.source,
        }
    }

    /// About a file rather than an object.
    pub(crate) fn of_file(rule: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            rule,
            object: String::new(),
            field: String::new(),
            place: Some(place),
            message: message.into(),
            help: None,
            path: Path::default(),
            source: None,
        }
    }

    /// With what to do about it.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// As a compiler says it: `file:line: error[rule]: object field: message`, and what helps on a
/// second line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}:{}: ", place.file.display(), place.line)?;
        }
        write!(f, "{}[{}]: ", self.severity, self.rule)?;
        match (self.object.is_empty(), self.field.is_empty()) {
            (true, _) => {}
            (false, true) => write!(f, "{}: ", self.object)?,
            (false, false) => write!(f, "{} {}: ", self.object, self.field)?,
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}
