//! What is told of a record of the settings topic, whatever it sets.

use crate::settings_board::Record;
use frame::{SettingRecord, Timestamp};
use serde::Serialize;

/// Who set it, when and why; or why it cannot be used.
#[derive(Debug, Default, Serialize)]
pub(super) struct AboutRecord {
    /// Its offset; `None` without a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// Why the record changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

impl AboutRecord {
    /// With the record's value, if it can be read.
    pub(super) fn of(Record { revision, record }: Record) -> (Self, Option<String>) {
        let revision = Some(revision);
        match record {
            Ok(SettingRecord { version: _, value, changed_by, changed_at, note }) => {
                let (changed_by, changed_at) = (Some(changed_by), Some(changed_at));
                (Self { revision, changed_by, changed_at, note, problem: None }, Some(value))
            }
            Err(problem) => {
                let problem = Some(problem.to_string());
                (Self { revision, problem, ..Self::default() }, None)
            }
        }
    }
}
