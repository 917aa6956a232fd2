//! What holds now.

use crate::{Regions, RegionsFile};
use frame::{CameraId, SettingRecord};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::watch;

/// Every camera's masks and zones. Reading takes a lock for less than a microsecond.
#[derive(Debug)]
pub struct Book {
    held: RwLock<Held>,
    is_read: AtomicBool,
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
