//! The steps of a run beside the layers that they are of.

use detector::OperatorTime;
use engine::{Convolution, Graph, Operation, Value};
use serde::Serialize;

/// The layers that an engine runs as one, with what they ask for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Group {
    /// The first layer's name; for a step that is of no layer, the step's.
    pub(super) name: String,
    /// What the layers do.
    pub(super) what: String,
    /// What the engine runs there.
    pub(super) kernels: String,
    /// The median of all runs.
    pub(super) ms: f64,
    /// Multiplications and additions of a direct convolution.
    pub(super) operations: f64,
    pub(super) weight_bytes: f64,
    /// What is read from other groups and written for them.
    pub(super) activation_bytes: f64,
}

const BYTES: usize = size_of::<f32>();

/// Puts steps and layers together, in the order of running. A step is of the layer whose name it
/// bears, with a suffix or not; a layer without a step was fused into the layer that it reads.
/// Without a graph nothing is known of the layers but their time.
pub(super) fn group(graph: Option<&Graph>, steps: &[OperatorTime]) -> Vec<Group> {
    let mut groups: Vec<(Option<usize>, Group)> = Vec::new();
    for step in steps {
        let layer = graph.and_then(|graph| layer_of(graph, &step.node));
        let same = |(of, group): &(Option<usize>, Group)| match layer {
            Some(layer) => *of == Some(layer),
            None => of.is_none() && group.name == step.node,
        };
        if let Some((_, group)) = groups.iter_mut().find(|group| same(group)) {
            group.ms += step.milliseconds;
            if !group.kernels.split(" + ").any(|kernel| kernel == step.operator) {
                group.kernels = format!("{} + {}", group.kernels, step.operator);
            }
            continue;
        }
        let name = match (graph, layer) {
            (Some(graph), Some(layer)) => graph.nodes[layer].name.clone(),
            (Some(_) | None, _) => step.node.clone(),
        };
        let group = Group {
            name,
            what: String::new(),
            kernels: step.operator.clone(),
            ms: step.milliseconds,
            operations: 0.0,
            weight_bytes: 0.0,
            activation_bytes: 0.0,
        };
        groups.push((layer, group));
    }
    let leaders: Vec<Option<usize>> = groups.iter().map(|(layer, _)| *layer).collect();
    if let Some(graph) = graph {
        let owners = owners(graph, &leaders);
        for (leader, group) in &mut groups {
            if let Some(leader) = leader {
                add_costs(graph, &owners, *leader, group);
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The layer with the longest name that the step's begins with.
fn layer_of(graph: &Graph, step: &str) -> Option<usize> {
    let bears = |name: &str| {
        let rest = step.strip_prefix(name)?;
        let ends = !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
        ends.then_some(name.len())
    };
    let named = graph.nodes.iter().enumerate();
    let lengths = named.filter_map(|(index, node)| Some((bears(&node.name)?, index)));
    lengths.max().map(|(_, index)| index)
}

/// For each layer the one in whose steps it runs.
fn owners(graph: &Graph, leaders: &[Option<usize>]) -> Vec<Option<usize>> {
    let mut owners: Vec<Option<usize>> = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let owner = if leaders.contains(&Some(index)) {
            Some(index)
        } else {
            node.inputs.iter().find_map(|input| match input {
                Value::Input => None,
                Value::Node(source) => owners[*source],
            })
        };
        owners.push(owner);
    }
    owners
}

fn add_costs(graph: &Graph, owners: &[Option<usize>], leader: usize, group: &mut Group) {
    let within = |value: &Value| match value {
        Value::Input => false,
        Value::Node(index) => owners[*index] == Some(leader),
    };
    let bytes = |value: Value| {
        let shape = graph.shape(value);
        (shape.channels * shape.height * shape.width * BYTES) as f64
    };
    let mut read: Vec<Value> = Vec::new();
    let mut words = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        if owners[index] != Some(leader) {
            continue;
        }
        for input in &node.inputs {
            if !within(input) && !read.contains(input) {
                read.push(*input);
            }
        }
        let own = Value::Node(index);
        let elsewhere = graph
            .nodes
            .iter()
            .enumerate()
            .any(|(reader, node)| owners[reader] != Some(leader) && node.inputs.contains(&own));
        if elsewhere || graph.outputs.contains(&own) {
            group.activation_bytes += bytes(own);
        }
        if let Operation::Convolution(layer) = &node.operation {
            let channels = graph.shape(node.inputs[0]).channels / layer.groups;
            let each = 2 * channels * layer.size * layer.size;
            group.operations += bytes(own) / BYTES as f64 * each as f64;
            group.weight_bytes += ((layer.kernel.len() + layer.bias.len()) * BYTES) as f64;
        }
        words.push(described(graph, index));
    }
    group.activation_bytes += read.into_iter().map(bytes).sum::<f64>();
    group.what = words.join(", ");
}

/// A layer in a few signs, e.g. `3×3 16→32 208×208`.
fn described(graph: &Graph, index: usize) -> String {
    let node = &graph.nodes[index];
    let (from, to) = (graph.shape(node.inputs[0]), node.shape);
    let size = format!("{}×{}", to.width, to.height);
    let step = |strides: (usize, usize)| match strides {
        (1, 1) => String::new(),
        (vertical, horizontal) if vertical == horizontal => format!("/{vertical}"),
        (vertical, horizontal) => format!("/{vertical},{horizontal}"),
    };
    match &node.operation {
        Operation::Convolution(Convolution { size: side, strides, groups, .. }) => {
            let groups = if *groups > 1 { format!(" in {groups} groups") } else { String::new() };
            let channels = format!("{}→{}", from.channels, to.channels);
            format!("{side}×{side}{} {channels}{groups} {size}", step(*strides))
        }
        Operation::MaxPool(pool) => {
            format!("max {0}×{0}{1} {size}", pool.size, step(pool.strides))
        }
        Operation::Concat => format!("concat {} {size}", to.channels),
        Operation::Channels { .. } => format!("{} channels {size}", to.channels),
        Operation::Add(_) => format!("add {} {size}", to.channels),
        Operation::Upsample { stride } => format!("upsample ×{stride} {size}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{Activation, MaxPool, Node, Shape};

    /// A convolution, its pooling, and a head of 1 × 1.
    fn graph() -> Graph {
        let convolution = |filters: usize, channels: usize, size: usize| {
            Operation::Convolution(Convolution {
                kernel: vec![0.0; filters * channels * size * size],
                bias: vec![0.0; filters],
                size,
                strides: (1, 1),
                dilation: 1,
                padding: size / 2,
                groups: 1,
                activation: Activation::Leaky,
            })
        };
        let node = |index: usize, operation, input, shape| Node {
            name: format!("layer{index}"),
            operation,
            inputs: vec![input],
            shape,
        };
        let full = Shape { channels: 4, height: 8, width: 8 };
        let half = Shape { channels: 4, height: 4, width: 4 };
        let head = Shape { channels: 2, ..half };
        let pool = MaxPool { size: 2, strides: (2, 2), padding: (0, 1) };
        Graph {
            input: Shape { channels: 3, height: 8, width: 8 },
            nodes: vec![
                node(1, convolution(4, 3, 3), Value::Input, full),
                node(2, Operation::MaxPool(pool), Value::Node(0), half),
                node(12, convolution(2, 4, 1), Value::Node(1), head),
            ],
            outputs: vec![Value::Node(2)],
        }
    }

    fn step(node: &str, operator: &str, milliseconds: f64) -> OperatorTime {
        OperatorTime { node: node.into(), operator: operator.into(), milliseconds }
    }

    #[test]
    fn several_steps_of_a_layer_are_one_group() {
        let steps = [
            step("input.cast", "Cast", 0.5),
            step("layer1.im2col", "Im2col", 1.0),
            step("layer1", "Product", 2.0),
            step("layer1.activation.1", "Product", 0.25),
            step("layer2", "MaxPool", 0.125),
            step("layer12", "Product", 4.0),
        ];
        let groups = group(Some(&graph()), &steps);
        let names: Vec<(&str, f64)> =
            groups.iter().map(|group| (group.name.as_str(), group.ms)).collect();
        assert_eq!(
            names,
            [("input.cast", 0.5), ("layer1", 3.25), ("layer2", 0.125), ("layer12", 4.0)]
        );
        assert_eq!(groups[1].kernels, "Im2col + Product");
        assert_eq!(groups[1].what, "3×3 3→4 8×8");
        assert_eq!(groups[1].operations, 2.0 * 4.0 * 64.0 * 27.0);
        assert_eq!(groups[1].weight_bytes, 4.0 * (4.0 * 27.0 + 4.0));
        assert_eq!(groups[1].activation_bytes, 4.0 * (3.0 + 4.0) * 64.0);
        assert_eq!((groups[0].operations, groups[0].what.as_str()), (0.0, ""));
    }

    #[test]
    fn a_layer_without_a_step_was_fused_into_what_it_reads() {
        let steps = [step("layer1", "Conv3x3Pool", 2.0), step("layer12", "Product", 1.0)];
        let groups = group(Some(&graph()), &steps);
        assert_eq!(groups[0].what, "3×3 3→4 8×8, max 2×2/2 4×4");
        // what the pooling reads stays within
        assert_eq!(groups[0].activation_bytes, 4.0 * (3.0 * 64.0 + 4.0 * 16.0));
        assert_eq!(groups[1].activation_bytes, 4.0 * (4.0 + 2.0) * 16.0);
    }

    #[test]
    fn without_a_graph_there_are_times_alone() {
        let groups = group(None, &[step("a", "Conv", 1.0), step("a", "Conv", 2.0)]);
        assert_eq!((groups.len(), groups[0].ms, groups[0].operations), (1, 3.0, 0.0));
    }
}
