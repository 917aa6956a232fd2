//! How the broker is set up.

use crate::BrokerError;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The largest record batch that is taken unless configured otherwise, in bytes: an 8 MiB frame, 64
/// KiB for its key and headers, and 4 KiB for the framing of batch and record.
pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024 + 64 * 1024 + 4 * 1024;

/// Positions inside a segment are 32-bit, and a segment may end one batch above its limit.
const MAX_SEGMENT_BYTES: u64 = 1 << 30;

/// Batches above this would not leave room for a produce request around them.
const MAX_MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// When written data is forced from the page cache to the disk.
///
/// A process that is stopped or killed loses nothing under any policy: the page cache belongs to
/// the kernel. The policy decides what a power cut may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FsyncPolicy {
    /// The kernel decides.
    Never,
    /// In the background, this often.
    Interval(Duration),
    /// Before each produce request is acknowledged and each offset commit is answered.
    EveryAppend,
}

/// Everything that [`Broker::start`](crate::Broker::start) wants to know.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Where to listen; port 0 takes any free port.
    pub listen: SocketAddr,
    /// Where topics, messages and committed offsets live; created when missing, and owned by one
    /// broker at a time.
    pub dir: PathBuf,
    /// The host name that clients are told to connect to; `None` tells each client the address
    /// that it has connected to.
    pub advertised_host: Option<String>,
    /// A segment file is closed when it would grow beyond this, in bytes (1 KiB to 1 GiB). Topics
    /// may say `segment.bytes`.
    pub segment_bytes: u64,
    /// Of each partition at least this much is kept, in bytes, and at most two segments more;
    /// `None` keeps all. Topics may say `retention.bytes`.
    pub retention_bytes: Option<u64>,
    /// Segments whose newest record is older than this go; `None` keeps all. Topics may say
    /// `retention.ms`.
    pub retention: Option<Duration>,
    /// All partitions together are kept below this, in bytes, by dropping the oldest segments
    /// among the partitions of average size or more.
    pub total_bytes: u64,
    /// How often retention is applied.
    pub retention_interval: Duration,
    /// The largest record batch that is taken, in bytes. Topics may say less with
    /// `max.message.bytes`.
    pub max_message_bytes: usize,
    /// When data is forced to the disk.
    pub fsync: FsyncPolicy,
    /// How long the first member of an empty group waits for others, so that a group that starts
    /// together needs one rebalance.
    pub rebalance_delay: Duration,
    /// More than this is not written into logs, in bytes, as if the disk were of this size;
    /// `None`: as much as the disk takes.
    pub disk_bytes: Option<u64>,
    /// How long a client may stop in the middle of a request, or take nothing of an answer, before
    /// its connection is closed.
    pub request_patience: Duration,
    /// Connections beyond this are closed at once.
    pub max_connections: usize,
}

impl BrokerConfig {
    /// The defaults: any free port of 127.0.0.1; 64 MiB segments; 256 MiB and 24 h a partition; 8
    /// GiB in total; fsync once a second.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            dir: dir.into(),
            advertised_host: None,
            segment_bytes: 64 << 20,
            retention_bytes: Some(256 << 20),
            retention: Some(Duration::from_secs(24 * 3600)),
            total_bytes: 8 << 30,
            retention_interval: Duration::from_secs(1),
            max_message_bytes: DEFAULT_MAX_MESSAGE_BYTES,
            fsync: FsyncPolicy::Interval(Duration::from_secs(1)),
            rebalance_delay: Duration::from_millis(50),
            disk_bytes: None,
            request_patience: Duration::from_secs(15),
            max_connections: 1000,
        }
    }

    pub(crate) fn check(&self) -> Result<(), BrokerError> {
        let refuse = |what: &str| Err(BrokerError::Config(what.into()));
        if !(1024..=MAX_SEGMENT_BYTES).contains(&self.segment_bytes) {
            return refuse("segment_bytes must be between 1 KiB and 1 GiB");
        }
        if !(1024..=MAX_MAX_MESSAGE_BYTES).contains(&self.max_message_bytes) {
            return refuse("max_message_bytes must be between 1 KiB and 64 MiB");
        }
        if self.max_connections == 0 {
            return refuse("max_connections must be at least 1");
        }
        if self.retention_interval.is_zero() || self.fsync == FsyncPolicy::Interval(Duration::ZERO)
        {
            return refuse("intervals must be longer than zero");
        }
        Ok(())
    }
}
