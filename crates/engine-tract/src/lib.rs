//! The only crate that names tract: runs graphs and ONNX files with it.
//!
//! [`Tract`] implements the contract of the crate `engine`. A graph of plain data becomes a model
//! of tract's in `graph` and `activation`, an ONNX file in `onnx`; both end in a `program`, which
//! is optimised and run there. [`to_onnx`] writes a graph as an ONNX file, for other runtimes.

mod activation;
mod graph;
mod guard;
mod onnx;
mod pool;
mod program;

use engine::{Engine, EngineError, Network, OpenNetwork};
pub use onnx::to_onnx;

/// The engine tract.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tract;

impl Engine for Tract {
    fn open(&self, network: Network) -> Result<Box<dyn OpenNetwork>, EngineError> {
        match network {
            Network::Graph(graph) => Ok(Box::new(graph::OpenGraph::new(graph)?)),
            Network::Onnx(file) => Ok(Box::new(onnx::OpenOnnx::read(file)?)),
        }
    }
}
