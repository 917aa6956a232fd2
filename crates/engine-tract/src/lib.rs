//! The only crate that names tract: runs graphs and ONNX files with it.
//!
//! [`Tract`] implements the contract of the crate `engine`. A graph of plain data becomes a model
//! of tract's in `graph` and `activation`, an ONNX file in `onnx`; in both, `pixels` replaces what
//! `kernels` can do quicker. In `int8`, a graph becomes a model with bytes in place of numbers. What
//! is left becomes a `program`, which is optimised and run there.
//! [`to_onnx`] writes a graph as an ONNX file, for other runtimes.

mod activation;
mod choice;
mod graph;
mod guard;
mod int8;
mod kept;
mod onnx;
mod options;
mod pixels;
mod pool;
mod program;
mod remembered;

use engine::{Engine, EngineError, Network, OpenNetwork};
pub use onnx::to_onnx;
pub use options::{Kernels, Options};
pub use remembered::remember_trials;

/// The engine tract.
#[derive(Clone, Debug, Default)]
pub struct Tract(Options);

impl Tract {
    /// One that prepares networks in another way than by default.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self(options)
    }
}

impl Engine for Tract {
    fn open(&self, network: Network) -> Result<Box<dyn OpenNetwork>, EngineError> {
        let options = self.0.clone();
        match network {
            Network::Graph(graph) => Ok(Box::new(graph::OpenGraph::new(graph, options)?)),
            Network::Int8(graph, ranges) => {
                Ok(Box::new(int8::OpenInt8::new(&graph, &ranges, options)?))
            }
            Network::Onnx(file) => Ok(Box::new(onnx::OpenOnnx::read(file, options)?)),
        }
    }
}
