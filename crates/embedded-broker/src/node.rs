//! What all connections share.

use crate::config::{BrokerConfig, FsyncPolicy};
use crate::connection::{Hangup, ROOM_KIB};
use crate::disk::Disk;
use crate::error::BrokerError;
use crate::group::Coordinator;
use crate::identity::Identity;
use crate::log::Partition;
use crate::offsets::OffsetStore;
use crate::positions;
use crate::topics::Topics;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// See the module.
pub(crate) struct Node {
    pub(crate) config: BrokerConfig,
    pub(crate) port: u16,
    pub(crate) identity: Identity,
    pub(crate) topics: Topics,
    pub(crate) groups: Coordinator,
    pub(crate) offsets: OffsetStore,
    /// For requests that are being read or answered, in KiB.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) disk: Disk,
    /// Work on blocking threads, so that a stop can wait for it.
    jobs: TaskTracker,
    /// Held, the directory is ours.
    dir_lock: File,
}

impl Node {
    /// Opens the directory. Blocks.
    pub(crate) fn open(config: BrokerConfig, port: u16) -> Result<Self, BrokerError> {
        fs::create_dir_all(&config.dir).map_err(BrokerError::storage(&config.dir))?;
        let dir_lock = lock_dir(&config.dir)?;
        let topics = Topics::open(&config)?;
        let used_ids = topics
            .partitions()
            .iter()
            .map(|partition| partition.largest_producer_id())
            .max()
            .unwrap_or(0);
        let node = Self {
            port,
            identity: Identity::open(&config.dir, used_ids)?,
            topics,
            groups: Coordinator::new(config.rebalance_delay),
            offsets: OffsetStore::open(&config.dir, config.fsync == FsyncPolicy::EveryAppend)?,
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            disk: Disk::new(&config.dir, config.disk_bytes),
            jobs: TaskTracker::new(),
            dir_lock,
            config,
        };
        positions::reconcile(&node)?;
        Ok(node)
    }

    /// Runs `job`, which touches files, on a thread that may block. The job goes on if the caller
    /// is dropped.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Hangup> {
        let node = Arc::clone(self);
        self.jobs.spawn_blocking(move || job(&node)).await.map_err(|error| {
            if error.is_panic() {
                tracing::error!(%error, "a storage job panicked");
            }
            Hangup::Stopping
        })
    }

    /// Waits until all jobs are done; there must be nobody left who starts new ones.
    pub(crate) async fn jobs_done(&self) {
        self.jobs.close();
        self.jobs.wait().await;
    }

    /// Lets another broker have the directory; there must be nobody left who writes.
    pub(crate) fn release_dir(&self) -> Result<(), BrokerError> {
        self.dir_lock.unlock().map_err(BrokerError::storage(self.config.dir.join("lock")))
    }

    /// Forces everything to the disk: the logs first, so that committed offsets do not run ahead of
    /// them. Blocks. Goes on after an error, and gives the first one.
    pub(crate) fn flush(&self) -> Result<(), BrokerError> {
        let logs = self.each_log(Partition::flush);
        logs.and(
            self.offsets.flush().map_err(BrokerError::storage(self.config.dir.join("offsets"))),
        )
    }

    /// Writes down where the logs end, when nobody writes any more. Blocks. Goes on after an error,
    /// and gives the first one.
    pub(crate) fn close(&self) -> Result<(), BrokerError> {
        self.each_log(Partition::close)
    }

    fn each_log(&self, act: impl Fn(&Partition) -> io::Result<()>) -> Result<(), BrokerError> {
        let partitions = self.topics.partitions();
        // every one of them, whatever becomes of the first
        let outcomes: Vec<_> = partitions
            .iter()
            .map(|partition| act(partition).map_err(BrokerError::storage(partition.dir())))
            .collect();
        outcomes.into_iter().collect()
    }
}

/// The system gives the lock back when the process ends, however it ends.
fn lock_dir(dir: &Path) -> Result<File, BrokerError> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(BrokerError::storage(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BrokerError::DirInUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(BrokerError::Storage { path, source }),
    }
}
