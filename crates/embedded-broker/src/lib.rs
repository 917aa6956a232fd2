//! A Kafka-protocol broker inside the process, for one machine and for tests.
//!
//! It keeps topics as Kafka does: partitions of record batches in segment files, with checksums,
//! retention by size and age, idempotent producers, and consumer groups with committed offsets.
//! Clients need no change to use it: they connect to [`Broker::address`] as to any broker.
//!
//! ```no_run
//! # async fn example() -> Result<(), embedded_broker::BrokerError> {
//! let broker = embedded_broker::Broker::start(embedded_broker::BrokerConfig::new("data/broker")).await?;
//! println!("bootstrap.servers={}", broker.address());
//! broker.shutdown().await
//! # }
//! ```
//!
//! # What it answers
//!
//! | API | versions | |
//! |---|---|---|
//! | Produce | 3–9 | one batch a partition; any compression, which is passed on as it is |
//! | Fetch | 4–13 | without fetch sessions; from 13 on by topic id |
//! | OffsetForLeaderEpoch | 2–4 | the epoch goes up whenever records may have been lost (KIP-320) |
//! | ListOffsets | 1–7 | earliest, latest, newest, by time (to the record; in compressed batches to the batch) |
//! | Metadata | 0–12 | never creates a topic |
//! | CreateTopics, CreatePartitions, DeleteTopics | 2–7, 0–3, 1–6 | settings `retention.ms`, `retention.bytes`, `segment.bytes`, `max.message.bytes` |
//! | DeleteRecords, DescribeConfigs, DescribeCluster | 0–2, 1–4, 0–1 | |
//! | InitProducerId | 0–4 | idempotence without transactions |
//! | FindCoordinator | 0–4 | of groups |
//! | JoinGroup, SyncGroup, Heartbeat, LeaveGroup | 0–8, 0–5, 0–4, 0–5 | the classic protocol with any strategy, static members included |
//! | OffsetCommit, OffsetFetch | 2–8, 1–8 | kept over restarts, with their metadata |
//! | ListGroups, DescribeGroups, DeleteGroups | 0–4, 0–5, 0–2 | |
//! | ApiVersions | 0–3 | |
//!
//! Anything else is answered with `UNSUPPORTED_VERSION`; the connection stays.
//!
//! # What it does not do
//!
//! Replication, transactions, the group protocol of KIP-848, topics made by
//! asking for them, TLS, SASL, quotas. Committed offsets stay until their group or topic is
//! deleted.
//!
//! # What survives
//!
//! A message is acknowledged once it is in the page cache, so a process that stops or is killed
//! loses none. What a power cut may take is up to [`FsyncPolicy`]. At the next start every batch is
//! read and checked. What is damaged is lost, what is intact behind it is kept, and a WARN says
//! which offsets are gone. A control batch stands for them, as transactions leave them behind:
//! clients pass over it.
//!
//! No offset is given twice. Beside each log a checkpoint says where it ended, or which offsets it
//! had not given yet; a log that has become shorter, or was not closed, goes on above all of them.
//! So new records are before everybody: groups, whose committed offsets are brought together with
//! the logs at each start, and clients that only remember where they were.
//!
//! Committed offsets know the id of their topic: a topic that is made again begins without any. A
//! damaged list of topics or identity keeps the broker from starting, with an error that says what
//! to do; logs are left alone.
//!
//! # When the disk is full
//!
//! Produce is refused at once, with `THROTTLING_QUOTA_EXCEEDED`, and one ERROR names the folder and
//! the free bytes. Segments that every group with committed offsets has finished are dropped then,
//! whatever their age. It goes on by itself when there is space.

mod api;
mod broker;
mod config;
mod connection;
mod disk;
mod error;
mod files;
mod group;
mod identity;
mod log;
mod node;
mod offsets;
mod positions;
mod server;
mod topic_config;
mod topics;
mod upkeep;
mod wire;

pub use broker::{Broker, BrokerTask};
pub use config::{BrokerConfig, DEFAULT_MAX_MESSAGE_BYTES, FsyncPolicy};
pub use error::BrokerError;
