//! From the layers of a graph to steps on bytes.

use super::head::Head;
use super::step::{Place, Step};
use super::weights::{Quantization, quantized};
use engine::{
    Activation, Convolution, EngineError, Graph, MaxPool, Node, Operation, Range, Shape, Value,
};
use kernels::Size;
use kernels::int8::{self, Depthwise, DepthwiseFilters, Filters, Layout, Sum, Target, Window};
use std::sync::Arc;

/// The most products of a sum: in 32 bits, with bytes of up to 255 and weights of up to 127, less
/// the products of a zero.
const MAX_PRODUCTS: usize = 1 << 14;

/// The steps of a network in the order of running.
pub(super) struct Plan {
    pub(super) input: Shape,
    pub(super) steps: Vec<PlanStep>,
    /// Which steps put out what the network does.
    pub(super) outputs: Vec<usize>,
}

/// A step, and what it reads.
pub(super) struct PlanStep {
    pub(super) name: String,
    pub(super) step: Arc<Step>,
    pub(super) inputs: Vec<Source>,
}

/// What a step can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The network's input.
    Input,
    Step(usize),
}

/// Bytes that a step puts out.
#[derive(Clone, Copy)]
struct Tensor {
    step: usize,
    layout: Layout,
    quantization: Quantization,
}

impl Plan {
    /// For so many threads that share an image.
    pub(super) fn of(graph: &Graph, ranges: &[Range], threads: usize) -> Result<Self, EngineError> {
        if ranges.len() != graph.nodes.len() {
            return Err(EngineError::Network(format!(
                "there are ranges for {} layers where the network has {}",
                ranges.len(),
                graph.nodes.len()
            )));
        }
        let mut builder = Builder {
            graph,
            threads,
            uses: Uses::of(graph),
            quantizations: quantizations(graph, ranges),
            tensors: vec![None; graph.nodes.len()],
            input: None,
            steps: Vec::new(),
        };
        let outputs = builder.build()?;
        Ok(Self { input: graph.input, steps: builder.steps, outputs })
    }
}

/// Who reads a layer's output.
struct Uses {
    /// Of each layer, those that read it.
    readers: Vec<Vec<usize>>,
    /// The zeros that the input's readers want around it.
    input_border: usize,
    /// The same of each layer's readers.
    borders: Vec<usize>,
}

impl Uses {
    fn of(graph: &Graph) -> Self {
        let mut uses = Self {
            readers: vec![Vec::new(); graph.nodes.len()],
            input_border: 0,
            borders: vec![0; graph.nodes.len()],
        };
        for (index, node) in graph.nodes.iter().enumerate() {
            let padding = match &node.operation {
                Operation::Convolution(layer) => layer.padding,
                _ => 0,
            };
            for input in &node.inputs {
                let border = match input {
                    Value::Input => &mut uses.input_border,
                    Value::Node(from) => {
                        uses.readers[*from].push(index);
                        &mut uses.borders[*from]
                    }
                };
                *border = (*border).max(padding);
            }
        }
        uses
    }
}

/// What the bytes of each layer mean. Layers between which bytes are only moved or compared share
/// it, so that they stay the same bytes.
fn quantizations(graph: &Graph, ranges: &[Range]) -> Vec<Quantization> {
    let mut groups: Vec<usize> = (0..graph.nodes.len()).collect();
    let root = |groups: &[usize], mut index: usize| {
        while groups[index] != index {
            index = groups[index];
        }
        index
    };
    for (index, node) in graph.nodes.iter().enumerate() {
        let moves = match node.operation {
            Operation::MaxPool(_)
            | Operation::Concat
            | Operation::Channels { .. }
            | Operation::Upsample { .. } => true,
            Operation::Convolution(_) | Operation::Add(_) => false,
        };
        for input in node.inputs.iter().filter(|_| moves) {
            if let Value::Node(from) = input {
                let (one, other) = (root(&groups, *from), root(&groups, index));
                groups[one.max(other)] = one.min(other);
            }
        }
    }
    let uses = Uses::of(graph);
    let mut union = vec![Range::ZERO; graph.nodes.len()];
    for (index, range) in ranges.iter().enumerate() {
        // what is pooled in the same step has no bytes of its own
        if pooled_by(graph, &uses, index).is_none() {
            let group = root(&groups, index);
            union[group] = union[group].with(*range);
        }
    }
    (0..graph.nodes.len()).map(|index| Quantization::of(union[root(&groups, index)])).collect()
}

/// The pooling layer that runs in the same step as a convolution, if one does.
fn pooled_by(graph: &Graph, uses: &Uses, index: usize) -> Option<usize> {
    let node = &graph.nodes[index];
    let (Operation::Convolution(layer), [reader]) = (&node.operation, &uses.readers[index][..])
    else {
        return None;
    };
    if is_depthwise(graph, node, layer) {
        return None;
    }
    let pool = &graph.nodes[*reader];
    let halves = match pool.operation {
        Operation::MaxPool(MaxPool { size: 2, strides: (2, 2), padding: (0, _) }) => {
            let Shape { height, width, .. } = node.shape;
            (pool.shape.height, pool.shape.width) == (height.div_ceil(2), width.div_ceil(2))
        }
        _ => false,
    };
    (halves && !graph.outputs.contains(&Value::Node(index))).then_some(*reader)
}

/// Whether each filter reads the one channel of its own number, of what a layer puts out.
fn is_depthwise(graph: &Graph, node: &Node, layer: &Convolution) -> bool {
    let channels = node.inputs.first().map(|input| graph.shape(*input).channels);
    let of_a_layer = matches!(node.inputs[..], [Value::Node(_)]);
    of_a_layer && layer.groups > 1 && [Some(layer.groups), Some(layer.filters())] == [channels; 2]
}

struct Builder<'a> {
    graph: &'a Graph,
    threads: usize,
    uses: Uses,
    quantizations: Vec<Quantization>,
    /// What holds each layer's output; `None` before it is built, and of what has no bytes.
    tensors: Vec<Option<Tensor>>,
    /// The network's input as bytes, once something reads it.
    input: Option<Tensor>,
    steps: Vec<PlanStep>,
}

impl Builder<'_> {
    /// The steps of the outputs.
    fn build(&mut self) -> Result<Vec<usize>, EngineError> {
        let graph = self.graph;
        let mut heads = vec![None; graph.nodes.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            if graph.outputs.contains(&Value::Node(index)) {
                heads[index] = Some(self.head(node)?);
            }
            let pool = pooled_by(graph, &self.uses, index);
            if self.tensors[index].is_none() && !self.uses.readers[index].is_empty() {
                let holder = pool.unwrap_or(index);
                self.tensors[holder] = Some(self.layer(index, node, holder)?);
            }
        }
        let step = |output: &Value| match output {
            Value::Node(index) => heads[*index],
            Value::Input => None,
        };
        let outputs = graph
            .outputs
            .iter()
            .map(|output| step(output).ok_or_else(|| refused("an output", "the input as it is")));
        outputs.collect()
    }

    fn push(&mut self, name: &str, step: Step, inputs: Vec<Source>) -> usize {
        self.steps.push(PlanStep { name: name.into(), step: Arc::new(step), inputs });
        self.steps.len() - 1
    }

    /// What a layer reads.
    fn tensor(&mut self, value: Value) -> Result<Tensor, EngineError> {
        match value {
            Value::Node(index) => self.tensors[index].ok_or_else(|| {
                refused(&self.graph.nodes[index].name, "an output that is not held")
            }),
            Value::Input => {
                if let Some(tensor) = self.input {
                    return Ok(tensor);
                }
                let Shape { channels, height, width } = self.graph.input;
                if channels > 4 {
                    return Err(refused("the input", "more than four channels"));
                }
                let layout = Layout::of_image(Size { width, height }, self.uses.input_border);
                let step = self.push("input.int8", Step::Quantize(layout), vec![Source::Input]);
                let tensor = Tensor { step, layout, quantization: Quantization::IMAGE };
                Ok(*self.input.insert(tensor))
            }
        }
    }

    /// A convolution whose sums leave the network.
    fn head(&mut self, node: &Node) -> Result<usize, EngineError> {
        let Operation::Convolution(layer) = &node.operation else { return Err(kind(node)) };
        if is_depthwise(self.graph, node, layer) {
            return Err(refused(&node.name, "a depthwise convolution as an output"));
        }
        let share = layer.filters().div_ceil(self.threads).next_multiple_of(Head::FILTERS);
        let quantized = self.quantized(node, layer, 1.0)?;
        let parts = (0..layer.filters()).step_by(share).map(|first| {
            let filters = first..(first + share).min(layer.filters());
            quantized.convolution(filters, Target::Planes)
        });
        let head = Head::of(parts.collect()).ok_or_else(|| kind(node))?;
        Ok(self.push(&node.name, Step::Head(head), vec![quantized.source]))
    }

    /// The step of layer `index`, whose bytes are those of layer `holder`.
    fn layer(&mut self, index: usize, node: &Node, holder: usize) -> Result<Tensor, EngineError> {
        let (quantization, border) = (self.quantizations[holder], self.uses.borders[holder]);
        if let Operation::Convolution(layer) = &node.operation {
            let quantized = self.quantized(node, layer, quantization.scale)?;
            let input = quantized.source;
            let (step, layout) = if is_depthwise(self.graph, node, layer) {
                let layer = quantized.depthwise(quantization.zero, border);
                let layout = layer.layout();
                (Step::Depthwise(layer), layout)
            } else {
                let halve = holder != index;
                let target = Target::Bytes { zero: quantization.zero, halve, border };
                let layer = quantized.convolution(0..layer.filters(), target);
                let layout = layer.layout().ok_or_else(|| kind(node))?;
                (Step::Convolution(layer), layout)
            };
            let name = &self.graph.nodes[holder].name;
            let name =
                if holder == index { node.name.clone() } else { format!("{}+{name}", node.name) };
            let step = self.push(&name, step, vec![input]);
            return Ok(Tensor { step, layout, quantization });
        }
        let inputs =
            node.inputs.iter().map(|input| self.tensor(*input)).collect::<Result<Vec<_>, _>>()?;
        let Shape { channels, height, width } = node.shape;
        let layout = Layout::of_layer(channels, Size { width, height }, border);
        if let (Operation::Add(activation), [a, b]) = (&node.operation, &inputs[..]) {
            let clamp = clamp(&node.name, *activation)?;
            let of = |tensor: &Tensor| {
                let Quantization { scale, zero } = tensor.quantization;
                (tensor.layout, zero, scale / quantization.scale)
            };
            if inputs.iter().any(|input| input.layout.stride() != layout.stride()) {
                return Err(refused(&node.name, "a sum with the network's input"));
            }
            let clamp = (clamp.0, clamp.1 / quantization.scale);
            let sum = Sum::new([of(a), of(b)], clamp, (layout, quantization.zero));
            let sources = vec![Source::Step(a.step), Source::Step(b.step)];
            let step = self.push(&node.name, Step::Sum(sum), sources);
            return Ok(Tensor { step, layout, quantization });
        }
        // of what only moves bytes, all have the same quantisation, except for the network's input
        if inputs.iter().any(|input| input.quantization != quantization) {
            return Err(refused(&node.name, "the network's input without a convolution"));
        }
        let output = Place { layout, zero: quantization.zero };
        let [first, ..] = &inputs[..] else { return Err(kind(node)) };
        let step = match &node.operation {
            Operation::MaxPool(MaxPool { size, strides, padding }) => Step::MaxPool {
                window: Window { size: *size, strides: *strides, before: padding.0 },
                input: first.layout,
                output,
            },
            Operation::Upsample { stride } => {
                Step::Upsample { side: *stride, input: first.layout, output }
            }
            Operation::Concat => {
                let channels = node.inputs.iter().map(|input| self.graph.shape(*input).channels);
                Step::Concat {
                    inputs: inputs.iter().map(|input| input.layout).zip(channels).collect(),
                    output,
                }
            }
            Operation::Channels { first: start } => {
                Step::Channels { first: *start, count: channels, input: first.layout, output }
            }
            Operation::Convolution(_) | Operation::Add(_) => return Err(kind(node)),
        };
        let sources = inputs.iter().map(|input| Source::Step(input.step)).collect();
        let step = self.push(&node.name, step, sources);
        Ok(Tensor { step, layout, quantization })
    }

    /// The weights of a convolution for sums in steps of that scale.
    fn quantized(
        &mut self,
        node: &Node,
        layer: &Convolution,
        scale: f32,
    ) -> Result<Quantized, EngineError> {
        let [input] = node.inputs[..] else { return Err(kind(node)) };
        let (slope, cap) = clamp(&node.name, layer.activation)?;
        let Shape { channels, height, width } = self.graph.shape(input);
        let area = layer.size * layer.size;
        let depthwise = is_depthwise(self.graph, node, layer);
        if channels * area > MAX_PRODUCTS && !depthwise {
            return Err(refused(&node.name, "so large a kernel"));
        }
        let reach = (layer.size.max(1) - 1) * layer.dilation + 1;
        if layer.size == 0 || reach > height.min(width) + 2 * layer.padding {
            return Err(refused(&node.name, "a kernel larger than its input"));
        }
        let from = self.tensor(input)?;
        // filters of a group read its channels alone: their other weights are zero
        let (in_group, filters) = (channels / layer.groups, layer.filters());
        let read = if depthwise { 1 } else { channels };
        let mut kernel = vec![0; filters * read * area];
        let mut factors = Vec::with_capacity(filters);
        let rows = kernel.chunks_exact_mut((read * area).max(1));
        for (filter, (row, weights)) in
            rows.zip(layer.kernel.chunks_exact((in_group * area).max(1))).enumerate()
        {
            let (bytes, step) = quantized(weights);
            let group = if depthwise { 0 } else { filter / (filters / layer.groups) };
            row[group * in_group * area..][..bytes.len()].copy_from_slice(&bytes);
            factors.push(step * from.quantization.scale / scale);
        }
        let step = int8::Step {
            input: from.layout,
            zero: from.quantization.zero,
            strides: layer.strides,
            dilation: layer.dilation,
            padding: layer.padding,
        };
        Ok(Quantized {
            kernel,
            channels: read,
            size: layer.size,
            factors,
            addends: layer.bias.iter().map(|bias| bias / scale).collect(),
            slope,
            cap: cap / scale,
            step,
            source: Source::Step(from.step),
        })
    }
}

/// A convolution's weights as bytes, and what it reads.
struct Quantized {
    /// `[filters, channels, size, size]`, of a depthwise one `[channels, size, size]`.
    kernel: Vec<i8>,
    channels: usize,
    size: usize,
    factors: Vec<f32>,
    addends: Vec<f32>,
    slope: f32,
    cap: f32,
    step: int8::Step,
    source: Source,
}

impl Quantized {
    /// Of some of the filters.
    fn convolution(&self, filters: std::ops::Range<usize>, target: Target) -> int8::Convolution {
        let weights = self.channels * self.size * self.size;
        let filters = Filters {
            kernel: &self.kernel[filters.start * weights..filters.end * weights],
            channels: self.channels,
            size: self.size,
            factors: &self.factors[filters.clone()],
            addends: &self.addends[filters],
            slope: self.slope,
            cap: self.cap,
        };
        int8::Convolution::new(filters, self.step, target)
    }

    fn depthwise(&self, zero: u8, border: usize) -> Depthwise {
        let filters = DepthwiseFilters {
            kernel: &self.kernel,
            size: self.size,
            factors: &self.factors,
            addends: &self.addends,
            slope: self.slope,
            cap: self.cap,
        };
        Depthwise::new(filters, self.step, (zero, border))
    }
}

/// The slope below zero, and the largest value.
fn clamp(name: &str, activation: Activation) -> Result<(f32, f32), EngineError> {
    match activation {
        Activation::Linear => Ok((1.0, f32::INFINITY)),
        Activation::Leaky => Ok((Activation::LEAK, f32::INFINITY)),
        Activation::Relu => Ok((0.0, f32::INFINITY)),
        Activation::Relu6 => Ok((0.0, 6.0)),
        Activation::Elu
        | Activation::Logistic
        | Activation::Tanh
        | Activation::Swish
        | Activation::Mish => Err(refused(name, "this activation")),
    }
}

/// That a layer is of a kind that is not run on bytes.
fn kind(node: &Node) -> EngineError {
    let what = match node.operation {
        Operation::Convolution(_) => "a convolution of this kind",
        Operation::MaxPool(_) => "a pooling layer as an output",
        Operation::Concat => "a concatenation as an output",
        Operation::Channels { .. } => "a choice of channels as an output",
        Operation::Add(_) => "a sum of layers as an output",
        Operation::Upsample { .. } => "an enlargement as an output",
    };
    refused(&node.name, what)
}

fn refused(name: &str, what: &str) -> EngineError {
    EngineError::Network(format!("{name}: int8 does not run {what}; use float32"))
}
