//! What the broker's administrator has not allowed us to do.

use crate::Security;
use std::collections::BTreeMap;
use std::fmt;

/// Something that a broker may allow or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    /// To read a topic.
    Read(String),
    /// To write to a topic.
    Write(String),
    /// To be a member of a group, or to ask for its offsets.
    Group(String),
}

impl Right {
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
            Self::Group(group) => write!(f, "use group '{group}' (operation Read)"),
        }
    }
}

/// Those that are known to be missing, each with the words for it.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    missing: BTreeMap<Right, String>,
}

impl Rights {
    /// `true` when that is news.
    pub(crate) fn lacks(&mut self, right: Right, text: &str) -> bool {
        self.missing.insert(right, text.to_owned()).is_none()
    }

    /// `true` when it was missing.
    pub(crate) fn has(&mut self, right: &Right) -> bool {
        self.missing.remove(right).is_some()
    }

    pub(crate) fn are_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// All that are missing, in words.
    pub(crate) fn missing(&self) -> Option<String> {
        let texts: Vec<&str> = self.missing.values().map(String::as_str).collect();
        if texts.is_empty() { None } else { Some(texts.join("; ")) }
    }
}
