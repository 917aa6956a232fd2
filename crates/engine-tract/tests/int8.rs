//! Graphs on bytes against the same graphs on numbers.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use engine::{
    Activation, Convolution, Engine, EngineError, Graph, MaxPool, Network, Node, Operation, Range,
    Shape, Value,
};
use engine_tract::{Options, Tract};
use kernels::Team;

const INPUT: Shape = Shape { channels: 3, height: 22, width: 26 };

/// Numbers from -1 to 1 that follow no order.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|index| ((index + seed) * 7919 % 4099) as f32 / 2049.0 - 1.0).collect()
}

struct Builder {
    nodes: Vec<Node>,
}

impl Builder {
    fn shape(&self, value: Value) -> Shape {
        match value {
            Value::Input => INPUT,
            Value::Node(index) => self.nodes[index].shape,
        }
    }

    fn add(&mut self, operation: Operation, inputs: &[Value], shape: Shape) -> Value {
        let name = format!("layer{}", self.nodes.len());
        self.nodes.push(Node { name, operation, inputs: inputs.to_vec(), shape });
        Value::Node(self.nodes.len() - 1)
    }

    fn convolution(
        &mut self,
        from: Value,
        filters: usize,
        size: usize,
        activation: Activation,
    ) -> Value {
        self.grouped(from, (filters, size, 1, 1), activation)
    }

    /// Filters, the kernel's side, the stride and groups.
    fn grouped(
        &mut self,
        from: Value,
        (filters, size, stride, groups): (usize, usize, usize, usize),
        activation: Activation,
    ) -> Value {
        let shape = self.shape(from);
        let count = filters * shape.channels / groups * size * size;
        let scale = 1.0 / (shape.channels / groups * size * size) as f32;
        let layer = Convolution {
            kernel: numbers(count, self.nodes.len()).iter().map(|w| w * 3.0 * scale).collect(),
            bias: numbers(filters, 5).iter().map(|bias| bias * 0.3).collect(),
            size,
            strides: (stride, stride),
            dilation: 1,
            padding: size / 2,
            groups,
            activation,
        };
        let side = |side: usize| (side - 1) / stride + 1;
        let (height, width) = (side(shape.height), side(shape.width));
        let shape = Shape { channels: filters, height, width };
        self.add(Operation::Convolution(layer), &[from], shape)
    }
}

/// What YOLOv3-tiny consists of, small: pooled and other convolutions, a pool by steps of one, a
/// choice of channels, an enlargement, a concatenation, and two heads.
fn graph() -> Graph {
    let mut builder = Builder { nodes: Vec::new() };
    let first = builder.convolution(Value::Input, 16, 3, Activation::Leaky);
    let pool = |size, stride| {
        Operation::MaxPool(MaxPool { size, strides: (stride, stride), padding: (0, 1) })
    };
    let half = Shape { channels: 16, height: 11, width: 13 };
    let halved = builder.add(pool(2, 2), &[first], half);
    let wide = builder.convolution(halved, 40, 3, Activation::Leaky);
    let small = Shape { channels: 40, height: 6, width: 7 };
    let quarter = builder.add(pool(2, 2), &[wide], small);
    let same = builder.add(pool(2, 1), &[quarter], small);
    let deep = builder.convolution(same, 24, 1, Activation::Relu);
    let head = builder.convolution(deep, 21, 1, Activation::Linear);
    let some = builder.add(
        Operation::Channels { first: 3 },
        &[deep],
        Shape { channels: 9, height: 6, width: 7 },
    );
    let large = Shape { channels: 9, height: 12, width: 14 };
    let large = builder.add(Operation::Upsample { stride: 2 }, &[some], large);
    let other = builder.add(
        Operation::Upsample { stride: 2 },
        &[same],
        Shape { channels: 40, height: 12, width: 14 },
    );
    let both = Shape { channels: 49, height: 12, width: 14 };
    let both = builder.add(Operation::Concat, &[large, other], both);
    let last = builder.convolution(both, 33, 3, Activation::Leaky);
    let second = builder.convolution(last, 21, 1, Activation::Linear);
    Graph { input: INPUT, nodes: builder.nodes, outputs: vec![head, second] }
}

/// What Yolo-Fastest consists of, small: blocks that widen, filter each channel by itself and
/// narrow, by steps of one and two, shortcuts, and a pool behind a depthwise convolution; and
/// convolutions in groups, and limits at six.
fn fast_graph() -> Graph {
    let mut builder = Builder { nodes: Vec::new() };
    let b = &mut builder;
    let x = b.grouped(Value::Input, (24, 3, 2, 1), Activation::Leaky);
    let y = b.grouped(x, (24, 3, 1, 24), Activation::Leaky);
    let y = b.convolution(y, 24, 1, Activation::Linear);
    let x = b.add(Operation::Add(Activation::Linear), &[x, y], b.shape(x));
    let y = b.convolution(x, 40, 1, Activation::Relu6);
    let y = b.grouped(y, (40, 5, 2, 40), Activation::Relu);
    let x = b.grouped(y, (36, 3, 1, 4), Activation::Leaky);
    let y = b.convolution(x, 36, 1, Activation::Linear);
    let x = b.add(Operation::Add(Activation::Leaky), &[y, x], b.shape(x));
    let x = b.grouped(x, (36, 3, 1, 36), Activation::Relu6);
    let half = Shape { channels: 36, height: 3, width: 4 };
    let pool = MaxPool { size: 2, strides: (2, 2), padding: (0, 1) };
    let pooled = b.add(Operation::MaxPool(pool), &[x], half);
    let first = b.convolution(pooled, 75, 1, Activation::Linear);
    let second = b.convolution(x, 21, 1, Activation::Linear);
    Graph { input: INPUT, nodes: builder.nodes, outputs: vec![first, second] }
}

fn pictures(batch: usize) -> Vec<f32> {
    let count = batch * INPUT.channels * INPUT.height * INPUT.width;
    (0..count).map(|index| (index * 7919 % 256) as f32 / 255.0).collect()
}

fn run(network: Network, batch: usize) -> Vec<Vec<f32>> {
    run_on(1, network, batch)
}

fn run_on(threads: usize, network: Network, batch: usize) -> Vec<Vec<f32>> {
    let team = Team::of(threads).unwrap();
    let engine = Tract::new(Options { team, ..Options::default() });
    let opened = engine.open(network).unwrap();
    let mut runner = opened.program(batch).unwrap().runner().unwrap();
    runner.fill(&mut |values| values.copy_from_slice(&pictures(batch))).unwrap();
    let first: Vec<Vec<f32>> = runner.run().unwrap().into_iter().map(<[f32]>::to_vec).collect();
    // memory is used again
    assert!(runner.run().unwrap().iter().zip(&first).all(|(again, first)| again == first));
    first
}

/// What each layer puts out on the picture.
fn ranges(graph: &Graph) -> Vec<Range> {
    let mut all = graph.clone();
    all.outputs = (0..graph.nodes.len()).map(Value::Node).collect();
    let range = |values: &Vec<f32>| Range {
        low: values.iter().copied().fold(f32::INFINITY, f32::min),
        high: values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
    };
    run(Network::Graph(all), 1).iter().map(range).collect()
}

#[test]
fn bytes_give_nearly_what_numbers_give() {
    for graph in [graph(), fast_graph()] {
        let ranges = ranges(&graph);
        let expected = run(Network::Graph(graph.clone()), 1);
        let found = run(Network::Int8(graph, ranges), 1);
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found.len(), expected.len());
            let power = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
            let signal = power(&mut expected.iter().copied());
            let noise = found.iter().zip(expected).map(|(found, wanted)| found - wanted);
            let noise = power(&mut { noise });
            // some ten layers of 255 steps each; a wrong weight, zero or border is far more
            assert!(noise < 0.002 * signal, "head {index}: noise {noise}, signal {signal}");
        }
    }
}

#[test]
fn threads_that_share_an_image_give_the_same() {
    for graph in [graph(), fast_graph()] {
        let ranges = ranges(&graph);
        let alone = run(Network::Int8(graph.clone(), ranges.clone()), 2);
        for threads in [2, 5] {
            let shared = run_on(threads, Network::Int8(graph.clone(), ranges.clone()), 2);
            assert_eq!(shared, alone, "{threads} threads");
        }
    }
}

#[test]
fn images_of_a_batch_are_as_by_themselves() {
    let graph = graph();
    let ranges = ranges(&graph);
    let single = run(Network::Int8(graph.clone(), ranges.clone()), 1);
    let pair = run(Network::Int8(graph, ranges), 2);
    for (pair, single) in pair.iter().zip(&single) {
        let (first, second) = pair.split_at(single.len());
        assert_eq!(first, single);
        assert_ne!(second, single, "the second picture is another");
    }
}

#[test]
fn what_does_not_run_on_bytes_is_refused_by_name() {
    let refused = |graph: Graph, ranges: usize| {
        let ranges = vec![Range { low: -1.0, high: 1.0 }; ranges];
        match Tract::default().open(Network::Int8(graph, ranges)) {
            Err(EngineError::Network(reason)) => reason,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it is taken"),
        }
    };
    let layers = graph().nodes.len();
    assert!(refused(graph(), layers - 1).contains("ranges"));
    let with = |change: &dyn Fn(&mut Graph)| {
        let mut changed = graph();
        change(&mut changed);
        refused(changed, layers)
    };
    let activation = with(&|graph| {
        if let Operation::Convolution(layer) = &mut graph.nodes[5].operation {
            layer.activation = Activation::Mish;
        }
    });
    assert!(activation.contains("layer5") && activation.contains("activation"), "{activation}");
    let mut depthwise = fast_graph();
    depthwise.outputs = vec![Value::Node(1)];
    let layers = depthwise.nodes.len();
    let depthwise = refused(depthwise, layers);
    assert!(depthwise.contains("layer1") && depthwise.contains("depthwise"), "{depthwise}");
    let mut sum = fast_graph();
    sum.nodes[3].operation = Operation::Add(Activation::Tanh);
    let sum = refused(sum, layers);
    assert!(sum.contains("layer3") && sum.contains("activation"), "{sum}");
    let output = with(&|graph| graph.outputs = vec![Value::Node(1)]);
    assert!(output.contains("layer1") && output.contains("output"), "{output}");
    let input = with(&|graph| graph.outputs = vec![Value::Input]);
    assert!(input.contains("output"), "{input}");
}
