//! All findings, in the order of the files.

use crate::{Finding, RULES, Severity};
use serde::Serialize;

/// What came of a check.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How many objects were checked.
    pub objects: usize,
    /// Through how many rules.
    pub rules: usize,
    /// How many errors there are.
    pub errors: usize,
    /// How many warnings.
    pub warnings: usize,
    /// How many notes.
    pub notes: usize,
    /// All of them, in the order of files and lines.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn of(objects: usize, mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|one, other| {
            let key = |finding: &Finding| {
                (finding.place.clone(), finding.object.clone(), finding.severity, finding.rule)
            };
            key(one).cmp(&key(other)).then_with(|| one.field.cmp(&other.field))
        });
        // two containers of one ConfigMap find the same fault in it
        findings.dedup();
        let count =
            |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        let (errors, warnings, notes) =
            (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
        Self { objects, rules: RULES.len(), errors, warnings, notes, findings }
    }

    /// Whether nothing is wrong; with `deny_warnings` a warning is wrong, too. A note never is.
    #[must_use]
    pub const fn is_clean(&self, deny_warnings: bool) -> bool {
        self.errors == 0 && !(deny_warnings && self.warnings > 0)
    }

    /// One line: how many objects, rules and findings.
    #[must_use]
    pub fn summary(&self) -> String {
        let of = |count: usize, word: &str| {
            format!("{count} {word}{}", if count == 1 { "" } else { "s" })
        };
        format!(
            "{}, {}: {}, {}, {}",
            of(self.objects, "object"),
            of(self.rules, "rule"),
            of(self.errors, "error"),
            of(self.warnings, "warning"),
            of(self.notes, "note")
        )
    }
}
