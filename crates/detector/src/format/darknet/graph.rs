//! A Darknet network as a graph of plain data.

use super::layers::{Convolution, Layer};
use super::network::Network;
use super::weights::Folded;
use engine::{Graph, Node, Operation, Shape, Value};

/// One output a head, in file order; `weights` are those of the convolutions.
pub(super) fn build(network: Network, weights: Vec<Folded>) -> Graph {
    let graph = Graph { input: network.input, nodes: Vec::new(), outputs: Vec::new() };
    let mut builder = Builder { graph, values: Vec::with_capacity(network.layers.len()) };
    let mut weights = weights.into_iter();
    for (index, (layer, shape)) in network.layers.into_iter().enumerate() {
        let value = builder.layer(format!("layer{index}"), layer, shape, &mut weights);
        builder.values.push(value);
    }
    builder.graph
}

struct Builder {
    graph: Graph,
    /// What stands for the output of each section.
    values: Vec<Value>,
}

impl Builder {
    fn layer(
        &mut self,
        name: String,
        layer: Layer,
        shape: Shape,
        weights: &mut impl Iterator<Item = Folded>,
    ) -> Value {
        let x = self.values.last().copied().unwrap_or(Value::Input);
        match layer {
            Layer::Convolution(layer) => {
                let folded = weights.next().expect("one is read for each convolution");
                self.add(name, Operation::Convolution(with_weights(&layer, folded)), &[x], shape)
            }
            Layer::MaxPool(layer) => self.add(name, Operation::MaxPool(layer), &[x], shape),
            Layer::Route { sources, parts, part } => {
                self.route(name, &sources, (part, parts), shape)
            }
            Layer::Shortcut { from, activation } => {
                self.add(name, Operation::Add(activation), &[x, self.values[from]], shape)
            }
            Layer::Upsample { stride } => {
                self.add(name, Operation::Upsample { stride }, &[x], shape)
            }
            Layer::Nothing => x,
            Layer::Yolo(_) => {
                self.graph.outputs.push(x);
                x
            }
        }
    }

    fn route(
        &mut self,
        name: String,
        sources: &[usize],
        (part, parts): (usize, usize),
        shape: Shape,
    ) -> Value {
        let mut pieces = Vec::with_capacity(sources.len());
        for (place, source) in sources.iter().enumerate() {
            let whole = self.values[*source];
            if parts == 1 {
                pieces.push(whole);
                continue;
            }
            let all = self.graph.shape(whole);
            let channels = all.channels / parts;
            let operation = Operation::Channels { first: channels * part };
            let shape = Shape { channels, ..all };
            pieces.push(self.add(format!("{name}.source{place}"), operation, &[whole], shape));
        }
        if let [only] = pieces[..] {
            only
        } else {
            self.add(name, Operation::Concat, &pieces, shape)
        }
    }

    fn add(&mut self, name: String, operation: Operation, inputs: &[Value], shape: Shape) -> Value {
        self.graph.nodes.push(Node { name, operation, inputs: inputs.to_vec(), shape });
        Value::Node(self.graph.nodes.len() - 1)
    }
}

fn with_weights(layer: &Convolution, Folded { kernel, bias }: Folded) -> engine::Convolution {
    engine::Convolution {
        kernel,
        bias,
        size: layer.size,
        strides: layer.strides,
        dilation: layer.dilation,
        padding: layer.padding,
        groups: layer.groups,
        activation: layer.activation,
    }
}
