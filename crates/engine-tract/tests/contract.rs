//! tract behind the contract: what every engine must do with a small graph.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use engine::{
    Activation, Convolution, Engine, EngineError, Graph, MaxPool, Network, Node, OnnxFile,
    Operation, Shape, Value,
};
use engine_tract::Tract;

const INPUT: Shape = Shape { channels: 3, height: 4, width: 6 };

/// A sum of the channels, of which every 2 × 2 cells become the largest.
fn graph() -> Graph {
    let sum = Convolution {
        kernel: vec![1.0; 3],
        bias: vec![0.5],
        size: 1,
        strides: (1, 1),
        dilation: 1,
        padding: 0,
        groups: 1,
        activation: Activation::Relu,
    };
    let pool = MaxPool { size: 2, strides: (2, 2), padding: (0, 1) };
    let node = |name: &str, operation, input, shape| Node {
        name: name.into(),
        operation,
        inputs: vec![input],
        shape,
    };
    Graph {
        input: INPUT,
        nodes: vec![
            node("sum", Operation::Convolution(sum), Value::Input, Shape { channels: 1, ..INPUT }),
            node(
                "pool",
                Operation::MaxPool(pool),
                Value::Node(0),
                Shape { channels: 1, height: 2, width: 3 },
            ),
        ],
        outputs: vec![Value::Node(1), Value::Node(0)],
    }
}

#[test]
fn a_graph_runs_for_each_batch_size() {
    let network = Tract::default().open(Network::Graph(graph())).unwrap();
    assert!(network.data_files().is_empty() && network.remarks().unwrap().is_empty());
    for batch in [1, 2] {
        let program = network.program(batch).unwrap();
        assert_eq!(program.batch(), batch);
        assert_eq!(program.outputs(), [vec![1, 2, 3], vec![1, 4, 6]]);
        let mut runner = program.runner().unwrap();
        // each image is all of one number: its own
        let fill = |values: &mut [f32]| {
            let size = values.len() / batch;
            for (image, values) in values.chunks_exact_mut(size).enumerate() {
                values.fill((image + 1) as f32);
            }
        };
        runner.fill(&mut { fill }).unwrap();
        let outputs = runner.run().unwrap();
        for (output, size) in outputs.iter().zip([6, 24]) {
            let expected: Vec<f32> =
                (0..batch * size).map(|index| 3.0 * (index / size + 1) as f32 + 0.5).collect();
            assert_eq!(*output, expected);
        }
        let steps = runner.profile().unwrap();
        assert!(steps.iter().any(|step| step.node.starts_with("pool")), "{steps:?}");
    }
}

#[test]
fn the_inputs_memory_is_used_again() {
    let network = Tract::default().open(Network::Graph(graph())).unwrap();
    let mut runner = network.program(1).unwrap().runner().unwrap();
    let mut places = Vec::new();
    for _ in 0..2 {
        runner
            .fill(&mut |values| {
                assert!(places.is_empty() || values[0] == 7.0, "the values are kept");
                values.fill(7.0);
                places.push(values.as_ptr());
            })
            .unwrap();
        runner.run().unwrap();
    }
    assert_eq!(places[0], places[1]);
}

#[test]
fn a_graph_that_contradicts_itself_is_refused() {
    let mut graph = graph();
    graph.nodes[0].inputs = vec![Value::Node(1)];
    let Err(EngineError::Network(reason)) = Tract::default().open(Network::Graph(graph)) else {
        panic!("it reads ahead")
    };
    assert!(reason.contains("sum"), "{reason}");
}

#[test]
fn an_onnx_file_that_is_not_there_is_an_error() {
    let file = OnnxFile { path: "nowhere/a.onnx".into(), input: INPUT, input_scale: None };
    assert!(matches!(Tract::default().open(Network::Onnx(file)), Err(EngineError::Network(_))));
}
