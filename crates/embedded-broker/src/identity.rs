//! What stays the same over restarts: the cluster's id, and which producer ids have been given out.

use crate::error::BrokerError;
use crate::files::{self, lock};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use uuid::Uuid;

const FORMAT: &str = "identity 1";
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
    /// Reads the identity of `dir`, or makes one up for a new directory. Blocks.
    pub(crate) fn open(dir: &Path) -> Result<Self, BrokerError> {
        let path = dir.join("identity");
        let (cluster_id, reserved) = match files::read_if_there(&path).map_err(BrokerError::storage(&path))? {
            None => (Uuid::now_v7().simple().to_string(), 0),
            Some(text) => {
                parse(&text).ok_or_else(|| BrokerError::Unreadable { path: path.clone(), reason: "is not an identity".into() })?
            }
        };
        let identity = Self { cluster_id, path, producer_ids: Mutex::new(ProducerIds { next: reserved, reserved }) };
        identity.save(reserved).map_err(BrokerError::storage(&identity.path))?;
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
        files::replace(&self.path, format!("{FORMAT}\n{}\n{reserved}\n", self.cluster_id).as_bytes())
    }
}

fn parse(text: &str) -> Option<(String, i64)> {
    let mut lines = text.lines();
    let cluster_id = lines.next().filter(|line| *line == FORMAT).and_then(|_| lines.next())?;
    let reserved = lines.next()?.parse().ok().filter(|id| *id >= 0)?;
    Some((cluster_id.into(), reserved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producer_ids_are_never_given_twice_and_the_cluster_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut seen = std::collections::HashSet::new();
        let first = Identity::open(dir.path()).unwrap();
        for _ in 0..BLOCK + 10 {
            assert!(seen.insert(first.next_producer_id().unwrap()));
        }
        let second = Identity::open(dir.path()).unwrap();
        assert!(seen.insert(second.next_producer_id().unwrap()));
        assert_eq!(first.cluster_id, second.cluster_id);
    }
}
