//! The process shell of a unit: settings, tracing, the admin port, readiness, shutdown.
//!
//! A unit's `main` is one call of [`main_with`]; its library entry is `run(config, shutdown)`,
//! which starts a [`Shell`] and then does the unit's work under its supervision:
//! background tasks are spawned by name through the shell's [`Tasks`]. Tests and `mlvi up` call `run` directly.

mod about;
mod admin;
mod allocator;
mod bounded_map;
mod descriptors;
mod health;
mod heartbeat;
pub mod http;
mod json;
mod listen;
mod memory;
mod metrics;
mod panics;
mod probe;
mod process;
mod shell;
mod short;
mod signals;
mod tasks;
mod telemetry;
pub mod traces;
mod waiters;
mod watched;

pub use about::{About, BacklogGauge, ConsumedTopic, Estimate};
pub use allocator::frugal_allocator;
pub use bounded_map::BoundedMap;
pub use descriptors::{connection_limit, raise_descriptor_limit};
pub use health::{Condition, Health};
pub use heartbeat::Heartbeat;
pub use listen::{Listen, ListenError};
pub use memory::{Memory, MemorySource, PixelRoom};
pub use metrics::Metrics;
pub use panics::panic_text;
pub use process::{EXIT_USAGE, main_with};
pub use shell::{Shell, ShellConfig};
pub use signals::cancel_on_signal;
pub use tasks::{Ends, Faults, TaskEnd, TaskFailure, Tasks};
pub use telemetry::{LogFormat, Telemetry};
pub use traces::Traces;
pub use waiters::{Waiter, Waiters};
pub use watched::{FileError, WatchedFiles};
