//! The only crate that names tract: runs graphs and ONNX files with it.
//!
//! [`Tract`] implements the contract of the crate `engine`. A graph of plain data becomes a model
//! of tract's in `graph` and `activation`, or in `int8` with bytes in place of numbers; an ONNX file in
//! `onnx`. All end in a `program`, which is optimised and run there.

mod activation;
mod graph;
mod guard;
mod int8;
mod onnx;
mod pool;
mod program;

use engine::{Engine, EngineError, Network, OpenNetwork};

/// The engine tract.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tract;

impl Engine for Tract {
    fn open(&self, network: Network) -> Result<Box<dyn OpenNetwork>, EngineError> {
        match network {
            Network::Graph(graph) => Ok(Box::new(graph::OpenGraph::new(graph)?)),
            Network::Int8(graph, ranges) => Ok(Box::new(int8::OpenInt8::new(&graph, &ranges)?)),
            Network::Onnx(file) => Ok(Box::new(onnx::OpenOnnx::read(file)?)),
        }
    }
}
