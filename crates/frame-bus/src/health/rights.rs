//! What the broker's administrator has not allowed us to do.

use crate::config::security::Security;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// After this time it is worth another try to write. Who reads tries all the time; who writes may
/// be asked to only while all is well, and would never find out that it is allowed now.
const WRITE_AGAIN: Duration = Duration::from_secs(10);

/// Something that a broker may allow or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    /// To read a topic.
    Read(String),
    /// To write to a topic.
    Write(String),
    /// To write to any topic at all: only who may gets the number that an idempotent producer
    /// needs.
    Produce,
    /// To be a member of a group, or to ask for its offsets.
    Group(String),
}

impl Right {
    /// The topic that it is about.
    pub(crate) fn topic(&self) -> Option<&str> {
        match self {
            Self::Read(topic) | Self::Write(topic) => Some(topic),
            Self::Produce | Self::Group(_) => None,
        }
    }

    /// In words: who lacks it, and what would help.
    pub(crate) fn is_missing(&self, security: &Security) -> String {
        format!("{} may not {self}: its administrator must allow it there", security.who())
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(topic) => write!(f, "read topic '{topic}' (operation Read)"),
            Self::Write(topic) => write!(f, "write to topic '{topic}' (operation Write)"),
            Self::Produce => write!(f, "write to any topic (operation Write)"),
            Self::Group(group) => write!(f, "use group '{group}' (operation Read)"),
        }
    }
}

/// Those that are known to be missing, each with the words for it and when it was seen last.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    missing: BTreeMap<Right, (String, Instant)>,
}

impl Rights {
    /// `true` when that is news.
    pub(crate) fn lacks(&mut self, right: Right, text: &str, now: Instant) -> bool {
        self.missing.insert(right, (text.to_owned(), now)).is_none()
    }

    /// `true` when it was missing.
    pub(crate) fn has(&mut self, right: &Right) -> bool {
        self.missing.remove(right).is_some()
    }

    pub(crate) fn are_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// All that are missing, in words; but those to write only for a while.
    pub(crate) fn missing(&self, now: Instant) -> Option<String> {
        let stands = |right: &Right, seen: Instant| {
            !matches!(right, Right::Write(_)) || now.duration_since(seen) < WRITE_AGAIN
        };
        let texts = self
            .missing
            .iter()
            .filter(|(right, (_, seen))| stands(right, *seen))
            .map(|(_, (text, _))| text.as_str());
        let texts: Vec<&str> = texts.collect();
        if texts.is_empty() { None } else { Some(texts.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_is_tried_again_after_a_while_and_told_once() {
        let (mut rights, start) = (Rights::default(), Instant::now());
        let write = || Right::Write("t".into());
        assert!(rights.lacks(write(), "no writing", start));
        assert!(rights.lacks(Right::Read("t".into()), "no reading", start));
        assert_eq!(rights.missing(start).as_deref(), Some("no reading; no writing"));
        let later = start + WRITE_AGAIN;
        assert_eq!(rights.missing(later).as_deref(), Some("no reading"));
        assert!(!rights.lacks(write(), "no writing", later));
        assert_eq!(rights.missing(later).as_deref(), Some("no reading; no writing"));
        assert!(
            rights.has(&write()) && rights.has(&Right::Read("t".into())) && rights.are_complete()
        );
    }
}
