//! The committed offsets of all groups, kept over restarts.

use super::entry;
use crate::error::BrokerError;
use crate::files::{self, lock};
use crate::log::now_ms;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tracing::warn;
use uuid::Uuid;

/// The file is rewritten when it is this large and four times as large as what it says.
const SMALLEST_REWRITE: usize = 1 << 20;

/// What an offset is committed for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
    /// Of the topic; nil when it is not known.
    pub(crate) topic_id: Uuid,
}

/// See the module.
pub(crate) struct OffsetStore {
    dir: PathBuf,
    sync_each: bool,
    /// Changed only with `file` locked, after the file has.
    offsets: Mutex<BTreeMap<Key, Committed>>,
    file: Mutex<Journal>,
}

struct Journal {
    file: Arc<File>,
    len: usize,
    /// Bytes after the last rewrite: what the offsets themselves need.
    needed: usize,
    /// Whether commits are only in the page cache.
    unsynced: bool,
    /// Whether the name of the file, which a rewrite has given it, is only in the page cache.
    name_unsynced: bool,
}

impl OffsetStore {
    /// Reads the offsets of `dir`: all that are whole. A damaged file is kept under another name. Blocks.
    ///
    /// # Errors
    /// When files cannot be read or written, or the file is none of ours.
    pub(crate) fn open(dir: &Path, sync_each: bool) -> Result<Self, BrokerError> {
        let path = path(dir);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(BrokerError::storage(&path))?,
        };
        let offsets = read_all(&path, &bytes)?;
        let journal = rewrite(dir, &offsets).map_err(BrokerError::storage(&path))?;
        let store = Self {
            dir: dir.to_owned(),
            sync_each,
            offsets: Mutex::new(offsets),
            file: Mutex::new(journal),
        };
        store.flush().map_err(BrokerError::storage(&path))?;
        Ok(store)
    }

    /// Commits offsets of one group. Blocks.
    pub(crate) fn commit(
        &self,
        group: &str,
        commits: Vec<(String, i32, Committed)>,
    ) -> io::Result<()> {
        let key = |topic, partition| Key { group: group.into(), topic, partition };
        self.change(
            commits
                .into_iter()
                .map(|(topic, partition, committed)| (key(topic, partition), Some(committed)))
                .collect(),
        )
    }

    /// Forgets a group; false when nothing was known of it. Blocks.
    pub(crate) fn forget_group(&self, group: &str) -> io::Result<bool> {
        self.forget(|key| key.group == group)
    }

    /// Forgets what was committed for a topic. Blocks.
    pub(crate) fn forget_topic(&self, topic: &str) -> io::Result<bool> {
        self.forget(|key| key.topic == topic)
    }

    fn forget(&self, which: impl Fn(&Key) -> bool) -> io::Result<bool> {
        let gone: Vec<_> = lock(&self.offsets).keys().filter(|key| which(key)).cloned().collect();
        let any = !gone.is_empty();
        self.change(gone.into_iter().map(|key| (key, None)).collect())?;
        Ok(any)
    }

    fn change(&self, changes: Vec<(Key, Option<Committed>)>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (key, committed) in &changes {
            entry::write(&mut bytes, key, committed.as_ref());
        }
        let mut journal = lock(&self.file);
        if let Err(error) = (&*journal.file).write_all(&bytes) {
            // half an entry would hide all later ones from the next start
            journal.file.set_len(journal.len as u64)?;
            return Err(error);
        }
        // in the file from here on, whatever becomes of the sync: a later cut must not reach into
        // them
        journal.len += bytes.len();
        journal.unsynced = true;
        if self.sync_each {
            let (file, name) = journal.take_unsynced();
            if let Err(failure) = self.sync(file, name) {
                journal.put_back(&failure);
                return Err(failure.error);
            }
        }
        let mut offsets = lock(&self.offsets);
        for (key, committed) in changes {
            apply(&mut offsets, key, committed);
        }
        if journal.len > SMALLEST_REWRITE.max(4 * journal.needed) {
            let snapshot = offsets.clone();
            drop(offsets);
            *journal = rewrite(&self.dir, &snapshot)?;
        }
        Ok(())
    }

    /// What a group has committed for a partition.
    pub(crate) fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        lock(&self.offsets)
            .get(&Key { group: group.into(), topic: topic.into(), partition })
            .cloned()
    }

    /// The partitions that a group has committed, by topic.
    pub(crate) fn partitions_of(&self, group: &str) -> BTreeMap<String, Vec<i32>> {
        let mut partitions = BTreeMap::<String, Vec<i32>>::new();
        let first = Key { group: group.into(), topic: String::new(), partition: i32::MIN };
        for key in lock(&self.offsets)
            .range(first..)
            .map(|(key, _)| key)
            .take_while(|key| key.group == group)
        {
            partitions.entry(key.topic.clone()).or_default().push(key.partition);
        }
        partitions
    }

    /// Changes what is committed: `judge` is asked for every commit, and tells what it should be
    /// (`None`: gone). Gives how many it has changed. Blocks.
    pub(crate) fn revise(
        &self,
        judge: impl Fn(&str, &str, i32, &Committed) -> Option<Committed>,
    ) -> io::Result<usize> {
        let judged = |(key, committed): (&Key, &Committed)| {
            let now = judge(&key.group, &key.topic, key.partition, committed);
            (now.as_ref() != Some(committed)).then(|| (key.clone(), now))
        };
        let changes: Vec<_> = lock(&self.offsets).iter().filter_map(judged).collect();
        let count = changes.len();
        if count > 0 {
            self.change(changes)?;
        }
        Ok(count)
    }

    /// The largest committed offset of a partition; those of an earlier topic of the name do not
    /// count.
    pub(crate) fn furthest(&self, topic: &str, topic_id: Uuid, partition: i32) -> Option<i64> {
        let offsets = lock(&self.offsets);
        let same = |key: &Key, committed: &Committed| {
            key.topic == topic
                && key.partition == partition
                && (committed.topic_id == topic_id || committed.topic_id.is_nil())
        };
        offsets
            .iter()
            .filter(|(key, committed)| same(key, committed))
            .map(|(_, committed)| committed.offset)
            .max()
    }

    /// The smallest committed offset of a partition; `None` when no group has committed any.
    pub(crate) fn nearest(&self, topic: &str, partition: i32) -> Option<i64> {
        let offsets = lock(&self.offsets);
        let same = |key: &Key| key.topic == topic && key.partition == partition;
        offsets.iter().filter(|(key, _)| same(key)).map(|(_, committed)| committed.offset).min()
    }

    /// The groups that have committed anything.
    pub(crate) fn groups(&self) -> Vec<String> {
        let mut groups: Vec<_> = lock(&self.offsets).keys().map(|key| key.group.clone()).collect();
        groups.dedup();
        groups
    }

    /// Forces commits to the disk. Blocks, without keeping commits waiting. What fails is tried
    /// again next time.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let (file, name) = lock(&self.file).take_unsynced();
        self.sync(file, name).map_err(|failure| {
            // a rewrite meanwhile has made the file durable and its name not: one sync too many
            // does no harm
            lock(&self.file).put_back(&failure);
            failure.error
        })
    }

    fn sync(&self, file: Option<Arc<File>>, name: bool) -> Result<(), Unsynced> {
        let named = if name { files::sync_dir(&self.dir) } else { Ok(()) };
        let written = file.map_or(Ok(()), |file| file.sync_data());
        let (name, file) = (named.is_err(), written.is_err());
        named.and(written).map_err(|error| Unsynced { file, name, error })
    }
}

/// What could not be synced, and the first reason.
struct Unsynced {
    file: bool,
    name: bool,
    error: io::Error,
}

impl Journal {
    /// What the caller has to sync: the file if it has to be, and whether its name has to be.
    fn take_unsynced(&mut self) -> (Option<Arc<File>>, bool) {
        let file = std::mem::take(&mut self.unsynced).then(|| Arc::clone(&self.file));
        (file, std::mem::take(&mut self.name_unsynced))
    }

    fn put_back(&mut self, failure: &Unsynced) {
        self.unsynced |= failure.file;
        self.name_unsynced |= failure.name;
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("offsets")
}

fn apply(offsets: &mut BTreeMap<Key, Committed>, key: Key, committed: Option<Committed>) {
    match committed {
        Some(committed) => offsets.insert(key, committed),
        None => offsets.remove(&key),
    };
}

/// The offsets of a file. Behind damage, reading goes on with the next whole entry.
fn read_all(path: &Path, bytes: &[u8]) -> Result<BTreeMap<Key, Committed>, BrokerError> {
    let (mut offsets, mut rest, mut damaged, mut entries) = (BTreeMap::new(), bytes, 0, 0);
    loop {
        while let Some((key, committed)) = entry::read(&mut rest) {
            apply(&mut offsets, key, committed);
            entries += 1;
        }
        let before = rest.len();
        if !entry::skip_damage(&mut rest) {
            break;
        }
        damaged += before - rest.len();
    }
    let torn = entry::may_be_torn(rest);
    if entries == 0 && !torn {
        let reason = "is not a file of committed offsets, or nothing in it is whole".into();
        let advice = "put a copy of it back, or move it away: then every group begins with the \
            oldest frame that is kept, and frames \
                      that were finished are worked on again";
        return Err(BrokerError::Unreadable {
            path: path.to_owned(),
            reason,
            advice: advice.into(),
        });
    }
    if damaged > 0 || !torn {
        let aside = path.with_extension(format!("damaged-{}", now_ms()));
        let kept = fs::copy(path, &aside);
        warn!(path = %path.display(), damaged_bytes = damaged + rest.len(), read = entries, copy = %aside.display(), copied = kept.is_ok(),
            "the file of committed offsets is damaged: groups go on where they were last said to \
             be, and may work on frames again");
    } else if !rest.is_empty() {
        warn!(path = %path.display(), dropped_bytes = rest.len(), "cut a torn tail off the \
            committed offsets");
    }
    Ok(offsets)
}

/// Replaces the file by one that says each offset once. After an error the old file is still the
/// one to be written to.
fn rewrite(dir: &Path, offsets: &BTreeMap<Key, Committed>) -> io::Result<Journal> {
    let mut bytes = Vec::new();
    for (key, committed) in offsets {
        entry::write(&mut bytes, key, Some(committed));
    }
    let file = Arc::new(files::replace_and_open(&path(dir), &bytes)?);
    Ok(Journal {
        file,
        len: bytes.len(),
        needed: bytes.len(),
        unsynced: false,
        name_unsynced: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(offset: i64) -> Committed {
        Committed {
            offset,
            leader_epoch: 0,
            metadata: "tab\tline\nend".into(),
            topic_id: Uuid::from_u128(7),
        }
    }

    fn open(dir: &tempfile::TempDir) -> OffsetStore {
        OffsetStore::open(dir.path(), false).unwrap()
    }

    #[test]
    fn commits_with_metadata_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        open(&dir)
            .commit("g", vec![("t".into(), 0, committed(5)), ("t".into(), 1, committed(6))])
            .unwrap();
        open(&dir).commit("g", vec![("t".into(), 1, committed(7))]).unwrap();
        let store = open(&dir);
        assert_eq!(store.get("g", "t", 0), Some(committed(5)));
        assert_eq!(store.get("g", "t", 1), Some(committed(7)));
        assert_eq!(store.get("h", "t", 1), None);
        assert_eq!(store.partitions_of("g"), BTreeMap::from([("t".into(), vec![0, 1])]));
    }

    #[test]
    fn what_is_forgotten_stays_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        store
            .commit("g", vec![("t".into(), 0, committed(5)), ("u".into(), 0, committed(5))])
            .unwrap();
        store.commit("h", vec![("t".into(), 0, committed(5))]).unwrap();
        assert!(store.forget_topic("t").unwrap());
        assert_eq!(open(&dir).groups(), ["g"]);
        assert!(open(&dir).forget_group("g").unwrap());
        assert!(!open(&dir).forget_group("g").unwrap());
    }

    #[test]
    fn a_torn_file_gives_what_was_whole_and_takes_new_commits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        open(&dir)
            .commit("g", vec![("t".into(), 0, committed(5)), ("t".into(), 1, committed(6))])
            .unwrap();
        let whole = fs::read(&path).unwrap();
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            let store = open(&dir);
            assert_eq!(store.get("g", "t", 0).is_some(), len >= whole.len() / 2, "{len}");
            assert_eq!(store.get("g", "t", 1), None, "{len}");
            store.commit("g", vec![("t".into(), 2, committed(9))]).unwrap();
            assert_eq!(open(&dir).get("g", "t", 2), Some(committed(9)), "{len}");
        }
    }

    #[test]
    fn damage_anywhere_costs_only_the_entries_that_it_is_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        let commits = (0..3).map(|partition| ("t".into(), partition, committed(5))).collect();
        open(&dir).commit("g", commits).unwrap();
        let whole = fs::read(&path).unwrap();
        let len = whole.len() / 3;
        for index in 0..whole.len() {
            let mut bad = whole.clone();
            bad[index] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            let store = open(&dir);
            for partition in 0..3 {
                let intact = partition as usize != index / len;
                assert_eq!(
                    store.get("g", "t", partition),
                    intact.then(|| committed(5)),
                    "byte {index}"
                );
            }
        }
    }

    #[test]
    fn a_file_of_something_else_is_named_with_advice_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        for garbage in [&b"something else that is no list of offsets"[..], &[0xff; 300]] {
            fs::write(&path, garbage).unwrap();
            let error = OffsetStore::open(dir.path(), false)
                .err()
                .expect("nothing can be read")
                .to_string();
            assert!(
                error.contains(path.to_str().unwrap()) && error.contains("move it away"),
                "{error}"
            );
            assert_eq!(fs::read(&path).unwrap(), garbage);
        }
    }

    #[test]
    fn entries_of_older_versions_have_no_topic_id() {
        let mut bytes = Vec::new();
        let key = Key { group: "g".into(), topic: "t".into(), partition: 1 };
        entry::write(&mut bytes, &key, Some(&committed(5)));
        let mut old = bytes[8..bytes.len() - 16].to_vec();
        let head = [(old.len() as u32).to_be_bytes(), crc32c::crc32c(&old).to_be_bytes()].concat();
        old.splice(0..0, head);
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("offsets"), old).unwrap();
        assert_eq!(
            open(&dir).get("g", "t", 1),
            Some(Committed { topic_id: Uuid::nil(), ..committed(5) })
        );
    }

    #[test]
    fn a_flush_that_failed_fails_again_until_the_disk_works() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        // takes writes, but cannot be synced
        let bad = fs::OpenOptions::new().append(true).open("/dev/null").unwrap();
        let good = std::mem::replace(&mut lock(&store.file).file, Arc::new(bad));
        store.commit("g", vec![("t".into(), 0, committed(5))]).unwrap();
        for _ in 0..2 {
            store.flush().expect_err("the file cannot be synced");
        }
        lock(&store.file).file = good;
        store.flush().unwrap();
        assert!(!lock(&store.file).unsynced);
    }

    #[test]
    fn a_failed_sync_does_not_cost_later_commits_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let store = OffsetStore::open(dir.path(), true).unwrap();
        let away = tempfile::tempdir().unwrap();
        let moved = away.path().join("moved");
        // the file can be written, but its name cannot be synced
        lock(&store.file).name_unsynced = true;
        fs::rename(dir.path(), &moved).unwrap();
        store
            .commit("g", vec![("t".into(), 0, committed(5))])
            .expect_err("there is no directory to sync");
        fs::rename(&moved, dir.path()).unwrap();
        store.commit("g", vec![("t".into(), 1, committed(6))]).unwrap();
        let written = fs::metadata(path(dir.path())).unwrap().len();
        assert_eq!(
            lock(&store.file).len as u64,
            written,
            "where a write that fails would be cut off"
        );
        assert!(!lock(&store.file).name_unsynced);
    }

    #[test]
    fn commits_go_on_in_the_old_file_when_it_cannot_be_rewritten() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let obstacle = path(dir.path()).with_extension("tmp");
        fs::create_dir(&obstacle).unwrap();
        let refused = (0..40_000)
            .filter(|offset| store.commit("g", vec![("t".into(), 0, committed(*offset))]).is_err())
            .count();
        assert!(refused > 0, "a rewrite was due");
        fs::remove_dir(&obstacle).unwrap();
        assert_eq!(open(&dir).get("g", "t", 0), Some(committed(39_999)));
    }

    #[test]
    fn the_file_does_not_grow_with_the_number_of_commits() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        for offset in 0..40_000 {
            store.commit("g", vec![("t".into(), 0, committed(offset))]).unwrap();
        }
        assert!(
            fs::metadata(dir.path().join("offsets")).unwrap().len() < 2 * SMALLEST_REWRITE as u64
        );
        assert_eq!(open(&dir).get("g", "t", 0), Some(committed(39_999)));
    }
}
