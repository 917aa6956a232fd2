//! A graph of plain data as a tract model.

use crate::Options;
use crate::activation;
use crate::program::{self, TractProgram};
use engine::{
    Convolution, EngineError, Graph, MaxPool, Node, OpenNetwork, Operation, Program, Shape, Value,
};
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{bail, format_err};
use tract_onnx::tract_core::ops::array::{Slice, TypedConcat};
use tract_onnx::tract_core::ops::cnn::{
    Conv, KernelFormat, MaxPool as TractMaxPool, PaddingSpec, PoolSpec,
};
use tract_onnx::tract_core::ops::math::add;
use tract_onnx::tract_core::ops::nn::{DataFormat, NearestUpsample};

/// A graph, from which tract models of any batch size are built.
pub(crate) struct OpenGraph {
    /// Its kernels are taken out.
    graph: Graph,
    /// One for each node; the models of all batch sizes share them.
    weights: Vec<Option<Weights>>,
    options: Options,
}

/// Of a convolution.
struct Weights {
    kernel: Arc<Tensor>,
    bias: Arc<Tensor>,
}

impl OpenGraph {
    pub(crate) fn new(mut graph: Graph, options: Options) -> Result<Self, EngineError> {
        graph.check().map_err(|error| EngineError::Network(error.to_string()))?;
        let mut weights = Vec::with_capacity(graph.nodes.len());
        for index in 0..graph.nodes.len() {
            let channels = graph.nodes[index].inputs.first().map(|x| graph.shape(*x).channels);
            weights.push(match &mut graph.nodes[index].operation {
                Operation::Convolution(layer) => {
                    Some(Weights::take(layer, channels.unwrap_or(0)).map_err(program::refused)?)
                }
                Operation::MaxPool(_)
                | Operation::Concat
                | Operation::Channels { .. }
                | Operation::Add(_)
                | Operation::Upsample { .. } => None,
            });
        }
        Ok(Self { graph, weights, options })
    }
}

impl Weights {
    /// Of a convolution that reads so many channels. Each kernel leaves the graph, so that a
    /// network is in memory once.
    fn take(layer: &mut Convolution, channels: usize) -> TractResult<Self> {
        let kernel = std::mem::take(&mut layer.kernel);
        // the graph was checked: there is a group, and as many numbers as the sides say
        let shape = [layer.filters(), channels / layer.groups, layer.size, layer.size];
        Ok(Self {
            kernel: Tensor::from_shape(&shape, &kernel)?.into_arc_tensor(),
            bias: tensor1(&layer.bias).into_arc_tensor(),
        })
    }
}

impl OpenNetwork for OpenGraph {
    fn data_files(&self) -> &[String] {
        &[]
    }

    fn remarks(&self) -> Result<&[String], EngineError> {
        Ok(&[])
    }

    fn program(&self, batch: usize) -> Result<Arc<dyn Program>, EngineError> {
        program::prepared(self.graph.input, batch, &self.options, || self.model(batch))
            .map(|program: Arc<TractProgram>| program as Arc<dyn Program>)
    }
}

impl OpenGraph {
    /// Input `[batch, channels, height, width]`, and outputs of the same order.
    fn model(&self, batch: usize) -> TractResult<TypedModel> {
        let mut model = TypedModel::default();
        let Shape { channels, height, width } = self.graph.input;
        let input = model.add_source("input", f32::fact([batch, channels, height, width]))?;
        let mut builder = Builder {
            model,
            graph: &self.graph,
            input,
            wires: Vec::with_capacity(self.weights.len()),
        };
        for (node, weights) in self.graph.nodes.iter().zip(&self.weights) {
            let wire = builder.node(node, weights.as_ref())?;
            builder.wires.push(wire);
        }
        let outputs = self.graph.outputs.iter().map(|output| builder.wire(*output));
        let outputs = outputs.collect::<TractResult<Vec<_>>>()?;
        let mut model = builder.model;
        model.select_output_outlets(&outputs)?;
        Ok(model)
    }
}

struct Builder<'a> {
    model: TypedModel,
    graph: &'a Graph,
    input: OutletId,
    /// What each node puts out.
    wires: Vec<OutletId>,
}

impl Builder<'_> {
    fn wire(&self, value: Value) -> TractResult<OutletId> {
        match value {
            Value::Input => Ok(self.input),
            Value::Node(index) => {
                let wire = self.wires.get(index).copied();
                wire.ok_or_else(|| format_err!("layer {index} is read before it has run"))
            }
        }
    }

    fn node(&mut self, node: &Node, weights: Option<&Weights>) -> TractResult<OutletId> {
        let Node { name, operation, inputs, shape } = node;
        let sources =
            inputs.iter().map(|input| self.wire(*input)).collect::<TractResult<Vec<_>>>()?;
        match (operation, weights, &sources[..]) {
            (Operation::Convolution(layer), Some(weights), [x]) => {
                let channels = self.graph.shape(inputs[0]).channels;
                self.convolution(name, (layer, weights), *x, channels)
            }
            (Operation::MaxPool(layer), _, [x]) => self.max_pool(name, layer, *x, shape.channels),
            (Operation::Concat, _, [_, ..]) => self.apply(name, TypedConcat { axis: 1 }, &sources),
            (Operation::Channels { first }, _, [_]) => {
                self.apply(name, Slice::new(1, *first, first + shape.channels), &sources)
            }
            (Operation::Add(activation), _, [_, _]) => {
                let sum = self.apply(name, add(), &sources)?;
                activation::wire(*activation, &mut self.model, name, sum)
            }
            (Operation::Upsample { stride }, _, [_]) => {
                let scales = tvec![1, 1, *stride, *stride];
                self.apply(name, NearestUpsample { scales }, &sources)
            }
            (
                Operation::Convolution(_)
                | Operation::MaxPool(_)
                | Operation::Concat
                | Operation::Channels { .. }
                | Operation::Add(_)
                | Operation::Upsample { .. },
                ..,
            ) => bail!("{name} cannot have {} inputs", sources.len()),
        }
    }

    fn apply(
        &mut self,
        name: &str,
        operator: impl Into<Box<dyn TypedOp>>,
        inputs: &[OutletId],
    ) -> TractResult<OutletId> {
        Ok(self.model.wire_node(name, operator, inputs)?[0])
    }

    fn convolution(
        &mut self,
        name: &str,
        (layer, weights): (&Convolution, &Weights),
        x: OutletId,
        channels: usize,
    ) -> TractResult<OutletId> {
        let kernel = self.model.add_const(format!("{name}.kernel"), weights.kernel.clone())?;
        let bias = self.model.add_const(format!("{name}.bias"), weights.bias.clone())?;
        let sides = tvec![layer.padding, layer.padding];
        let pool_spec = PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: tvec![layer.size, layer.size],
            padding: if layer.padding == 0 {
                PaddingSpec::Valid
            } else {
                PaddingSpec::Explicit(sides.clone(), sides)
            },
            dilations: Some(tvec![layer.dilation, layer.dilation]),
            strides: Some(tvec![layer.strides.0, layer.strides.1]),
            input_channels: channels,
            output_channels: layer.filters(),
        };
        let operator =
            Conv { pool_spec, kernel_fmt: KernelFormat::OIHW, group: layer.groups, q_params: None };
        let y = self.apply(name, operator, &[x, kernel, bias])?;
        activation::wire(layer.activation, &mut self.model, name, y)
    }

    fn max_pool(
        &mut self,
        name: &str,
        layer: &MaxPool,
        x: OutletId,
        channels: usize,
    ) -> TractResult<OutletId> {
        let (before, after) = layer.padding;
        let pool_spec = PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: tvec![layer.size, layer.size],
            padding: PaddingSpec::Explicit(tvec![before, before], tvec![after, after]),
            dilations: None,
            strides: Some(tvec![layer.strides.0, layer.strides.1]),
            input_channels: channels,
            output_channels: channels,
        };
        self.apply(name, TractMaxPool { pool_spec, with_index_outputs: None }, &[x])
    }
}
