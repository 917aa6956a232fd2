//! What a preprocessor says of its contracts on the settings topic: a small record beside its
//! announcement, which expires likewise.

use crate::{Announcement, Expiring, Glob, Order, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How the keys of these records end; that of the process's announcement precedes it.
const KEY_SUFFIX: &str = "/contracts";

/// How the contracts stand in one process: the value of a record of the settings topic, as JSON.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ContractsRecord {
    /// The form of the record.
    pub version: u32,
    /// The process, as in its announcement.
    pub instance: String,
    /// In the order of the policy file.
    pub contracts: Vec<ContractStanding>,
    /// When this was sent, by the sender's clock.
    pub sent_at: Timestamp,
    /// After this moment the process is gone, if nothing was heard since.
    pub expires_at: Timestamp,
}

/// A contract, and what has come of it in one process within its window.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ContractStanding {
    /// Its name.
    pub name: String,
    /// The patterns of its cameras' names.
    pub cameras: Vec<Glob>,
    /// The weight of its cameras beside others.
    pub priority: u32,
    /// Within how many milliseconds of its receipt a frame is to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<f64>,
    /// Which share of the frames, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// How far edge and cloud are to agree, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<f64>,
    /// In which order waiting frames are served.
    #[serde(default)]
    pub order: Order,
    /// The length of the window, in seconds.
    pub window_s: f64,
    /// Frames that were answered in time.
    pub met: u64,
    /// Frames that were answered too late or not at all.
    pub missed: u64,
    /// Frames that the contract itself gave up: overtaken, or one of those that it drops to lower
    /// the rate. They count neither as met nor as missed.
    pub set_aside: u64,
    /// Whether its remedies are applied.
    pub violated: bool,
}

impl ContractsRecord {
    /// A record of now.
    #[must_use]
    pub fn new(instance: String, contracts: Vec<ContractStanding>, valid: Duration) -> Self {
        let sent_at = Timestamp::now();
        Self { version: Self::VERSION, instance, contracts, sent_at, expires_at: sent_at + valid }
    }

    /// The key of a process's record.
    #[must_use]
    pub fn key_of(instance: &str) -> String {
        format!("{}{KEY_SUFFIX}", Announcement::key_of(instance))
    }

    /// Whether a key of the settings topic is that of such a record. Older releases take it for
    /// that of an announcement which they cannot read, and pass it over.
    #[must_use]
    pub fn is_key(key: &str) -> bool {
        Announcement::is_key(key) && key.ends_with(KEY_SUFFIX)
    }
}

impl Expiring for ContractsRecord {
    const NAME: &'static str = "a record of contracts";
    const VERSION: u32 = 1;

    fn version(&self) -> u32 {
        self.version
    }

    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_expires() {
        let standing = ContractStanding {
            name: "gates".into(),
            cameras: vec!["gate-*".parse().unwrap()],
            priority: 4,
            within_ms: Some(300.0),
            share: Some(0.95),
            agreement: None,
            order: Order::Newest,
            window_s: 300.0,
            met: 90,
            missed: 10,
            set_aside: 3,
            violated: true,
        };
        let record = ContractsRecord::new("pod.1".into(), vec![standing], Duration::from_secs(30));
        assert_eq!(ContractsRecord::from_json(&record.to_json()), Ok(record.clone()));
        let newer = ContractsRecord { version: 2, ..record.clone() };
        assert!(ContractsRecord::from_json(&newer.to_json()).is_err());
        assert!(!record.is_expired(record.sent_at, Duration::ZERO));
        assert!(record.is_expired(record.sent_at + Duration::from_secs(31), Duration::ZERO));
        let key = ContractsRecord::key_of("pod.1");
        assert!(ContractsRecord::is_key(&key) && Announcement::is_key(&key));
        assert!(!ContractsRecord::is_key(&Announcement::key_of("pod.1")));
    }
}
