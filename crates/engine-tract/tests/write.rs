//! A graph that was written as ONNX computes what the graph does: through our own reader, and
//! through ONNX Runtime where there is one.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use engine::{
    Activation, Convolution, Engine, Graph, MaxPool, Network, Node, OnnxFile, Operation, Shape,
    Value,
};
use engine_tract::{Tract, to_onnx};

const INPUT: Shape = Shape { channels: 3, height: 5, width: 8 };

/// Numbers without a pattern, from -1 to 1.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

struct Maker {
    graph: Graph,
}

impl Maker {
    fn add(&mut self, operation: Operation, inputs: &[Value], shape: Shape) -> Value {
        let name = format!("layer{}", self.graph.nodes.len());
        self.graph.nodes.push(Node { name, operation, inputs: inputs.to_vec(), shape });
        Value::Node(self.graph.nodes.len() - 1)
    }

    /// Of 3 × 3 cells that keeps the size; `groups` of channels.
    fn convolution(
        &mut self,
        x: Value,
        filters: usize,
        groups: usize,
        activation: Activation,
    ) -> Value {
        let shape = self.graph.shape(x);
        let seed = self.graph.nodes.len() as u32;
        let layer = Convolution {
            kernel: numbers(filters * shape.channels / groups * 9, seed),
            bias: numbers(filters, seed + 100),
            size: 3,
            strides: (1, 1),
            dilation: 1,
            padding: 1,
            groups,
            activation,
        };
        self.add(Operation::Convolution(layer), &[x], Shape { channels: filters, ..shape })
    }
}

/// A network with every operation and every activation.
fn graph() -> Graph {
    let graph = Graph { input: INPUT, nodes: Vec::new(), outputs: Vec::new() };
    let mut maker = Maker { graph };
    let all = [
        Activation::Linear,
        Activation::Leaky,
        Activation::Relu,
        Activation::Relu6,
        Activation::Elu,
        Activation::Logistic,
        Activation::Tanh,
        Activation::Swish,
        Activation::Mish,
    ];
    let activated: Vec<Value> =
        all.iter().map(|activation| maker.convolution(Value::Input, 2, 1, *activation)).collect();
    let together = Shape { channels: 2 * all.len(), ..INPUT };
    let joined = maker.add(Operation::Concat, &activated, together);
    let some = Shape { channels: 6, ..INPUT };
    let some = maker.add(Operation::Channels { first: 5 }, &[joined], some);
    let grouped = maker.convolution(some, 6, 3, Activation::Leaky);
    let shape = maker.graph.shape(grouped);
    let sum = maker.add(Operation::Add(Activation::Relu), &[some, grouped], shape);
    // a window that reaches over the edge where the side is odd
    let halved = Shape { height: 3, width: 4, ..shape };
    let halving = MaxPool { size: 2, strides: (2, 2), padding: (0, 1) };
    let halved = maker.add(Operation::MaxPool(halving), &[sum], halved);
    let shape = maker.graph.shape(halved);
    let sliding = MaxPool { size: 2, strides: (1, 1), padding: (0, 1) };
    let slid = maker.add(Operation::MaxPool(sliding), &[halved], shape);
    let strided = Convolution {
        kernel: numbers(3 * 6 * 9, 7),
        bias: numbers(3, 8),
        size: 3,
        strides: (2, 1),
        dilation: 2,
        padding: 2,
        groups: 1,
        activation: Activation::Linear,
    };
    let small = Shape { channels: 3, height: 2, width: 4 };
    let strided = maker.add(Operation::Convolution(strided), &[slid], small);
    let large = Shape { channels: 3, height: 4, width: 8 };
    let large = maker.add(Operation::Upsample { stride: 2 }, &[strided], large);
    // one of them twice, and the input itself
    maker.graph.outputs = vec![large, joined, large, Value::Input];
    maker.graph.check().unwrap();
    maker.graph
}

fn outputs(network: Network, batch: usize, input: &[f32]) -> Vec<Vec<f32>> {
    let program = Tract::default().open(network).unwrap().program(batch).unwrap();
    let mut runner = program.runner().unwrap();
    runner.fill(&mut |values| values.copy_from_slice(input)).unwrap();
    runner.run().unwrap().into_iter().map(<[f32]>::to_vec).collect()
}

fn assert_close(found: &[Vec<f32>], wanted: &[Vec<f32>]) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(found.len(), wanted.len());
        assert!(wanted.iter().any(|value| value.abs() > 0.1), "there is something to compare");
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-5, "{found} instead of {wanted}");
        }
    }
}

#[test]
fn what_was_written_is_the_same_network() {
    let dir = tempfile::tempdir().unwrap();
    for batch in [1, 3] {
        let input = numbers(batch * 3 * 5 * 8, 77);
        let wanted = outputs(Network::Graph(graph()), batch, &input);
        let path = dir.path().join(format!("{batch}.onnx"));
        std::fs::write(&path, to_onnx(&graph(), batch)).unwrap();
        let file = OnnxFile { path, input: INPUT, input_scale: Some(1.0) };
        assert_close(&outputs(Network::Onnx(file), batch, &input), &wanted);
    }
}
