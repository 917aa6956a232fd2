//! Has a model work on pixels whose channels lie together, with convolutions of `kernels`.
//!
//! tract works on planes and gathers patches for a general matrix product. Before tract optimises a
//! model, whether it comes of a graph or of an ONNX file, this goes over its operators: those that
//! `kernels` can do are replaced, convolutions together with the activation and the pooling that
//! follow; where another operator reads what has become pixels, these become planes again.

mod block;
mod fuse;
mod operator;

use crate::Options;
use kernels::Size;
use kernels::conv::{Method, padded};
use kernels::pixels::Windows;
use operator::{PixelOperator, Task};
use std::collections::HashMap;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::array::{Slice, TypedConcat};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cnn::{Conv, MaxPool, PoolSpec};
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::nn::{DataFormat, NearestUpsample, Resize};
use tract_onnx::tract_core::optim::Optimizer;

/// The model with operators of our own where there are such.
pub(crate) fn lower(mut model: TypedModel, options: &Options) -> TractResult<TypedModel> {
    Optimizer::prop_consts().optimize(&mut model)?;
    recognise_upsampling(&mut model)?;
    let mut rewriting = Rewriting {
        from: &model,
        to: TypedModel::default(),
        values: HashMap::new(),
        options,
        done: vec![false; model.nodes().len()],
        bfloat16: 0,
    };
    rewriting.to.symbols = model.symbols.clone();
    for id in model.eval_order()? {
        if !rewriting.done[id] {
            rewriting.node(id)?;
        }
    }
    ensure!(
        !options.bfloat16 || rewriting.bfloat16 > 0,
        "no convolution of the network would run in bfloat16; use float32"
    );
    let mut outputs = Vec::new();
    for outlet in model.output_outlets()? {
        outputs.push(rewriting.plain(*outlet)?);
    }
    let inputs = model.input_outlets()?.iter().map(|outlet| rewriting.values[outlet].plain);
    let inputs: Option<Vec<OutletId>> = inputs.collect();
    let mut to = rewriting.to;
    to.set_input_outlets(&inputs.ok_or_else(|| format_err!("an input of pixels"))?)?;
    to.select_output_outlets(&outputs)?;
    Ok(to)
}

/// ONNX's resizing by whole numbers becomes an operator that says so.
fn recognise_upsampling(model: &mut TypedModel) -> TractResult<()> {
    for id in 0..model.nodes().len() {
        let node = model.node(id);
        let Some(resize) = node.op_as::<Resize>() else { continue };
        if let Some(patch) = resize.declutter(model, node)? {
            patch.apply(model)?;
        }
    }
    Ok(())
}

/// What stands for an output of the old model in the new one.
#[derive(Clone, Copy, Debug, Default)]
struct Twin {
    /// As tract has it.
    plain: Option<OutletId>,
    pixels: Option<Pixels>,
}

/// An output as pixels.
#[derive(Clone, Copy, Debug)]
struct Pixels {
    outlet: OutletId,
    batch: usize,
    channels: usize,
    size: Size,
}

impl Pixels {
    fn shape(&self) -> TVec<usize> {
        tvec![self.batch, self.size.height, self.size.width, padded(self.channels)]
    }
}

struct Rewriting<'a> {
    from: &'a TypedModel,
    to: TypedModel,
    values: HashMap<OutletId, Twin>,
    options: &'a Options,
    /// Nodes that have become part of another's.
    done: Vec<bool>,
    /// Convolutions in bfloat16.
    bfloat16: usize,
}

impl Rewriting<'_> {
    fn node(&mut self, id: usize) -> TractResult<()> {
        let node = self.from.node(id);
        let pixels = if let Some(conv) = node.op_as::<Conv>() {
            return match self.convolution(node, conv)? {
                Some((last, pixels)) => {
                    self.set(OutletId::new(last, 0), pixels);
                    Ok(())
                }
                None => self.keep(node),
            };
        } else if let Some(pool) = node.op_as::<MaxPool>() {
            self.max_pool(node, pool)?
        } else if node.op_is::<TypedConcat>() {
            self.concat(node)?
        } else if let Some(slice) = node.op_as::<Slice>() {
            self.select(node, slice)?
        } else if let Some(upsample) = node.op_as::<NearestUpsample>() {
            self.upsample(node, upsample)?
        } else if node.op_is::<ElementWiseOp>() || node.op_is::<TypedBinOp>() {
            self.element_wise(node)?
        } else {
            None
        };
        match pixels {
            Some(pixels) => {
                self.set(OutletId::new(id, 0), pixels);
                Ok(())
            }
            None => self.keep(node),
        }
    }

    fn set(&mut self, outlet: OutletId, pixels: Pixels) {
        self.values.insert(outlet, Twin { plain: None, pixels: Some(pixels) });
    }

    /// The operator as it is.
    fn keep(&mut self, node: &TypedNode) -> TractResult<()> {
        let inputs: TVec<OutletId> =
            node.inputs.iter().map(|input| self.plain(*input)).collect::<TractResult<_>>()?;
        let outlets = if node.op_is::<tract_onnx::tract_core::ops::source::TypedSource>() {
            let fact = node.outputs[0].fact.clone();
            tvec![self.to.add_source(node.name.clone(), fact)?]
        } else {
            self.to.wire_node(node.name.clone(), node.op.clone(), &inputs)?
        };
        for (slot, outlet) in outlets.into_iter().enumerate() {
            let twin = Twin { plain: Some(outlet), pixels: None };
            self.values.insert(OutletId::new(node.id, slot), twin);
        }
        Ok(())
    }

    fn twin(&self, outlet: OutletId) -> Twin {
        self.values.get(&outlet).copied().unwrap_or_default()
    }

    /// As tract has it; pixels become planes, once.
    fn plain(&mut self, outlet: OutletId) -> TractResult<OutletId> {
        let twin = self.twin(outlet);
        if let Some(plain) = twin.plain {
            return Ok(plain);
        }
        let pixels = twin.pixels.ok_or_else(|| format_err!("{outlet:?} is read before it is"))?;
        let Pixels { batch, channels, size, .. } = pixels;
        let task = Task::ToPlanes { channels, size };
        let shape = tvec![batch, channels, size.height, size.width];
        let plain = self.add(&format!("{}.planes", self.name(outlet)), task, shape, &[pixels])?;
        self.values.insert(outlet, Twin { plain: Some(plain), ..twin });
        Ok(plain)
    }

    /// As pixels; planes of numbers become such, once. `None` when it is anything else.
    fn pixels(&mut self, outlet: OutletId) -> TractResult<Option<Pixels>> {
        let twin = self.twin(outlet);
        if twin.pixels.is_some() {
            return Ok(twin.pixels);
        }
        let (Some(planes), Some((batch, channels, size))) = (twin.plain, self.planes(outlet)?)
        else {
            return Ok(None);
        };
        let shape = tvec![batch, size.height, size.width, padded(channels)];
        let task = Task::FromPlanes { channels, size };
        let operator = PixelOperator { task: Arc::new(task), output: shape };
        let name = format!("{}.pixels", self.name(outlet));
        let wired = self.to.wire_node(name, operator, &[planes])?[0];
        let pixels = Pixels { outlet: wired, batch, channels, size };
        self.values.insert(outlet, Twin { pixels: Some(pixels), ..twin });
        Ok(Some(pixels))
    }

    /// Batch, channels and size of planes of 32-bit numbers; `None` when it is anything else.
    fn planes(&self, outlet: OutletId) -> TractResult<Option<(usize, usize, Size)>> {
        let fact = self.from.outlet_fact(outlet)?;
        if fact.datum_type != f32::datum_type() {
            return Ok(None);
        }
        Ok(match fact.shape.as_concrete() {
            Some(&[batch, channels, height, width]) if batch * channels * height * width > 0 => {
                Some((batch, channels, Size { width, height }))
            }
            _ => None,
        })
    }

    fn name(&self, outlet: OutletId) -> &str {
        &self.from.node(outlet.node).name
    }

    fn add(
        &mut self,
        name: &str,
        task: Task,
        output: TVec<usize>,
        inputs: &[Pixels],
    ) -> TractResult<OutletId> {
        let operator = PixelOperator { task: Arc::new(task), output };
        let inputs: TVec<OutletId> = inputs.iter().map(|input| input.outlet).collect();
        Ok(self.to.wire_node(name, operator, &inputs)?[0])
    }

    /// Adds a task whose output is pixels of this kind; their outlet does not count.
    fn add_pixels(
        &mut self,
        node: &TypedNode,
        task: Task,
        mut output: Pixels,
        inputs: &[Pixels],
    ) -> TractResult<Option<Pixels>> {
        output.outlet = self.add(&node.name, task, output.shape(), inputs)?;
        Ok(Some(output))
    }

    /// Whether an input has become pixels already: then it pays to go on with them.
    fn has_pixels(&self, node: &TypedNode) -> bool {
        node.inputs.iter().any(|input| self.twin(*input).pixels.is_some())
    }

    fn max_pool(&mut self, node: &TypedNode, pool: &MaxPool) -> TractResult<Option<Pixels>> {
        let spec = &pool.pool_spec;
        let plain = spec.data_format == DataFormat::NCHW
            && pool.with_index_outputs.is_none()
            && spec.dilations().iter().all(|dilation| *dilation == 1);
        if !plain || !self.has_pixels(node) {
            return Ok(None);
        }
        let Some(input) = self.pixels(node.inputs[0])? else { return Ok(None) };
        let Some(Placed { before, output, .. }) = placed(spec, input.size) else {
            return Ok(None);
        };
        let windows = Windows {
            sides: (spec.kernel_shape[0], spec.kernel_shape[1]),
            strides: (spec.stride(0), spec.stride(1)),
            before,
            output,
        };
        let reaches = |at: usize, stride: usize, side: usize, before: usize, all: usize| {
            at * stride + side > before && (at * stride).saturating_sub(before) < all
        };
        let ends = |count: usize, axis: usize, before: usize, all: usize| {
            let (stride, side) = (spec.stride(axis), spec.kernel_shape[axis]);
            count > 0
                && reaches(0, stride, side, before, all)
                && reaches(count - 1, stride, side, before, all)
        };
        if !ends(output.height, 0, before.0, input.size.height)
            || !ends(output.width, 1, before.1, input.size.width)
        {
            return Ok(None);
        }
        let task = Task::MaxPool { channels: input.channels, size: input.size, windows };
        self.add_pixels(node, task, Pixels { size: output, ..input }, &[input])
    }

    fn concat(&mut self, node: &TypedNode) -> TractResult<Option<Pixels>> {
        let along_channels = node.op_as::<TypedConcat>().is_some_and(|concat| concat.axis == 1);
        if !along_channels || !self.has_pixels(node) {
            return Ok(None);
        }
        let mut inputs: Vec<Pixels> = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            let Some(pixels) = self.pixels(*input)? else { return Ok(None) };
            inputs.push(pixels);
        }
        let [first, ..] = inputs[..] else { return Ok(None) };
        let channels: Vec<usize> = inputs.iter().map(|input| input.channels).collect();
        let output = Pixels { channels: channels.iter().sum(), ..first };
        self.add_pixels(node, Task::Concat(channels), output, &inputs)
    }

    fn select(&mut self, node: &TypedNode, slice: &Slice) -> TractResult<Option<Pixels>> {
        let (Ok(start), Ok(end)) = (slice.start.to_usize(), slice.end.to_usize()) else {
            return Ok(None);
        };
        if slice.axis != 1 || !self.has_pixels(node) {
            return Ok(None);
        }
        let Some(input) = self.pixels(node.inputs[0])? else { return Ok(None) };
        let task = Task::Select { of: input.channels, channels: start..end };
        self.add_pixels(node, task, Pixels { channels: end - start, ..input }, &[input])
    }

    fn upsample(
        &mut self,
        node: &TypedNode,
        upsample: &NearestUpsample,
    ) -> TractResult<Option<Pixels>> {
        let [1, 1, stride, across] = upsample.scales[..] else { return Ok(None) };
        if stride != across || !self.has_pixels(node) {
            return Ok(None);
        }
        let Some(input) = self.pixels(node.inputs[0])? else { return Ok(None) };
        let Pixels { channels, size, .. } = input;
        let output = Size { width: size.width * stride, height: size.height * stride };
        let task = Task::Upsample { channels, width: size.width, stride };
        self.add_pixels(node, task, Pixels { size: output, ..input }, &[input])
    }

    /// tract's own operators, which do not mind where a value lies when all inputs agree.
    fn element_wise(&mut self, node: &TypedNode) -> TractResult<Option<Pixels>> {
        let Some((_, channels, size)) = self.planes(OutletId::new(node.id, 0))? else {
            return Ok(None);
        };
        if !self.has_pixels(node) {
            return Ok(None);
        }
        let mut inputs = TVec::with_capacity(node.inputs.len());
        let mut like = None;
        for input in &node.inputs {
            let fact = self.from.outlet_fact(*input)?;
            if fact.shape.as_concrete() == Some(&[1, 1, 1, 1]) {
                inputs.push(self.plain(*input)?);
                continue;
            }
            if self.planes(*input)?.is_none_or(|planes| (planes.1, planes.2) != (channels, size)) {
                return Ok(None);
            }
            let Some(pixels) = self.pixels(*input)? else { return Ok(None) };
            inputs.push(pixels.outlet);
            like = Some(pixels);
        }
        let Some(like) = like else { return Ok(None) };
        let outlet = self.to.wire_node(node.name.clone(), node.op.clone(), &inputs)?[0];
        let same = self.to.outlet_fact(outlet)?.shape.as_concrete() == Some(&like.shape()[..]);
        ensure!(same, "{} changes the shape of its input", node.name);
        Ok(Some(Pixels { outlet, ..like }))
    }

    /// With what follows and is done by the same operator; gives the last node of it.
    fn convolution(
        &mut self,
        node: &TypedNode,
        conv: &Conv,
    ) -> TractResult<Option<(usize, Pixels)>> {
        let Some((batch, channels, size)) = self.planes(node.inputs[0])? else { return Ok(None) };
        let Some(fused) = fuse::fuse(self.from, node, conv, (channels, size))? else {
            return Ok(None);
        };
        let planes = self.twin(node.inputs[0]).pixels.is_none();
        let layer = fused.layer(&node.name, planes, batch, self.options)?;
        self.bfloat16 += usize::from(layer.method().is_bfloat16());
        let input = if layer.method() == Method::Planar {
            self.plain(node.inputs[0])?
        } else {
            let Some(pixels) = self.pixels(node.inputs[0])? else { return Ok(None) };
            pixels.outlet
        };
        let team = self.options.team.clone();
        let block = block::of(self.from, node.inputs[0], (&fused, &layer), batch, self.options)?;
        let (task, nodes, end) = match block {
            Some(block) => {
                let end = block.layers.last().clone();
                (Task::Block(Arc::new(block.layers), team), block.nodes, end)
            }
            None => {
                let nodes = fused.nodes_until(fused.last(&layer)).collect();
                let end = layer.clone();
                (Task::Convolve(Arc::new(layer), team), nodes, end)
            }
        };
        for id in &nodes {
            self.done[*id] = true;
        }
        let last = nodes.last().copied().unwrap_or(node.id);
        let (height, width) = end.output();
        let mut pixels = Pixels {
            outlet: input,
            batch,
            channels: end.sides().filters,
            size: Size { width, height },
        };
        let operator = PixelOperator { task: Arc::new(task), output: pixels.shape() };
        pixels.outlet = self.to.wire_node(node.name.clone(), operator, &[input])?[0];
        Ok(Some((last, pixels)))
    }
}

/// Where windows lie on an input.
struct Placed {
    before: (usize, usize),
    after: (usize, usize),
    output: Size,
}

/// `None` when the windows are not two-dimensional.
fn placed(spec: &PoolSpec, size: Size) -> Option<Placed> {
    let sides = spec.computed_padding(&[size.height, size.width]);
    let [rows, columns] = &sides[..] else { return None };
    Some(Placed {
        before: (rows.pad_before, columns.pad_before),
        after: (rows.pad_after, columns.pad_after),
        output: Size { width: columns.convoluted, height: rows.convoluted },
    })
}
