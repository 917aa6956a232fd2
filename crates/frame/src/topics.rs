//! The names of the topics, in one place.

use crate::Destination;

/// The topics through which a frame travels, and the one of settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topics {
    /// Frames as uploaded: web-server → preprocessor.
    pub frames: String,
    /// Prepared frames for the edge: preprocessor → edge-inference.
    pub frames_edge: String,
    /// Prepared frames for the cloud: preprocessor → cloud-inference.
    pub frames_cloud: String,
    /// Results as JSON: everyone → web-server.
    pub results: String,
    /// What could not be processed.
    pub dead_letter: String,
    /// What is set while the suite runs, and what decides now: a compacted topic, see
    /// [`SettingRecord`](crate::SettingRecord) and [`Announcement`](crate::Announcement).
    pub settings: String,
}

impl Default for Topics {
    fn default() -> Self {
        Self::with_prefix("mlvi").expect("the default prefix is a valid topic name")
    }
}

/// A text that cannot name a topic.
#[derive(Debug, thiserror::Error)]
#[error(
    "'{0}' cannot name a topic: use 1 to 200 characters out of A-Z a-z 0-9 . _ -, \
     and neither '.' nor '..'"
)]
pub struct InvalidTopicName(pub String);

impl Topics {
    /// `{prefix}.frames`, `{prefix}.frames.edge`, … as the design names them.
    ///
    /// # Errors
    /// When the prefix has characters that Kafka refuses.
    pub fn with_prefix(prefix: &str) -> Result<Self, InvalidTopicName> {
        Self::check(prefix)?;
        Ok(Self {
            frames: format!("{prefix}.frames"),
            frames_edge: format!("{prefix}.frames.edge"),
            frames_cloud: format!("{prefix}.frames.cloud"),
            results: format!("{prefix}.results"),
            dead_letter: format!("{prefix}.dead-letter"),
            settings: format!("{prefix}.settings"),
        })
    }

    /// Whether Kafka takes this as a topic's name (it allows 249 characters; we leave room for
    /// suffixes).
    ///
    /// # Errors
    /// When it does not.
    pub fn check(name: &str) -> Result<(), InvalidTopicName> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        let ok = (1..=200).contains(&name.len())
            && name != "."
            && name != ".."
            && name.bytes().all(allowed);
        if ok { Ok(()) } else { Err(InvalidTopicName(name.into())) }
    }

    /// The topic of prepared frames for a tier.
    #[must_use]
    pub fn for_destination(&self, destination: Destination) -> &str {
        match destination {
            Destination::Edge => &self.frames_edge,
            Destination::Cloud => &self.frames_cloud,
        }
    }

    /// All six, in the order of a frame's journey, and then the one without frames.
    #[must_use]
    pub fn all(&self) -> [&str; 6] {
        let Self { frames, frames_edge, frames_cloud, results, dead_letter, settings } = self;
        [frames, frames_edge, frames_cloud, results, dead_letter, settings]
    }
}
