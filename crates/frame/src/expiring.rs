//! What a process says on the settings topic for a while: JSON of a certain version, with the
//! moment from which on it does not count any more.

use crate::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A record of the settings topic that expires.
pub trait Expiring: Serialize + DeserializeOwned {
    /// What it is called in errors.
    const NAME: &'static str;
    /// The version that is written and understood here.
    const VERSION: u32;

    /// The version that it has.
    fn version(&self) -> u32;

    /// After this moment it does not count any more, if nothing was heard since.
    fn expires_at(&self) -> Timestamp;

    /// Reads what stands on the topic.
    ///
    /// # Errors
    /// Each case of [`InvalidRecord`].
    fn from_json(json: &[u8]) -> Result<Self, InvalidRecord> {
        let name = Self::NAME;
        let record: Self = serde_json::from_slice(json)
            .map_err(|error| InvalidRecord::Form { name, problem: error.to_string() })?;
        if record.version() != Self::VERSION {
            let (found, understood) = (record.version(), Self::VERSION);
            return Err(InvalidRecord::Version { name, found, understood });
        }
        Ok(record)
    }

    /// As it stands on the topic.
    #[must_use]
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can be written as JSON")
    }

    /// Whether it does not count any more; it counts `grace` longer than it says itself, since
    /// clocks differ.
    #[must_use]
    fn is_expired(&self, now: Timestamp, grace: Duration) -> bool {
        now > self.expires_at() + grace
    }
}

/// A record that cannot be read here.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidRecord {
    /// It is no JSON of this form.
    #[error("it is not of the form of {name}: {problem}")]
    Form {
        /// What it should be.
        name: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Its version is another one.
    #[error(
        "it is {name} of version {found}, but only {understood} is understood here: another \
         release has written it"
    )]
    Version {
        /// What it is.
        name: &'static str,
        /// The version that it has.
        found: u32,
        /// The one that could be read.
        understood: u32,
    },
}
