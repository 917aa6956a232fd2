//! What edge and cloud inference share: admit, batch, model threads, publish.
//!
//! A frame's way through the worker, file by file: [`run()`] has the bus take it off the tier's
//! topic, `handle` processes it, `batch` gathers it with others, `threads` runs it on a model
//! thread ([`Model`] is the contract), `publish` sends the result; only then its offset is free to
//! be committed. On the edge `escalate` tells whether a frame was hard: then its result is
//! provisional, and the frame goes on to the cloud.

mod batch;
mod escalate;
mod handle;
mod job;
mod metrics;
mod model;
mod publish;
mod run;
mod spans;
mod threads;

pub use inference_settings::{Config, ModelConfig, ModelPrecision};
pub use model::{Model, ModelFailure, ModelSession};
pub use run::{run, run_with};
