//! What is written down beside a log, so that a log that has become shorter is noticed and no
//! offset is given twice.

use super::epochs::{Epoch, Epochs};
use crate::files;
use std::io;
use std::path::Path;
use uuid::Uuid;

/// The file's name in the log's directory.
pub(crate) const CHECKPOINT_FILE: &str = "checkpoint";
const FORMAT: &str = "log 1";

/// How far the log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It is being written to: no offset at or above this has been given.
    Below(i64),
    /// It was closed, and ended here.
    Closed(i64),
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) topic_id: Uuid,
    pub(super) reach: Reach,
    pub(super) epochs: Epochs,
}

/// What was found.
pub(super) enum Reading {
    Nothing,
    Damaged,
    Checkpoint(Checkpoint),
}

impl Checkpoint {
    /// Reads the checkpoint of a log's directory. Blocks.
    pub(super) fn read(dir: &Path) -> io::Result<Reading> {
        let text = files::read_if_there(&dir.join(CHECKPOINT_FILE));
        Ok(match text {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Reading::Damaged,
            Err(error) => return Err(error),
            Ok(None) => Reading::Nothing,
            Ok(Some(text)) => {
                files::unseal(&text).and_then(parse).map_or(Reading::Damaged, Reading::Checkpoint)
            }
        })
    }

    /// Writes it down; it survives a power cut once this has returned. Blocks.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let (end, how) = match self.reach {
            Reach::Below(end) => (end, "below"),
            Reach::Closed(end) => (end, "closed"),
        };
        let mut text = format!("{FORMAT}\ntopic {}\nend {how} {end}\n", self.topic_id);
        for Epoch { number, start } in self.epochs.iter() {
            text += &format!("epoch {number} {start}\n");
        }
        files::replace(&dir.join(CHECKPOINT_FILE), files::seal(text).as_bytes())
    }
}

/// The id of the topic that a log's directory belongs to, if it can be told.
pub(crate) fn topic_id_of(dir: &Path) -> Option<Uuid> {
    match Checkpoint::read(dir) {
        Ok(Reading::Checkpoint(checkpoint)) => Some(checkpoint.topic_id).filter(|id| !id.is_nil()),
        _ => None,
    }
}

fn parse(text: &str) -> Option<Checkpoint> {
    let mut lines = text.lines();
    if lines.next() != Some(FORMAT) {
        return None;
    }
    let topic_id = lines.next()?.strip_prefix("topic ")?.parse().ok()?;
    let (how, end) = lines.next()?.strip_prefix("end ")?.split_once(' ')?;
    let end: i64 = end.parse().ok().filter(|end| *end >= 0)?;
    let reach = match how {
        "below" => Reach::Below(end),
        "closed" => Reach::Closed(end),
        _ => return None,
    };
    let epoch = |line: &str| {
        let (number, start) = line.strip_prefix("epoch ")?.split_once(' ')?;
        Some(Epoch { number: number.parse().ok()?, start: start.parse().ok()? })
    };
    let epochs = Epochs::new(lines.map(epoch).collect::<Option<_>>()?)?;
    Some(Checkpoint { topic_id, reach, epochs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_whole_or_as_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let mut epochs = Epochs::default();
        epochs.bump(7, 0);
        let written = Checkpoint { topic_id: Uuid::now_v7(), reach: Reach::Below(4096), epochs };
        written.write(dir.path()).unwrap();
        assert!(
            matches!(Checkpoint::read(dir.path()).unwrap(), Reading::Checkpoint(read) if read == written)
        );
        assert_eq!(topic_id_of(dir.path()), Some(written.topic_id));
        let path = dir.path().join(CHECKPOINT_FILE);
        let good = std::fs::read(&path).unwrap();
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 0x01 << (index % 8);
            std::fs::write(&path, &bad).unwrap();
            assert!(
                matches!(Checkpoint::read(dir.path()).unwrap(), Reading::Damaged),
                "byte {index}"
            );
            std::fs::write(&path, &good[..index]).unwrap();
            assert!(
                matches!(Checkpoint::read(dir.path()).unwrap(), Reading::Damaged),
                "{index} bytes"
            );
        }
    }
}
