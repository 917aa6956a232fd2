//! What every request and task of the web-server shares.

use crate::access::Access;
use crate::config::Limits;
use crate::history::History;
use crate::jobs::{Bounds, Store};
use crate::metrics::Metrics;
use crate::pending::Room;
use crate::pictures::Pictures;
use crate::problem::RequestError;
use crate::sequences::Sequences;
use crate::settings_board::SettingsBoard;
use crate::stats::Stats;
use frame::{ServedBy, Topics};
use frame_bus::{Bus, Readiness};
use regions::Book;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use unit::Traces;

/// The bus reads frames back one after the other, on a blocking thread each: one read and the next,
/// further ones wait here.
const MAX_FRAME_READS: usize = 2;

/// How long whoever wants a picture waits until masks are known.
const MASKS_WITHIN: Duration = Duration::from_secs(10);

/// What frames on their way back to clients may fill together, in bytes: a client that takes its
/// own slowly holds it meanwhile.
pub(crate) const MAX_FETCHED_BYTES: usize = 32 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) identity: ServedBy,
    pub(crate) access: Arc<Access>,
    pub(crate) limits: Limits,
    pub(crate) topics: Topics,
    pub(crate) bus: Bus,
    pub(crate) store: Arc<Store>,
    pub(crate) room: Room,
    pub(crate) sequences: Sequences,
    pub(crate) settings: SettingsBoard,
    /// Which parts of pictures are masked.
    pub(crate) regions: Arc<Book>,
    pub(crate) stats: Stats,
    pub(crate) history: History,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) camera_streams: Arc<Semaphore>,
    pub(crate) frame_reads: Semaphore,
    /// A permit for each byte of frames on their way back to clients.
    pub(crate) fetches: Arc<Semaphore>,
    pub(crate) pictures: Pictures,
    pub(crate) metrics: Metrics,
    pub(crate) traces: Traces,
    pub(crate) shutdown: CancellationToken,
    /// Work that a client may not cut off by going away.
    pub(crate) tasks: TaskTracker,
    broker: watch::Receiver<Readiness>,
    topics_now: watch::Receiver<Readiness>,
    topics_there: AtomicBool,
    caught_up: AtomicBool,
}

/// What comes from elsewhere, and goes there.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Results of the past.
    pub(crate) history: History,
    /// What of pictures nobody may see.
    pub(crate) regions: Arc<Book>,
    /// Where spans go.
    pub(crate) traces: Traces,
}

impl App {
    pub(crate) fn new(
        identity: ServedBy,
        access: Arc<Access>,
        limits: Limits,
        topics: Topics,
        Sources { history, regions, traces }: Sources,
        bus: Bus,
        shutdown: CancellationToken,
    ) -> Self {
        let bounds =
            Bounds { count: limits.max_jobs, bytes: limits.max_job_bytes, age: limits.job_ttl };
        let room = Room::new(
            limits.max_pending_frames,
            limits.max_pending_bytes,
            limits.max_expected_wait,
        );
        Self {
            identity,
            access,
            topics,
            store: Arc::new(Store::new(bounds)),
            metrics: Metrics::new(&room),
            room,
            sequences: Sequences::default(),
            settings: SettingsBoard::default(),
            regions,
            traces,
            stats: Stats::new(),
            history,
            streams: Arc::new(Semaphore::new(limits.max_streams)),
            pictures: Pictures::new(&limits),
            camera_streams: Arc::new(Semaphore::new(limits.max_camera_streams)),
            frame_reads: Semaphore::new(MAX_FRAME_READS),
            fetches: Arc::new(Semaphore::new(MAX_FETCHED_BYTES)),
            shutdown,
            tasks: TaskTracker::new(),
            broker: bus.state(),
            topics_now: bus.topics_state(),
            topics_there: AtomicBool::new(false),
            caught_up: AtomicBool::new(false),
            limits,
            bus,
        }
    }

    /// Whether a frame could be put on the bus now; asked before a body is read.
    pub(crate) fn check_bus(&self) -> Result<(), RequestError> {
        if let Err(unready) = &*self.broker.borrow() {
            return Err(RequestError::BrokerAway(unready.to_string()));
        }
        if !self.topics_there.load(Ordering::Acquire) {
            return Err(RequestError::Starting("the topics are not there yet"));
        }
        if let Err(unready) = &*self.topics_now.borrow() {
            return Err(RequestError::BrokerAway(unready.to_string()));
        }
        Ok(())
    }

    /// Whether older results have been read, so that what comes now is new.
    pub(crate) fn check_caught_up(&self) -> Result<(), RequestError> {
        if self.caught_up.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(RequestError::Starting("older results are still being read"))
        }
    }

    /// Waits until it is known which parts of pictures nobody may see: what is set was read once,
    /// or there is no topic for it.
    pub(crate) async fn masks_are_known(&self) -> Result<(), RequestError> {
        let in_time = tokio::time::timeout(MASKS_WITHIN, self.regions.known()).await;
        in_time.map(drop).map_err(|_| RequestError::Starting("masks are not read yet"))
    }

    /// A final result was read, the first of its frame; older ones say nothing of how fast the
    /// tiers are now.
    pub(crate) fn answered(&self, ours: bool) {
        if self.caught_up.load(Ordering::Acquire) {
            self.room.answered(ours);
        }
    }

    pub(crate) fn topics_are_there(&self) {
        self.topics_there.store(true, Ordering::Release);
    }

    pub(crate) fn has_caught_up(&self) {
        self.store.has_caught_up();
        self.caught_up.store(true, Ordering::Release);
    }
}
