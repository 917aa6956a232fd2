//! The note that stands in the metadata of a committed offset.

use std::collections::BTreeMap;
use std::fmt;

/// The first word of every note; another one is somebody else's and says nothing.
const MARK: &str = "mlvi1";
/// A note must stay far below the 4096 bytes that Kafka keeps. Panics are noted for the message
/// that has them, and each ends the process.
const MAX_COUNTS: usize = 32;

/// What stands beside a committed offset.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Note {
    pub(crate) open: Option<Open>,
    /// Messages before this offset are taken up alone; 0 when there are no suspects.
    pub(crate) suspect_until: i64,
    /// Offset and count.
    pub(crate) takes: BTreeMap<i64, u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Open {
    /// No message from here on is in hand.
    pub(crate) until: i64,
    /// Which process.
    pub(crate) by: u64,
}

impl Note {
    /// Reads a note; what is none of ours, or damaged, reads as one that says nothing.
    pub(crate) fn parse(text: &str) -> Self {
        Self::read(text).unwrap_or_default()
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        if words.next() != Some(MARK) {
            return None;
        }
        let mut note = Self::default();
        for word in words {
            let (name, value) = word.split_once('=')?;
            match name {
                "open" => {
                    let (until, by) = value.split_once('@')?;
                    note.open = Some(Open {
                        until: until.parse().ok()?,
                        by: u64::from_str_radix(by, 16).ok()?,
                    });
                }
                "suspects" => note.suspect_until = value.parse().ok()?,
                "takes" => {
                    for one in value.split(',') {
                        let (offset, count) = one.split_once(':')?;
                        note.takes.insert(offset.parse().ok()?, count.parse().ok()?);
                    }
                }
                // of a later version
                _ => {}
            }
        }
        Some(note)
    }

    /// Who has the partition open.
    pub(crate) fn holder(&self) -> Option<u64> {
        self.open.map(|open| open.by)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MARK)?;
        if let Some(Open { until, by }) = self.open {
            write!(f, " open={until}@{by:x}")?;
        }
        if self.suspect_until > 0 {
            write!(f, " suspects={}", self.suspect_until)?;
        }
        let counts = self.takes.iter().take(MAX_COUNTS);
        for (index, (offset, count)) in counts.enumerate() {
            write!(f, "{}{offset}:{count}", if index == 0 { " takes=" } else { "," })?;
        }
        Ok(())
    }
}
