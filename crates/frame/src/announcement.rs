//! What a preprocessor says of itself on the settings topic: by which policy it decides now.

use crate::{AnnouncedAgreement, Expiring, PerTier, Timestamp};
use serde::{Deserialize, Serialize};

/// How the keys of announcements begin; a name of the process follows.
pub(crate) const KEY_PREFIX: &str = "preprocessor/";
/// What went wrong is told in no more characters than this.
const MAX_PROBLEM: usize = 1000;

/// Where the policy that decides comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyOrigin {
    /// Nobody has said anything.
    Default,
    /// The unit's variables.
    Variables,
    /// The policy file.
    File,
    /// A record of the settings topic.
    Topic,
}

impl PolicyOrigin {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Variables => "variables",
            Self::File => "file",
            Self::Topic => "topic",
        }
    }
}

/// What decides in one process: the value of a record of the settings topic, as JSON. It is sent
/// when it changes and every few seconds, and taken back at the end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Announcement {
    /// The form of the announcement.
    pub version: u32,
    /// The pod, or the host, and a part that is new at each start.
    pub instance: String,
    /// The policy's name.
    pub policy: String,
    /// Where it comes from.
    pub source: PolicyOrigin,
    /// The offset of the record that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// The settings that count, as the text of a policy file.
    pub settings: String,
    /// Since when these count.
    pub since: Timestamp,
    /// The state of each tier's circuit breaker: `closed`, `half-open` or `open`.
    pub breakers: PerTier<Option<String>>,
    /// Why the last record or file that came is not what counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<AnnouncedError>,
    /// How far edge and cloud agree, where a policy compares them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AnnouncedAgreement>,
    /// When this was sent, by the sender's clock.
    pub sent_at: Timestamp,
    /// After this moment the process is gone, if nothing was heard since.
    pub expires_at: Timestamp,
}

/// A record or file that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AnnouncedError {
    /// Which of them it was.
    pub source: PolicyOrigin,
    /// The offset of the record, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// What is wrong with it.
    pub problem: String,
    /// Since when.
    pub since: Timestamp,
}

impl AnnouncedError {
    /// Of now; a long text is cut.
    #[must_use]
    pub fn new(source: PolicyOrigin, problem: &str) -> Self {
        let problem = problem.chars().take(MAX_PROBLEM).collect();
        Self { source, revision: None, problem, since: Timestamp::now() }
    }
}

impl Announcement {
    /// The key of a process's announcements.
    #[must_use]
    pub fn key_of(instance: &str) -> String {
        format!("{KEY_PREFIX}{instance}")
    }

    /// Whether a key of the settings topic is that of announcements.
    #[must_use]
    pub fn is_key(key: &str) -> bool {
        key.starts_with(KEY_PREFIX)
    }
}

impl Expiring for Announcement {
    const NAME: &'static str = "an announcement";
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
    use std::time::Duration;

    #[test]
    fn an_announcement_is_read_as_it_was_written_until_it_expires() {
        let sent_at = Timestamp::from_micros(1_000_000);
        let announcement = Announcement {
            version: Announcement::VERSION,
            instance: "pod.1".into(),
            policy: "ratio".into(),
            source: PolicyOrigin::Topic,
            revision: Some(7),
            settings: "policy = \"ratio\"\n".into(),
            since: sent_at,
            breakers: PerTier { edge: Some("closed".into()), cloud: Some("open".into()) },
            error: Some(AnnouncedError::new(PolicyOrigin::File, &"x".repeat(5000))),
            agreement: None,
            sent_at,
            expires_at: sent_at + Duration::from_secs(30),
        };
        let json = announcement.to_json();
        assert!(json.len() < 2000, "a long problem is cut");
        assert_eq!(Announcement::from_json(&json).unwrap(), announcement);
        let second = Duration::from_secs(1);
        assert!(!announcement.is_expired(sent_at + 30 * second, Duration::ZERO));
        assert!(announcement.is_expired(sent_at + 31 * second, Duration::ZERO));
        assert!(!announcement.is_expired(sent_at + 31 * second, second));
        let newer = Announcement { version: 2, ..announcement };
        let problem = Announcement::from_json(&newer.to_json()).unwrap_err().to_string();
        assert!(problem.contains("an announcement of version 2"), "{problem}");
        assert!(
            Announcement::is_key(&Announcement::key_of("pod")) && !Announcement::is_key("policy")
        );
    }
}
