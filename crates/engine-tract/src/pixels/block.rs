//! Which convolutions that follow each other become one block of `kernels`.

use super::fuse::{Fused, fuse, only_reader};
use crate::Options;
use kernels::Size;
use kernels::conv::{Convolution, InvertedResidual};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::Conv;
use tract_onnx::tract_core::ops::math::Add;

/// A block, and the nodes that it takes the place of.
pub(super) struct Block {
    pub(super) layers: InvertedResidual,
    pub(super) nodes: Vec<usize>,
}

/// The block that begins with a convolution of `input`, if nobody else reads what lies within it.
pub(super) fn of(
    model: &TypedModel,
    input: OutletId,
    (first, expand): (&Fused, &Convolution),
    batch: usize,
    options: &Options,
) -> TractResult<Option<Block>> {
    if !first.is_of_points() {
        return Ok(None);
    }
    let Some((second, depthwise)) = next(model, first, expand, batch, options)? else {
        return Ok(None);
    };
    let Some((third, project)) = next(model, &second, &depthwise, batch, options)? else {
        return Ok(None);
    };
    if !InvertedResidual::takes(expand, &depthwise, &project) {
        return Ok(None);
    }
    let mut nodes: Vec<usize> =
        [first, &second, &third].into_iter().flat_map(Fused::nodes).copied().collect();
    let keeps = InvertedResidual::keeps_shape(expand, &project);
    let sum = if keeps { addition(model, third.end(), input)? } else { None };
    nodes.extend(sum);
    let layers = InvertedResidual::new([expand.clone(), depthwise, project], sum.is_some());
    Ok(Some(Block { layers, nodes }))
}

/// The layer of a block that follows a layer: after a convolution of single points a depthwise one,
/// after that again one of points.
fn next(
    model: &TypedModel,
    before: &Fused,
    layer: &Convolution,
    batch: usize,
    options: &Options,
) -> TractResult<Option<(Fused, Convolution)>> {
    let Some(node) = only_reader(model, before.end())? else { return Ok(None) };
    let Some(conv) = node.op_as::<Conv>() else { return Ok(None) };
    if node.inputs[0] != OutletId::new(before.end(), 0) {
        return Ok(None);
    }
    let (height, width) = layer.output();
    let from = (layer.sides().filters, Size { width, height });
    let Some(fused) = fuse(model, node, conv, from)? else { return Ok(None) };
    // asked before the weights are packed
    let fits = if before.is_of_points() { fused.is_depthwise() } else { fused.is_of_points() };
    if !fits {
        return Ok(None);
    }
    let layer = fused.layer(&node.name, false, batch, options)?;
    Ok(Some((fused, layer)))
}

/// The node that adds the block's input to what another one puts out.
fn addition(model: &TypedModel, of: usize, input: OutletId) -> TractResult<Option<usize>> {
    let Some(node) = only_reader(model, of)? else { return Ok(None) };
    let adds = node.op_as::<TypedBinOp>().is_some_and(|TypedBinOp(operator, datum_type)| {
        operator.is::<Add>() && datum_type.is_none()
    });
    let output = OutletId::new(of, 0);
    let both = [[output, input], [input, output]].iter().any(|both| node.inputs[..] == both[..]);
    Ok((adds && both).then_some(node.id))
}
