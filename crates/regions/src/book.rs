//! What holds now.

use crate::topic::Topic;
use crate::{Regions, RegionsFile};
use frame::{CameraId, SettingRecord};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::watch;

/// Every camera's masks and zones. Reading takes a lock for less than a microsecond.
#[derive(Debug)]
pub struct Book {
    held: RwLock<Held>,
    is_read: AtomicBool,
    topic: Topic,
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Held {
    file: BTreeMap<CameraId, Arc<Regions>>,
    records: BTreeMap<CameraId, Arc<Regions>>,
}

/// Where a camera's regions come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A record of the settings topic.
    Topic,
    /// The regions file.
    File,
    /// Nothing is set.
    Nothing,
}

/// How it is known what is masked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// The records of the settings topic were read.
    Read,
    /// There is no such topic: the file counts.
    NoTopic,
}

impl Origin {
    /// As it is told to clients.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::File => "file",
            Self::Nothing => "none",
        }
    }
}

impl Book {
    /// With what the file says.
    #[must_use]
    pub fn new(file: RegionsFile) -> Self {
        let held = Held { file: shared(file), records: BTreeMap::new() };
        Self {
            held: RwLock::new(held),
            is_read: AtomicBool::new(false),
            topic: Topic::default(),
            changes: watch::Sender::new(()),
        }
    }

    /// A camera's masks and zones, unless it has none.
    #[must_use]
    pub fn of(&self, camera: &CameraId) -> Option<Arc<Regions>> {
        self.with_origin(camera).0.filter(|regions| **regions != Regions::default())
    }

    /// The same with where it comes from. A record without any regions is one, too.
    #[must_use]
    pub fn with_origin(&self, camera: &CameraId) -> (Option<Arc<Regions>>, Origin) {
        let held = self.read();
        let of = |from: &BTreeMap<CameraId, Arc<Regions>>| from.get(camera).cloned();
        match (of(&held.records), of(&held.file)) {
            (Some(record), _) => (Some(record), Origin::Topic),
            (None, Some(file)) => (Some(file), Origin::File),
            (None, None) => (None, Origin::Nothing),
        }
    }

    /// Every camera for which something is set, by its name, with where it comes from.
    #[must_use]
    pub fn listed(&self) -> Vec<(CameraId, Arc<Regions>, Origin)> {
        let held = self.read();
        let mut listed = BTreeMap::new();
        for (from, origin) in [(&held.file, Origin::File), (&held.records, Origin::Topic)] {
            let of = |(camera, regions): (&CameraId, &Arc<Regions>)| {
                (camera.clone(), (Arc::clone(regions), origin))
            };
            // a record wins
            listed.extend(from.iter().map(of));
        }
        listed.into_iter().map(|(camera, (regions, origin))| (camera, regions, origin)).collect()
    }

    /// Whether a camera has a mask.
    #[must_use]
    pub fn is_masked(&self, camera: &CameraId) -> bool {
        self.of(camera).is_some_and(|regions| !regions.masks.is_empty())
    }

    /// Whether any camera has a mask.
    #[must_use]
    pub fn has_masks(&self) -> bool {
        let held = self.read();
        held.file.values().chain(held.records.values()).any(|regions| !regions.masks.is_empty())
    }

    /// Whether the records that were there have been read once.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.is_read.load(Ordering::Acquire)
    }

    /// The settings topic is there, or cannot be had, as far as this process may know. A process
    /// that cannot say says nothing.
    pub fn topic_is_there(&self, there: bool) {
        if self.topic.is_there(there) {
            self.changes.send_replace(());
        }
    }

    /// How long a missing topic must be missing before it counts as absent, in place of three
    /// seconds: it may be made meanwhile.
    #[must_use]
    pub fn absent_after(self, time: Duration) -> Self {
        Self { topic: Topic::patient_for(time), ..self }
    }

    /// Waits until it is known what is masked: what was set has been read once, or there is no
    /// topic where it could be set.
    pub async fn known(&self) -> Known {
        let mut changes = self.changes();
        loop {
            if self.is_read() {
                return Known::Read;
            }
            let absent_in = self.topic.absent_in();
            if absent_in.is_some_and(|time| time.is_zero()) {
                return Known::NoTopic;
            }
            let absent = async {
                match absent_in {
                    Some(time) => tokio::time::sleep(time).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // the sender is this book's own
                _ = changes.changed() => {}
                () = absent => {}
            }
        }
    }

    /// Told at each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The file says this from now on.
    pub(crate) fn exchange_file(&self, file: RegionsFile) {
        let file = shared(file);
        self.write().file = file;
        self.changes.send_replace(());
    }

    /// A camera's record was read. One that cannot be used changes nothing; but if it is what a
    /// process finds at its start, nobody knows what was to be hidden: everything is.
    ///
    /// # Errors
    /// What is wrong with the record.
    pub(crate) fn record(
        &self,
        camera: &CameraId,
        value: &[u8],
        at_start: bool,
    ) -> Result<SettingRecord, String> {
        let read = SettingRecord::from_json(value).map_err(|error| error.to_string());
        let used = read.and_then(|record| {
            let regions = Regions::from_json(&record.value).map_err(|error| error.to_string())?;
            Ok((record, regions))
        });
        let mut held = self.write();
        let outcome = match used {
            Ok((record, regions)) => {
                held.records.insert(camera.clone(), Arc::new(regions));
                Ok(record)
            }
            Err(problem) => {
                if at_start && !held.records.contains_key(camera) {
                    held.records.insert(camera.clone(), Arc::new(Regions::all_black()));
                }
                Err(problem)
            }
        };
        drop(held);
        self.changes.send_replace(());
        outcome
    }

    /// A camera's record is gone. Whether there was one.
    pub(crate) fn record_removed(&self, camera: &CameraId) -> bool {
        let was_there = self.write().records.remove(camera).is_some();
        self.changes.send_replace(());
        was_there
    }

    /// The cameras that have a record.
    pub(crate) fn recorded(&self) -> Vec<CameraId> {
        self.read().records.keys().cloned().collect()
    }

    /// Everything that was there has been read, or there is nothing to be read.
    pub fn has_been_read(&self) {
        self.is_read.store(true, Ordering::Release);
        self.changes.send_replace(());
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shared(file: RegionsFile) -> BTreeMap<CameraId, Arc<Regions>> {
    file.cameras.into_iter().map(|(camera, regions)| (camera, Arc::new(regions))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn masks_are_known_when_they_are_read_or_the_topic_stays_away() {
        let never = Duration::from_secs(3600);
        let book = Book::new(RegionsFile::default()).absent_after(never);
        let waits = || async {
            tokio::select! { biased; _ = book.known() => false, () = async {} => true }
        };
        assert!(waits().await, "nobody knows");
        book.topic_is_there(false);
        assert!(waits().await, "it may be made meanwhile");
        book.topic_is_there(true);
        assert!(waits().await, "it is not read");
        book.has_been_read();
        assert_eq!(book.known().await, Known::Read);

        let book = Book::new(RegionsFile::default()).absent_after(Duration::from_millis(20));
        book.topic_is_there(false);
        assert_eq!(book.known().await, Known::NoTopic);
        assert_eq!(book.known().await, Known::NoTopic, "and stays so");
        book.topic_is_there(true);
        let waits = tokio::select! { biased; _ = book.known() => false, () = async {} => true };
        assert!(waits, "it has come, and is not read");
    }

    #[test]
    fn cameras_are_listed_once_and_a_record_wins() {
        let file = b"[cameras.gate]\n[[cameras.yard.masks]]\npoints = [[0, 0], [1, 0], [1, 1]]";
        let book = Book::new(RegionsFile::from_toml(file).unwrap());
        let [door, yard] = ["door", "yard"].map(|name| name.parse::<CameraId>().unwrap());
        for camera in [&door, &yard] {
            let record = SettingRecord::new("{}".into(), "a test".into(), None).to_json();
            book.record(camera, &record, false).unwrap();
        }
        let listed = book.listed();
        let listed: Vec<_> = listed
            .iter()
            .map(|(of, regions, origin)| (of.as_str(), regions.masks.len(), *origin))
            .collect();
        let expected =
            [("door", 0, Origin::Topic), ("gate", 0, Origin::File), ("yard", 0, Origin::Topic)];
        assert_eq!(listed, expected);
        book.record_removed(&yard);
        assert_eq!(book.listed()[2].2, Origin::File);
    }

    #[test]
    fn being_asked_for_again_does_not_begin_anew() {
        let topic = Topic::patient_for(Duration::ZERO);
        assert_eq!(topic.absent_in(), None);
        assert!(topic.is_there(false) && !topic.is_there(false));
        assert_eq!(topic.absent_in(), Some(Duration::ZERO));
        assert!(topic.is_there(true) && !topic.is_there(true));
        assert_eq!(topic.absent_in(), None);
    }
}
