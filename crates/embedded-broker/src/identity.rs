//! What stays the same over restarts: the cluster's id, and which producer ids have been given out.

use crate::error::BrokerError;
use crate::files::{self, lock};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use uuid::Uuid;

const FORMAT: &str = "identity 2";
/// As older versions wrote it, without a checksum.
const FORMAT_1: &str = "identity 1";
/// Producer ids are written down this many at a time; a restart skips what was left of them.
const BLOCK: i64 = 1000;

/// See the module.
pub(crate) struct Identity {
    pub(crate) cluster_id: String,
    path: PathBuf,
    producer_ids: Mutex<ProducerIds>,
}

struct ProducerIds {
    next: i64,
    reserved: i64,
}

impl Identity {
    /// Reads the identity of `dir`, or makes one up for a new directory. Producer ids up to `used`
    /// have been given out, whatever the file says. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is damaged.
    pub(crate) fn open(dir: &Path, used: i64) -> Result<Self, BrokerError> {
        let path = dir.join("identity");
        let read = match files::read_if_there(&path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(None),
            read => read.map_err(BrokerError::storage(&path))?.map(|text| parse(&text)),
        };
        let known = read.map(|parsed| parsed.ok_or_else(|| damaged(&path))).transpose()?;
        let is_new = known.is_none();
        let (cluster_id, reserved) =
            known.unwrap_or_else(|| (Uuid::now_v7().simple().to_string(), 0));
        // an id that is given twice makes the batches of one producer look like those of another
        let reserved = reserved.max(used.saturating_add(1));
        let identity = Self {
            cluster_id,
            path,
            producer_ids: Mutex::new(ProducerIds { next: reserved, reserved }),
        };
        if is_new {
            identity.save(reserved).map_err(BrokerError::storage(&identity.path))?;
        }
        Ok(identity)
    }

    /// A producer id that no producer has had before. Blocks.
    pub(crate) fn next_producer_id(&self) -> io::Result<i64> {
        let mut ids = lock(&self.producer_ids);
        if ids.next == ids.reserved {
            self.save(ids.reserved + BLOCK)?;
            ids.reserved += BLOCK;
        }
        let id = ids.next;
        ids.next += 1;
        Ok(id)
    }

    fn save(&self, reserved: i64) -> io::Result<()> {
        files::replace(
            &self.path,
            files::seal(format!("{FORMAT}\n{}\n{reserved}\n", self.cluster_id)).as_bytes(),
        )
    }
}

fn damaged(path: &Path) -> BrokerError {
    BrokerError::Unreadable {
        path: path.to_owned(),
        reason: "is damaged: it should hold the cluster's id and the producer ids that have been \
            given out"
            .into(),
        advice: "put a copy of it back, or move it away: the cluster then gets a new id, and \
            producer ids go on above those that are in \
                 the logs; frames and offsets are kept"
            .into(),
    }
}

fn parse(text: &str) -> Option<(String, i64)> {
    let (format, contents) = match files::unseal(text) {
        Some(contents) => (FORMAT, contents),
        None => (FORMAT_1, text),
    };
    let mut lines = contents.lines();
    let is_id = |id: &&str| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let cluster_id =
        lines.next().filter(|line| *line == format).and_then(|_| lines.next()).filter(is_id)?;
    let reserved = lines.next()?.parse().ok().filter(|id| *id >= 0)?;
    Some((cluster_id.into(), reserved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producer_ids_are_never_given_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut seen = std::collections::HashSet::new();
        let first = Identity::open(dir.path(), 0).unwrap();
        for _ in 0..BLOCK + 10 {
            assert!(seen.insert(first.next_producer_id().unwrap()));
        }
        let second = Identity::open(dir.path(), 0).unwrap();
        assert!(seen.insert(second.next_producer_id().unwrap()));
        assert_eq!(first.cluster_id, second.cluster_id);
        std::fs::remove_file(dir.path().join("identity")).unwrap();
        let third = Identity::open(dir.path(), 1234).unwrap();
        assert!(
            third.next_producer_id().unwrap() > 1234,
            "what is in the logs is not given again, either"
        );
    }

    #[test]
    fn any_damage_is_named_with_advice_and_the_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity");
        Identity::open(dir.path(), 0).unwrap().next_producer_id().unwrap();
        let good = std::fs::read(&path).unwrap();
        for index in 0..good.len() {
            let flipped = {
                let mut bad = good.clone();
                bad[index] ^= 0x84;
                bad
            };
            for bad in [&flipped[..], &good[..index]] {
                std::fs::write(&path, bad).unwrap();
                let error = Identity::open(dir.path(), 0).err().expect("damaged").to_string();
                assert!(
                    error.contains(path.to_str().unwrap()) && error.contains("move it away"),
                    "{error}"
                );
                assert_eq!(std::fs::read(&path).unwrap(), bad);
            }
        }
    }

    #[test]
    fn the_file_of_an_older_version_is_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("identity"), "identity 1\n0192abc\n3000\n").unwrap();
        let identity = Identity::open(dir.path(), 0).unwrap();
        assert_eq!(
            (identity.cluster_id.as_str(), identity.next_producer_id().unwrap()),
            ("0192abc", 3000)
        );
    }
}
