//! A graph of plain data with 8-bit weights and activations, as a tract model of our own operators.
//!
//! [`plan`] turns the graph's layers into steps, once; `operator` makes operators of them for any
//! batch size. The weights are packed in the steps, which all programs share, and the graph is
//! dropped.

mod head;
mod operator;
mod plan;
mod step;
mod weights;

use crate::{Kernels, Options, program};
use engine::{EngineError, Graph, OpenNetwork, Program, Range, Shape};
use operator::Int8Step;
use plan::{Plan, Source};
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::format_err;

/// A quantised graph, from which tract models of any batch size are built.
pub(crate) struct OpenInt8 {
    plan: Plan,
    options: Options,
}

impl OpenInt8 {
    /// # Errors
    /// When the graph contradicts itself, there is not a range for each layer, or it has something
    /// that is not run on bytes.
    pub(crate) fn new(
        graph: &Graph,
        ranges: &[Range],
        options: Options,
    ) -> Result<Self, EngineError> {
        graph.check().map_err(|error| EngineError::Network(error.to_string()))?;
        // every operator is of our own already
        let options = Options { kernels: Kernels::Tract, ..options };
        Ok(Self { plan: Plan::of(graph, ranges, options.team.threads())?, options })
    }
}

impl OpenNetwork for OpenInt8 {
    fn data_files(&self) -> &[String] {
        &[]
    }

    fn remarks(&self) -> Result<&[String], EngineError> {
        Ok(&[])
    }

    fn program(&self, batch: usize) -> Result<Arc<dyn Program>, EngineError> {
        program::prepared(self.plan.input, batch, &self.options, || self.model(batch))
            .map(|program| program as Arc<dyn Program>)
    }
}

impl OpenInt8 {
    fn model(&self, batch: usize) -> TractResult<TypedModel> {
        let mut model = TypedModel::default();
        let Shape { channels, height, width } = self.plan.input;
        let input = model.add_source("input", f32::fact([batch, channels, height, width]))?;
        let mut wires: Vec<OutletId> = Vec::with_capacity(self.plan.steps.len());
        for step in &self.plan.steps {
            let inputs = step.inputs.iter().map(|source| match source {
                Source::Input => Ok(input),
                Source::Step(index) => {
                    let wire = wires.get(*index).copied();
                    wire.ok_or_else(|| format_err!("step {index} is read before it has run"))
                }
            });
            let inputs = inputs.collect::<TractResult<TVec<_>>>()?;
            let operator = Int8Step(step.step.clone(), self.options.team.clone());
            wires.push(model.wire_node(&step.name, operator, &inputs)?[0]);
        }
        let outputs: Vec<OutletId> = self.plan.outputs.iter().map(|index| wires[*index]).collect();
        model.select_output_outlets(&outputs)?;
        Ok(model)
    }
}
