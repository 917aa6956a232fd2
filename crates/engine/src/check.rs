//! Whether a graph holds together, so that engines need not ask.

use crate::{Convolution, Graph, Node, Operation, Shape, Value};

/// What contradicts itself in a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A layer, or an output, reads what is not there yet.
    #[error("{reader} reads a layer that does not come before it")]
    Order {
        /// Who reads.
        reader: String,
    },
    /// An operation cannot have that many inputs.
    #[error("{node} cannot have {found} inputs")]
    Inputs {
        /// The layer.
        node: String,
        /// How many it has.
        found: usize,
    },
    /// A convolution's channels and filters cannot be split into its groups.
    #[error("{node} cannot split its channels into {groups} groups")]
    Groups {
        /// The layer.
        node: String,
        /// How many groups it has.
        groups: usize,
    },
    /// A kernel has more or fewer numbers than its sides say.
    #[error("{node} has a kernel of {found} numbers where {wanted} are expected")]
    Kernel {
        /// The layer.
        node: String,
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// A layer's channels do not follow from what it reads.
    #[error("{node} has {found} channels where what it reads gives {wanted}")]
    Channels {
        /// The layer.
        node: String,
        /// What its shape says.
        found: usize,
        /// What follows from its inputs.
        wanted: usize,
    },
}

impl Graph {
    /// Whether every layer reads what comes before it, and inputs, weights and channels fit its
    /// operation.
    ///
    /// # Errors
    /// Names the first layer that does not.
    pub fn check(&self) -> Result<(), GraphError> {
        for (index, node) in self.nodes.iter().enumerate() {
            self.check_order(&node.inputs, index, &node.name)?;
            let inputs: Vec<Shape> = node.inputs.iter().map(|input| self.shape(*input)).collect();
            check_node(node, &inputs)?;
        }
        self.check_order(&self.outputs, self.nodes.len(), "an output")
    }

    fn check_order(&self, values: &[Value], before: usize, reader: &str) -> Result<(), GraphError> {
        let late = values.iter().any(|value| match value {
            Value::Input => false,
            Value::Node(index) => *index >= before,
        });
        if late { Err(GraphError::Order { reader: reader.to_owned() }) } else { Ok(()) }
    }
}

fn check_node(node: &Node, inputs: &[Shape]) -> Result<(), GraphError> {
    let number_fits = match &node.operation {
        Operation::Concat => !inputs.is_empty(),
        Operation::Add(_) => inputs.len() == 2,
        Operation::Convolution(_)
        | Operation::MaxPool(_)
        | Operation::Channels { .. }
        | Operation::Upsample { .. } => inputs.len() == 1,
    };
    let (true, [first, ..]) = (number_fits, inputs) else {
        return Err(GraphError::Inputs { node: node.name.clone(), found: inputs.len() });
    };
    let wanted = match &node.operation {
        Operation::Convolution(layer) => {
            check_kernel(&node.name, layer, *first)?;
            layer.filters()
        }
        Operation::Concat => inputs.iter().map(|input| input.channels).sum(),
        Operation::Channels { first: start } => {
            node.shape.channels.min(first.channels.saturating_sub(*start))
        }
        Operation::MaxPool(_) | Operation::Add(_) | Operation::Upsample { .. } => first.channels,
    };
    if node.shape.channels == wanted {
        return Ok(());
    }
    Err(GraphError::Channels { node: node.name.clone(), found: node.shape.channels, wanted })
}

fn check_kernel(name: &str, layer: &Convolution, input: Shape) -> Result<(), GraphError> {
    let Convolution { kernel, size, groups, .. } = layer;
    let splits = |channels: usize| *groups > 0 && channels.is_multiple_of(*groups);
    if !splits(input.channels) || !splits(layer.filters()) {
        return Err(GraphError::Groups { node: name.to_owned(), groups: *groups });
    }
    let wanted = [input.channels / groups, *size, *size]
        .iter()
        .fold(layer.filters(), |product, side| product.saturating_mul(*side));
    if kernel.len() == wanted {
        return Ok(());
    }
    Err(GraphError::Kernel { node: name.to_owned(), found: kernel.len(), wanted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;

    const INPUT: Shape = Shape { channels: 3, height: 4, width: 4 };

    fn convolution(filters: usize) -> Operation {
        Operation::Convolution(Convolution {
            kernel: vec![0.0; filters * 3],
            bias: vec![0.0; filters],
            size: 1,
            strides: (1, 1),
            dilation: 1,
            padding: 0,
            groups: 1,
            activation: Activation::Linear,
        })
    }

    fn node(operation: Operation, inputs: &[Value], channels: usize) -> Node {
        let shape = Shape { channels, ..INPUT };
        Node { name: "layer".into(), operation, inputs: inputs.to_vec(), shape }
    }

    fn check(nodes: Vec<Node>) -> Result<(), GraphError> {
        let outputs = vec![Value::Node(0)];
        Graph { input: INPUT, nodes, outputs }.check()
    }

    #[test]
    fn what_does_not_hold_together_is_named() {
        let name = || "layer".to_owned();
        let x = Value::Input;
        assert_eq!(check(vec![node(convolution(5), &[x], 5)]), Ok(()));
        let cases = [
            (node(convolution(5), &[Value::Node(0)], 5), GraphError::Order { reader: name() }),
            (node(convolution(5), &[x, x], 5), GraphError::Inputs { node: name(), found: 2 }),
            (node(Operation::Concat, &[], 0), GraphError::Inputs { node: name(), found: 0 }),
            (
                node(convolution(5), &[x], 6),
                GraphError::Channels { node: name(), found: 6, wanted: 5 },
            ),
            (
                node(Operation::Concat, &[x, x], 3),
                GraphError::Channels { node: name(), found: 3, wanted: 6 },
            ),
            (
                node(Operation::Channels { first: 2 }, &[x], 2),
                GraphError::Channels { node: name(), found: 2, wanted: 1 },
            ),
        ];
        for (node, error) in cases {
            assert_eq!(check(vec![node]), Err(error));
        }
        let with = |change: &dyn Fn(&mut Convolution)| {
            let mut wrong = node(convolution(5), &[x], 5);
            if let Operation::Convolution(layer) = &mut wrong.operation {
                change(layer);
            }
            check(vec![wrong])
        };
        let groups = |groups| Err(GraphError::Groups { node: name(), groups });
        assert_eq!(with(&|layer| layer.groups = 2), groups(2));
        assert_eq!(with(&|layer| layer.groups = 0), groups(0));
        let short = Err(GraphError::Kernel { node: name(), found: 14, wanted: 15 });
        assert_eq!(with(&|layer| layer.kernel.truncate(14)), short);
        assert_eq!(check(Vec::new()), Err(GraphError::Order { reader: "an output".into() }));
    }
}
