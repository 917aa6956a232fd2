//! Kafka for MLVI: send until acknowledged, receive and commit only what is finished, dead letters,
//! lag.
//!
//! This is the only crate that names rdkafka. Three promises hold everywhere:
//!
//! - **Acknowledged or an error.** [`Bus::send`] is `Ok` only after the broker's acknowledgement
//!   (`acks=all`, idempotent).
//! - **At least once.** A consumer's committed offset never passes a message that was not finished
//!   ([`OffsetTracker`]).
//! - **A broker that is away is weather, not an error.** Everything waits and goes on by itself;
//!   [`Bus::state`] says how it is.
//!
//! Blocking client calls run on threads of their own, never on those of the async runtime.

mod backoff;
mod bus;
mod client;
mod clients;
mod config;
mod consume;
mod context;
mod dead_letter;
mod delivery;
mod error;
mod follow;
mod groups;
mod handoff;
mod inventory;
mod lag;
mod lanes;
mod layout;
mod link;
mod logs;
mod member;
mod message;
mod monitor;
mod offsets;
mod persist;
mod produce;
mod read;
mod rebalance;
mod refusal;
mod resume;
mod rights;
mod security;
mod specs;
mod tail;
mod take_up;
mod takes;
mod threads;
mod topics;
mod unreadable;
mod work;

pub use bus::Bus;
pub use config::{BusConfig, DEFAULT_BROKERS};
pub use consume::{Consumer, ConsumerOptions};
pub use delivery::{Ack, Delivery};
pub use error::{BusError, SendError};
pub use inventory::TopicState;
pub use lag::{Lag, PartitionLag};
pub use lanes::{Lanes, Turn};
pub use message::{Message, Outgoing, Sent};
pub use offsets::{Epoch, OffsetTracker};
pub use security::{Identity, Login, Mechanism, Password, Security, Tls};
pub use specs::{partitions_from_settings, topic_specs, topics_from_settings};
pub use tail::{Tail, TailEvent};
pub use threads::{ThreadWork, Threads};
pub use topics::TopicSpec;
pub use unreadable::Unreadable;
pub use work::{DEFAULT_MAX_TAKES, Handle, WorkControl, WorkError, max_takes_from_settings};
