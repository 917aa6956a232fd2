//! What edge and cloud inference share: admit, batch, model threads, publish.
//!
//! A frame's way through the worker, file by file: [`run`](mod@run) takes it off the tier's topic, `handle` decides what becomes of
//! it, `batch` gathers it with others, `threads` runs it on a model thread ([`model`] is the contract), `publish` sends the
//! result and only then lets its offset be committed.

mod batch;
mod config;
mod handle;
mod job;
mod metrics;
mod model;
mod publish;
mod run;
mod threads;

pub use config::{Config, ModelConfig};
pub use model::{Model, ModelSession};
pub use run::{run, run_with};
