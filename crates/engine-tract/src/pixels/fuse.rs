//! Which of a model's operators become one convolution of `kernels`.

use super::placed;
use crate::Options;
use crate::choice::Wanted;
use crate::pool::halves;
use kernels::conv::{Clamp, Convolution, Method, Sides};
use kernels::{Isa, Size};
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, MaxPool};
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{Max, Min};
use tract_onnx::tract_core::ops::nn::{DataFormat, LeakyRelu};

/// A convolution and what follows it.
pub(super) struct Fused {
    sides: Sides,
    kernel: Arc<Tensor>,
    bias: Vec<f32>,
    clamp: Clamp,
    /// The convolution, the activation's operators, and the pooling at the end if there is one.
    nodes: Vec<usize>,
    pooled: bool,
}

/// What can be taken together, from a convolution of planes on; `None` when `kernels` cannot do it.
pub(super) fn fuse(
    model: &TypedModel,
    node: &TypedNode,
    conv: &Conv,
    (channels, size): (usize, Size),
) -> TractResult<Option<Fused>> {
    let spec = &conv.pool_spec;
    let known = spec.data_format == DataFormat::NCHW
        && conv.kernel_fmt == KernelFormat::OIHW
        && conv.q_params.is_none();
    let depthwise = conv.group > 1 && conv.group == channels && spec.output_channels == channels;
    if !known || !(conv.group == 1 || depthwise) {
        return Ok(None);
    }
    let (Some(kernel), Some(bias)) =
        (&model.outlet_fact(node.inputs[1])?.konst, &model.outlet_fact(node.inputs[2])?.konst)
    else {
        return Ok(None);
    };
    let Some(at) = placed(spec, size) else { return Ok(None) };
    let sides = Sides {
        height: size.height,
        width: size.width,
        channels,
        filters: spec.output_channels,
        kernel: (spec.kernel_shape[0], spec.kernel_shape[1]),
        strides: (spec.stride(0), spec.stride(1)),
        dilations: (spec.dilation(0), spec.dilation(1)),
        before: at.before,
        after: at.after,
        depthwise,
    };
    let floats = kernel.datum_type() == f32::datum_type() && bias.datum_type() == f32::datum_type();
    let whole = floats
        && kernel.len() == sides.weights()
        && sides.output() == (at.output.height, at.output.width)
        && sides.output().0 * sides.output().1 > 0;
    // one number may stand for all
    let numbers =
        if floats { bias.try_as_plain_ram()?.as_slice::<f32>()?.to_vec() } else { vec![] };
    let bias = match numbers[..] {
        [one] => vec![one; sides.filters],
        _ => numbers,
    };
    if !whole || bias.len() != sides.filters {
        return Ok(None);
    }
    let mut fused = Fused {
        sides,
        kernel: kernel.clone(),
        bias,
        clamp: Clamp::NONE,
        nodes: vec![node.id],
        pooled: false,
    };
    fused.extend(model)?;
    Ok(Some(fused))
}

impl Fused {
    /// Takes up what follows as long as nobody else reads what lies between.
    fn extend(&mut self, model: &TypedModel) -> TractResult<()> {
        while let Some(next) = only_reader(model, self.nodes[self.nodes.len() - 1])? {
            if let Some(clamp) = activation(model, next, self.clamp)? {
                self.clamp = clamp;
                self.nodes.push(next.id);
                continue;
            }
            let (height, width) = self.sides.output();
            let pools = |pool| halves(pool, (height, width));
            // no cell may be left alone
            if height % 2 == 0 && width % 2 == 0 && next.op_as::<MaxPool>().is_some_and(pools) {
                self.nodes.push(next.id);
                self.pooled = true;
            }
            break;
        }
        Ok(())
    }

    /// Packs the weights; `planes` when the input has not become pixels yet.
    pub(super) fn layer(
        &self,
        name: &str,
        planes: bool,
        batch: usize,
        options: &Options,
    ) -> TractResult<Convolution> {
        let kernel = self.kernel.try_as_plain_ram()?;
        let wanted = Wanted {
            isa: options.isa.unwrap_or_else(Isa::best),
            sides: self.sides,
            batch,
            weights: (kernel.as_slice::<f32>()?, &self.bias[..]),
            clamp: self.clamp,
            pooled: self.pooled,
        };
        Ok(if planes && Method::takes_planes(&self.sides) {
            wanted.by(Method::Planar)
        } else {
            wanted.packed(name, options)
        })
    }

    /// Whether each output pixel reads one input pixel, and nothing is pooled.
    pub(super) fn is_of_points(&self) -> bool {
        self.sides.kernel == (1, 1) && !self.sides.depthwise && !self.pooled
    }

    /// Whether each channel is convolved by itself, and nothing is pooled.
    pub(super) fn is_depthwise(&self) -> bool {
        self.sides.depthwise && !self.pooled
    }

    /// The convolution and what was taken up.
    pub(super) fn nodes(&self) -> &[usize] {
        &self.nodes
    }

    /// The last of its nodes.
    pub(super) fn end(&self) -> usize {
        self.nodes[self.nodes.len() - 1]
    }

    /// The last node that a layer takes the place of.
    pub(super) fn last(&self, layer: &Convolution) -> usize {
        let left = usize::from(self.pooled && !layer.pooled());
        self.nodes[self.nodes.len() - 1 - left]
    }

    /// The nodes up to one of them.
    pub(super) fn nodes_until(&self, last: usize) -> impl Iterator<Item = usize> {
        let count = self.nodes.iter().position(|id| *id == last).map_or(0, |place| place + 1);
        self.nodes[..count].iter().copied()
    }
}

/// The only node that reads another one's output, if that is no output of the model.
pub(super) fn only_reader(model: &TypedModel, id: usize) -> TractResult<Option<&TypedNode>> {
    let outlet = OutletId::new(id, 0);
    let [reader] = model.node(id).outputs[0].successors[..] else { return Ok(None) };
    if model.output_outlets()?.contains(&outlet) {
        return Ok(None);
    }
    Ok(Some(model.node(reader.node)))
}

/// What is clamped after a further operator; `None` when it is no clamp, or cannot be added.
fn activation(model: &TypedModel, node: &TypedNode, so_far: Clamp) -> TractResult<Option<Clamp>> {
    if let Some(operator) = node.op_as::<ElementWiseOp>() {
        let leaky = operator.0.downcast_ref::<LeakyRelu>().map(|leaky| leaky.alpha);
        let slope = leaky.filter(|slope| (0.0..=1.0).contains(slope) && so_far == Clamp::NONE);
        return Ok(slope.map(|slope| Clamp { slope, ..so_far }));
    }
    let Some(TypedBinOp(operator, None)) = node.op_as::<TypedBinOp>() else { return Ok(None) };
    let mut number = None;
    for input in &node.inputs {
        if let Some(constant) = model.outlet_fact(*input)?.konst.as_ref().filter(|c| c.len() == 1) {
            number = Some(constant.cast_to_scalar::<f32>()?);
        }
    }
    let shape = |outlet: OutletId| model.outlet_fact(outlet).map(|fact| fact.shape.clone());
    let output = shape(OutletId::new(node.id, 0))?;
    let mut unchanged = false;
    for input in &node.inputs {
        unchanged |= shape(*input)? == output;
    }
    let Some(number) = number.filter(|_| unchanged) else { return Ok(None) };
    Ok(if operator.is::<Max>() && number == 0.0 && so_far == Clamp::NONE {
        Some(Clamp { slope: 0.0, ..so_far })
    } else if operator.is::<Min>() && number >= 0.0 && so_far.cap == f32::INFINITY {
        Some(Clamp { cap: number, ..so_far })
    } else {
        None
    })
}
