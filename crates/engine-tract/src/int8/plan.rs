//! From the layers of a graph to steps on bytes.

use super::step::{Place, Step};
use super::weights::{Quantization, quantized};
use engine::{Activation, EngineError, Graph, MaxPool, Node, Operation, Range, Shape, Value};
use kernels::Size;
use kernels::int8::{self, Filters, Layout, Target, Window};
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
    pub(super) fn of(graph: &Graph, ranges: &[Range]) -> Result<Self, EngineError> {
        if ranges.len() != graph.nodes.len() {
            return Err(EngineError::Network(format!(
                "there are ranges for {} layers where the network has {}",
                ranges.len(),
                graph.nodes.len()
            )));
        }
        let mut builder = Builder {
            graph,
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
    let (Operation::Convolution(_), [reader]) = (&node.operation, &uses.readers[index][..]) else {
        return None;
    };
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

struct Builder<'a> {
    graph: &'a Graph,
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
        let (step, input) = self.convolution(node, None)?;
        let Step::Convolution(convolution) = step else { return Err(kind(node)) };
        Ok(self.push(&node.name, Step::Head(convolution), vec![input]))
    }

    /// The step of layer `index`, whose bytes are those of layer `holder`.
    fn layer(&mut self, index: usize, node: &Node, holder: usize) -> Result<Tensor, EngineError> {
        let (quantization, border) = (self.quantizations[holder], self.uses.borders[holder]);
        if let Operation::Convolution(_) = node.operation {
            let target = Target::Bytes { zero: quantization.zero, halve: holder != index, border };
            let (step, input) = self.convolution(node, Some((target, quantization.scale)))?;
            let layout = match &step {
                Step::Convolution(convolution) => convolution.layout(),
                _ => None,
            };
            let layout = layout.ok_or_else(|| kind(node))?;
            let name = &self.graph.nodes[holder].name;
            let name =
                if holder == index { node.name.clone() } else { format!("{}+{name}", node.name) };
            let step = self.push(&name, step, vec![input]);
            return Ok(Tensor { step, layout, quantization });
        }
        let inputs =
            node.inputs.iter().map(|input| self.tensor(*input)).collect::<Result<Vec<_>, _>>()?;
        // of what only moves bytes, all have the same quantisation, except for the network's input
        if inputs.iter().any(|input| input.quantization != quantization) {
            return Err(refused(&node.name, "the network's input without a convolution"));
        }
        let Shape { channels, height, width } = node.shape;
        let layout = Layout::of_layer(channels, Size { width, height }, border);
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

    /// A convolution to bytes of that scale, or else to numbers.
    fn convolution(
        &mut self,
        node: &Node,
        bytes: Option<(Target, f32)>,
    ) -> Result<(Step, Source), EngineError> {
        let (Operation::Convolution(layer), [input]) = (&node.operation, &node.inputs[..]) else {
            return Err(kind(node));
        };
        let slope = match layer.activation {
            Activation::Linear => 1.0,
            Activation::Leaky => Activation::LEAK,
            Activation::Relu => 0.0,
            Activation::Relu6
            | Activation::Elu
            | Activation::Logistic
            | Activation::Tanh
            | Activation::Swish
            | Activation::Mish => return Err(refused(&node.name, "this activation")),
        };
        let channels = self.graph.shape(*input).channels;
        if layer.groups != 1 {
            return Err(refused(&node.name, "a convolution in groups"));
        }
        let products = channels * layer.size * layer.size;
        if products > MAX_PRODUCTS {
            return Err(refused(&node.name, "so large a kernel"));
        }
        let reach = (layer.size.max(1) - 1) * layer.dilation + 1;
        let Shape { height, width, .. } = self.graph.shape(*input);
        if layer.size == 0 || reach > height.min(width) + 2 * layer.padding {
            return Err(refused(&node.name, "a kernel larger than its input"));
        }
        let from = self.tensor(*input)?;
        let (target, scale) = bytes.unwrap_or((Target::Planes, 1.0));
        let mut kernel = Vec::with_capacity(layer.kernel.len());
        let mut factors = Vec::with_capacity(layer.filters());
        for weights in layer.kernel.chunks_exact(products.max(1)) {
            let (bytes, step) = quantized(weights);
            kernel.extend(bytes);
            factors.push(step * from.quantization.scale / scale);
        }
        let addends: Vec<f32> = layer.bias.iter().map(|bias| bias / scale).collect();
        let filters = Filters {
            kernel: &kernel,
            channels,
            size: layer.size,
            factors: &factors,
            addends: &addends,
            slope,
        };
        let step = int8::Step {
            input: from.layout,
            zero: from.quantization.zero,
            strides: layer.strides,
            dilation: layer.dilation,
            padding: layer.padding,
        };
        let convolution = int8::Convolution::new(filters, step, target);
        Ok((Step::Convolution(convolution), Source::Step(from.step)))
    }
}

/// That a layer is of a kind that is not run on bytes.
fn kind(node: &Node) -> EngineError {
    let what = match node.operation {
        Operation::Convolution(_) => "a convolution of this kind",
        Operation::MaxPool(_) => "a pooling layer as an output",
        Operation::Concat => "a concatenation as an output",
        Operation::Channels { .. } => "a choice of channels as an output",
        Operation::Add(_) => "a sum of layers",
        Operation::Upsample { .. } => "an enlargement as an output",
    };
    refused(&node.name, what)
}

fn refused(name: &str, what: &str) -> EngineError {
    EngineError::Network(format!("{name}: int8 does not run {what}; use float32"))
}
