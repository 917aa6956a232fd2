//! A setting that is changed while the suite runs: a record of the settings topic, whose key says
//! what is set.
//!
//! The last record of a key counts in every unit that reads the topic, before what the unit was
//! started with; a record without a value takes it back. What a value means is said by its key:
//! [`POLICY_KEY`] has a policy file's text, and a camera's [`regions_key`] its masks and zones.

use crate::{CameraId, Timestamp};
use serde::{Deserialize, Serialize};

/// The key of the policy; its value is the text of a policy file (TOML).
pub const POLICY_KEY: &str = "policy";
/// What is around a camera's name in the key of its regions.
const REGIONS_KEY: (&str, &str) = ("camera/", "/regions");
/// A value has no more bytes than this: a policy has a few hundred.
pub const MAX_SETTING_BYTES: usize = 64 * 1024;
/// What is said of a change, or by whom it is, has no more characters than this.
pub const MAX_SETTING_WORDS: usize = 200;

/// The form of record that is written here.
const VERSION: u32 = 1;

/// The key of a camera's masks and zones; its value is JSON.
#[must_use]
pub fn regions_key(camera: &CameraId) -> String {
    let (before, after) = REGIONS_KEY;
    format!("{before}{camera}{after}")
}

/// The camera whose masks and zones a key is of, if it is such a key.
#[must_use]
pub fn camera_of_regions_key(key: &str) -> Option<CameraId> {
    let (before, after) = REGIONS_KEY;
    key.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
}

/// What is set, by whom and when: the value of a record of the settings topic, as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SettingRecord {
    /// The form of the record. A later release may write another one, which is named and changes
    /// nothing here.
    pub version: u32,
    /// What is set.
    pub value: String,
    /// Who changed it, in words.
    pub changed_by: String,
    /// When.
    pub changed_at: Timestamp,
    /// What whoever changed it says of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A record that changes nothing, since it cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidSetting {
    /// It is no JSON of this form.
    #[error("the record is not of the form {{version, value, changed_by, changed_at, note}}: {0}")]
    Form(String),
    /// Its form is another one.
    #[error("the record has version {0}, but only {VERSION} is understood here")]
    Version(u32),
    /// Its value is too long.
    #[error("the record's value has {0} bytes, but at most {MAX_SETTING_BYTES} are taken")]
    TooLong(usize),
}

impl SettingRecord {
    /// A record of now.
    #[must_use]
    pub fn new(value: String, changed_by: String, note: Option<String>) -> Self {
        Self { version: VERSION, value, changed_by, changed_at: Timestamp::now(), note }
    }

    /// Reads what stands on the topic.
    ///
    /// # Errors
    /// Each case of [`InvalidSetting`].
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidSetting> {
        let record: Self = serde_json::from_slice(json)
            .map_err(|error| InvalidSetting::Form(error.to_string()))?;
        if record.version != VERSION {
            return Err(InvalidSetting::Version(record.version));
        }
        if record.value.len() > MAX_SETTING_BYTES {
            return Err(InvalidSetting::TooLong(record.value.len()));
        }
        Ok(record)
    }

    /// As it stands on the topic.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can be written as JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cameras_regions_have_a_key() {
        let camera: CameraId = "gate-1".parse().unwrap();
        assert_eq!(regions_key(&camera), "camera/gate-1/regions");
        assert_eq!(camera_of_regions_key("camera/gate-1/regions"), Some(camera));
        for other in ["policy", "camera//regions", "camera/a/b/regions", "camera/gate/regions/x"] {
            assert_eq!(camera_of_regions_key(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_broken_is_named() {
        let record = SettingRecord::new("policy = 'ratio'".into(), "somebody".into(), None);
        assert_eq!(SettingRecord::from_json(&record.to_json()), Ok(record.clone()));
        let newer = SettingRecord { version: 2, ..record.clone() };
        let longer = SettingRecord { value: "#".repeat(MAX_SETTING_BYTES + 1), ..record };
        for (json, words) in [
            (b"policy = 'ratio'".to_vec(), "not of the form"),
            (br#"{"version":1}"#.to_vec(), "missing field `value`"),
            (newer.to_json(), "version 2"),
            (longer.to_json(), "65537 bytes"),
        ] {
            let problem = SettingRecord::from_json(&json).unwrap_err().to_string();
            assert!(problem.contains(words), "{problem}");
        }
    }
}
