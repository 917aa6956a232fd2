//! Kafka for MLVI: send until acknowledged, receive and commit only what is finished, dead letters,
//! lag.
//!
//! This is the only crate that names rdkafka. Three promises hold everywhere:
//!
//! - **Acknowledged or an error.** [`Bus::send`] is `Ok` only after the broker's acknowledgement
//!   (`acks=all`, idempotent).
//! - **At least once.** A consumer's committed offset never passes a message that was not finished
//!   ([`OffsetTracker`]).
//! - **A broker that is away is a transient condition.** Everything waits and goes on by itself;
//!   [`Bus::state`] says how it is.
//!
//! Blocking client calls run on threads of their own, never on those of the async runtime.

mod admin;
mod bus;
mod client;
mod config;
mod error;
mod health;
#[cfg(test)]
mod layers;
mod message;
mod position;
mod receive;
mod send;
mod tail;
mod takes;
mod threads;
mod work;

pub use admin::lag::{Lag, PartitionLag};
pub use admin::topics::TopicState;
pub use bus::Bus;
pub use bus::unreadable::Unreadable;
pub use config::security::{Identity, Login, Mechanism, Password, Security, Tls};
pub use config::topics::{
    Cleanup, TopicSpec, all_topic_specs, partitions_from_settings, settings_spec, topic_specs,
    topics_from_settings,
};
pub use config::{BusConfig, DEFAULT_BROKERS};
pub use error::{BusError, SendError};
pub use health::unready::{Readiness, Unready};
pub use message::{Message, Outgoing, Sent};
pub use receive::consumer::{Consumer, ConsumerOptions};
pub use receive::delivery::{Ack, Delivery};
pub use receive::offsets::{Epoch, OffsetTracker};
pub use tail::Tail;
pub use tail::event::TailEvent;
pub use tail::table::{Table, TableEvent};
pub use threads::{ThreadWork, Threads};
pub use work::control::{DEFAULT_MAX_TAKES, WorkControl, WorkError, max_takes_from_settings};
pub use work::handle::Handle;
pub use work::lanes::{Lanes, Turn};
