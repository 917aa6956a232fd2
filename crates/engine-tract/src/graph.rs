//! A Darknet network as a tract model.

use super::layers::{Convolution, Layer, MaxPool, Network, Shape};
use super::weights::Folded;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::format_err;
use tract_onnx::tract_core::ops::array::{Slice, TypedConcat};
use tract_onnx::tract_core::ops::cnn::{
    Conv, KernelFormat, MaxPool as TractMaxPool, PaddingSpec, PoolSpec,
};
use tract_onnx::tract_core::ops::math::add;
use tract_onnx::tract_core::ops::nn::{DataFormat, NearestUpsample};

/// Builds the model: input `[batch, 3, height, width]`, and one output `[batch, channels, height,
/// width]` a head, in file order.
pub(crate) fn build(
    network: &Network,
    weights: &[Folded],
    batch: usize,
) -> TractResult<TypedModel> {
    let mut model = TypedModel::default();
    let Shape { channels, height, width } = network.input;
    let input = model.add_source("input", f32::fact([batch, channels, height, width]))?;
    let mut builder =
        Builder { model, wires: Vec::with_capacity(network.layers.len()), weights: weights.iter() };
    let mut heads = Vec::new();
    for (index, (layer, _)) in network.layers.iter().enumerate() {
        let x = builder.wires.last().copied().unwrap_or(input);
        if let Layer::Yolo(_) = layer {
            heads.push(x);
        }
        let wire = builder.layer(
            &format!("layer{index}"),
            layer,
            (x, network.shape_before(index)),
            network,
        )?;
        builder.wires.push(wire);
    }
    let mut model = builder.model;
    model.select_output_outlets(&heads)?;
    Ok(model)
}

struct Builder<'a> {
    model: TypedModel,
    /// What each layer puts out.
    wires: Vec<OutletId>,
    weights: std::slice::Iter<'a, Folded>,
}

impl Builder<'_> {
    fn layer(
        &mut self,
        name: &str,
        layer: &Layer,
        (x, shape): (OutletId, Shape),
        network: &Network,
    ) -> TractResult<OutletId> {
        match layer {
            Layer::Convolution(layer) => self.convolution(name, layer, x, shape.channels),
            Layer::MaxPool(layer) => self.max_pool(name, layer, x, shape.channels),
            Layer::Route { sources, parts, part } => {
                let mut pieces = Vec::with_capacity(sources.len());
                for source in sources {
                    let channels = network.layers[*source].1.channels / parts;
                    pieces.push(self.channels(
                        name,
                        self.wires[*source],
                        channels * part..channels * (part + 1),
                        *parts,
                    )?);
                }
                if let [only] = pieces[..] {
                    Ok(only)
                } else {
                    self.apply(name, TypedConcat { axis: 1 }, &pieces)
                }
            }
            Layer::Shortcut { from, activation } => {
                let sum = self.apply(name, add(), &[x, self.wires[*from]])?;
                activation.wire(&mut self.model, name, sum)
            }
            Layer::Upsample { stride } => {
                self.apply(name, NearestUpsample { scales: tvec![1, 1, *stride, *stride] }, &[x])
            }
            Layer::Dropout | Layer::Yolo(_) => Ok(x),
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

    /// Some of a layer's channels; all of them when it is not split.
    fn channels(
        &mut self,
        name: &str,
        x: OutletId,
        range: std::ops::Range<usize>,
        parts: usize,
    ) -> TractResult<OutletId> {
        if parts == 1 {
            return Ok(x);
        }
        self.apply(&format!("{name}.from{}", x.node), Slice::new(1, range.start, range.end), &[x])
    }

    fn convolution(
        &mut self,
        name: &str,
        layer: &Convolution,
        x: OutletId,
        channels: usize,
    ) -> TractResult<OutletId> {
        let folded = self.weights.next().ok_or_else(|| format_err!("{name} has no weights"))?;
        let kernel = self.model.add_const(format!("{name}.kernel"), folded.kernel.clone())?;
        let bias = self.model.add_const(format!("{name}.bias"), folded.bias.clone())?;
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
            output_channels: layer.filters,
        };
        let operator =
            Conv { pool_spec, kernel_fmt: KernelFormat::OIHW, group: layer.groups, q_params: None };
        let y = self.apply(name, operator, &[x, kernel, bias])?;
        layer.activation.wire(&mut self.model, name, y)
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
