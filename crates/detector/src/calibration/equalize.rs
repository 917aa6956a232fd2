//! Channels of a layer that take the same range each.
//!
//! A layer's bytes have one scale, so a channel of small values has few steps. Where depthwise
//! convolutions alone read a layer, a channel can be divided by any number, and the weights that
//! read it multiplied by it: in 8 bits these have a scale for each channel, and lose nothing.
//!
//! Source: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction
//! (2019), arXiv 1906.04721, section 4.1.

use engine::{Activation, Convolution, Graph, Node, Operation, Range, Value};

/// A channel's share of its layer's range is at least this: values beyond what photos have shown
/// must have room, too.
const LEAST: f32 = 1.0 / 64.0;

/// Whether each layer's channels may be divided.
pub(super) fn divisible(graph: &Graph) -> Vec<bool> {
    let mut divisible: Vec<bool> = graph.nodes.iter().map(keeps_factors).collect();
    let mut read = vec![false; graph.nodes.len()];
    for node in &graph.nodes {
        for index in node.inputs.iter().filter_map(node_of) {
            divisible[index] &= depthwise(graph, node).is_some();
            read[index] = true;
        }
    }
    for index in graph.outputs.iter().filter_map(node_of) {
        divisible[index] = false;
    }
    divisible.iter().zip(read).map(|(divisible, read)| *divisible && read).collect()
}

/// What part of the layer's range each channel takes, 0 to 1.
pub(super) fn shares(layer: Range, channels: &[Range]) -> Vec<f32> {
    let part = |of: f32, all: f32| if all == 0.0 { 0.0 } else { of / all };
    let share = |channel: &Range| {
        let channel = channel.with(Range::ZERO);
        part(channel.high, layer.high).max(part(channel.low, layer.low)).clamp(LEAST, 1.0)
    };
    channels.iter().map(share).collect()
}

/// Divides each channel of a layer by its share. The network gives the same numbers as before.
///
/// # Errors
/// When the layer's channels may not be divided, or are not as many.
pub(super) fn divide(graph: &mut Graph, layer: usize, shares: &[f32]) -> Result<(), String> {
    let name = graph.nodes[layer].name.clone();
    if !divisible(graph)[layer] || graph.nodes[layer].shape.channels != shares.len() {
        return Err(format!("{name} has no {} channels that can be divided", shares.len()));
    }
    let readers: Vec<usize> = (0..graph.nodes.len())
        .filter(|index| graph.nodes[*index].inputs.contains(&Value::Node(layer)))
        .collect();
    if let Operation::Convolution(convolution) = &mut graph.nodes[layer].operation {
        scale(convolution, |channel| 1.0 / shares[channel]);
        for (bias, share) in convolution.bias.iter_mut().zip(shares) {
            *bias /= share;
        }
    }
    for reader in readers {
        if let Operation::Convolution(convolution) = &mut graph.nodes[reader].operation {
            scale(convolution, |channel| shares[channel]);
        }
    }
    Ok(())
}

/// Multiplies the weights of each filter.
fn scale(convolution: &mut Convolution, factor: impl Fn(usize) -> f32) {
    let weights = convolution.kernel.len() / convolution.filters().max(1);
    for (filter, weights) in convolution.kernel.chunks_exact_mut(weights.max(1)).enumerate() {
        weights.iter_mut().for_each(|weight| *weight *= factor(filter));
    }
}

fn node_of(value: &Value) -> Option<usize> {
    match value {
        Value::Node(index) => Some(*index),
        Value::Input => None,
    }
}

/// Whether a layer puts out n times as much of n times the weights and the bias, for n above 0.
fn keeps_factors(node: &Node) -> bool {
    let Operation::Convolution(layer) = &node.operation else { return false };
    match layer.activation {
        Activation::Linear | Activation::Leaky | Activation::Relu => true,
        Activation::Relu6
        | Activation::Elu
        | Activation::Logistic
        | Activation::Tanh
        | Activation::Swish
        | Activation::Mish => false,
    }
}

/// A convolution whose filters read the one channel of their own number each.
fn depthwise<'a>(graph: &Graph, node: &'a Node) -> Option<&'a Convolution> {
    let (Operation::Convolution(layer), [input]) = (&node.operation, &node.inputs[..]) else {
        return None;
    };
    let channels = graph.shape(*input).channels;
    (layer.groups == channels && layer.filters() == channels).then_some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Shape;

    /// A convolution, which a depthwise one reads, and a head.
    fn graph() -> Graph {
        let shape = Shape { channels: 2, height: 1, width: 1 };
        let convolution = |kernel: &[f32], groups, activation| Convolution {
            kernel: kernel.to_vec(),
            bias: vec![0.5, -8.0],
            size: 1,
            strides: (1, 1),
            dilation: 1,
            padding: 0,
            groups,
            activation,
        };
        let node = |name: &str, layer, input| Node {
            name: name.into(),
            operation: Operation::Convolution(layer),
            inputs: vec![input],
            shape,
        };
        let wide = convolution(&[1.0, 2.0, 3.0, 4.0], 1, Activation::Leaky);
        let each = convolution(&[5.0, 6.0], 2, Activation::Leaky);
        let head = convolution(&[1.0, 0.0, 0.0, 1.0], 1, Activation::Linear);
        Graph {
            input: shape,
            nodes: vec![
                node("wide", wide, Value::Input),
                node("each", each, Value::Node(0)),
                node("head", head, Value::Node(1)),
            ],
            outputs: vec![Value::Node(2)],
        }
    }

    fn layer(graph: &Graph, index: usize) -> &Convolution {
        let Operation::Convolution(layer) = &graph.nodes[index].operation else { panic!("none") };
        layer
    }

    #[test]
    fn only_what_depthwise_convolutions_read_is_divided() {
        assert_eq!(divisible(&graph()), [true, false, false]);
        let mut put_out = graph();
        put_out.outputs.push(Value::Node(0));
        assert_eq!(divisible(&put_out), [false, false, false]);
        let mut curved = graph();
        if let Operation::Convolution(layer) = &mut curved.nodes[0].operation {
            layer.activation = Activation::Mish;
        }
        assert!(divide(&mut curved, 0, &[1.0, 0.5]).unwrap_err().contains("wide"));
        assert!(divide(&mut graph(), 1, &[1.0, 0.5]).unwrap_err().contains("each"));
        assert!(divide(&mut graph(), 0, &[1.0]).is_err());
    }

    #[test]
    fn a_divided_channel_is_multiplied_again_where_it_is_read() {
        let mut graph = graph();
        divide(&mut graph, 0, &[0.5, 0.25]).unwrap();
        assert_eq!(layer(&graph, 0).kernel, [2.0, 4.0, 12.0, 16.0]);
        assert_eq!(layer(&graph, 0).bias, [1.0, -32.0]);
        assert_eq!(layer(&graph, 1).kernel, [2.5, 1.5]);
        assert_eq!(layer(&graph, 1).bias, [0.5, -8.0]);
    }

    #[test]
    fn shares_fit_each_channel_on_both_sides() {
        let range = |low, high| Range { low, high };
        let layer = range(-1.0, 10.0);
        let channels = [range(-1.0, 2.0), range(-0.1, 5.0), range(0.0, 0.0), range(1.0, 10.0)];
        assert_eq!(shares(layer, &channels), [1.0, 0.5, LEAST, 1.0]);
        assert_eq!(shares(range(0.0, 0.0), &[range(0.0, 0.0)]), [LEAST]);
    }
}
