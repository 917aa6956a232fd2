//! The settings of the inference units, and what others need to know of these.
//!
//! A crate apart from `inference-worker`, so that a program that only reads settings, such as
//! `mlvi check`, is built and linked without the engine that runs models.

mod about;
mod config;
mod models;

pub use about::{CLOUD, EDGE};
pub use config::{Config, KernelChoice, ModelConfig, ModelPrecision};
