//! What all connections share.

use crate::config::{BrokerConfig, FsyncPolicy};
use crate::connection::Hangup;
use crate::error::BrokerError;
use crate::group::Coordinator;
use crate::identity::Identity;
use crate::offsets::OffsetStore;
use crate::topics::Topics;
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// See the module.
pub(crate) struct Node {
    pub(crate) config: BrokerConfig,
    pub(crate) port: u16,
    pub(crate) identity: Identity,
    pub(crate) topics: Topics,
    pub(crate) groups: Coordinator,
    pub(crate) offsets: OffsetStore,
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
        Ok(Self {
            port,
            identity: Identity::open(&config.dir)?,
            topics: Topics::open(&config)?,
            groups: Coordinator::new(config.rebalance_delay),
            offsets: OffsetStore::open(&config.dir, config.fsync == FsyncPolicy::EveryAppend)?,
            jobs: TaskTracker::new(),
            dir_lock,
            config,
        })
    }

    /// Runs `job`, which touches files, on a thread that may block. The job goes on if the caller is dropped.
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

    /// Forces everything to the disk. Blocks. Goes on after an error, and gives the first one.
    pub(crate) fn flush(&self) -> Result<(), BrokerError> {
        let offsets = self.offsets.flush().map_err(BrokerError::storage(self.config.dir.join("offsets")));
        let logs = self
            .topics
            .partitions()
            .into_iter()
            .map(|partition| partition.flush().map_err(BrokerError::storage(partition.dir())));
        logs.fold(offsets, |first: Result<(), BrokerError>, next| first.and(next))
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
