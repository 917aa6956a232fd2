//! A graph with layers of every kind gives the same through `kernels` as through tract itself.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use engine::{
    Activation, Convolution, Engine, Graph, MaxPool, Network, Node, Operation, Shape, Value,
};
use engine_tract::{Kernels, Options, Tract};
use kernels::{Isa, Team};

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|index| ((index + seed) * 7919 % 4099) as f32 / 2049.5 - 1.0).collect()
}

/// Adds layers one after the other.
struct Builder(Graph);

impl Builder {
    fn add(&mut self, operation: Operation, inputs: &[Value], shape: Shape) -> Value {
        let name = format!("layer{}", self.0.nodes.len());
        self.0.nodes.push(Node { name, operation, inputs: inputs.to_vec(), shape });
        Value::Node(self.0.nodes.len() - 1)
    }

    fn convolution(
        &mut self,
        x: Value,
        (filters, size, stride, groups): (usize, usize, usize, usize),
        activation: Activation,
    ) -> Value {
        let from = self.0.shape(x);
        let padding = size / 2;
        let side = |side: usize| (side + 2 * padding - size) / stride + 1;
        let shape = Shape { channels: filters, height: side(from.height), width: side(from.width) };
        let count = filters * from.channels / groups * size * size;
        let scale = (count as f32 / filters as f32).sqrt();
        let layer = Convolution {
            kernel: numbers(count, filters).iter().map(|weight| weight / scale).collect(),
            bias: numbers(filters, size),
            size,
            strides: (stride, stride),
            dilation: 1,
            padding,
            groups,
            activation,
        };
        self.add(Operation::Convolution(layer), &[x], shape)
    }

    /// An inverted residual: to `wide` channels, each by itself, to `filters` channels.
    fn block(
        &mut self,
        x: Value,
        (wide, filters, size, stride): (usize, usize, usize, usize),
        residual: bool,
    ) -> Value {
        let y = self.convolution(x, (wide, 1, 1, 1), Activation::Leaky);
        let y = self.convolution(y, (wide, size, stride, wide), Activation::Relu6);
        let y = self.convolution(y, (filters, 1, 1, 1), Activation::Linear);
        let shape = self.0.shape(y);
        if residual { self.add(Operation::Add(Activation::Linear), &[y, x], shape) } else { y }
    }

    fn pool(&mut self, x: Value, size: usize, stride: usize) -> Value {
        let from = self.0.shape(x);
        let padding = (0, size - 1);
        let side = |side: usize| (side + size - 1 - size) / stride + 1;
        let shape = Shape { height: side(from.height), width: side(from.width), ..from };
        let layer = MaxPool { size, strides: (stride, stride), padding };
        self.add(Operation::MaxPool(layer), &[x], shape)
    }
}

/// Layers of every kind, read in ways that can be taken together and in ways that cannot.
fn graph() -> Graph {
    let input = Shape { channels: 3, height: 40, width: 56 };
    let mut builder = Builder(Graph { input, nodes: Vec::new(), outputs: Vec::new() });
    let b = &mut builder;
    let x = b.convolution(Value::Input, (16, 3, 1, 1), Activation::Leaky);
    let x = b.pool(x, 2, 2);
    let x = b.convolution(x, (24, 3, 1, 1), Activation::Leaky);
    let x = b.pool(x, 2, 2);
    let early = b.convolution(x, (33, 3, 1, 1), Activation::Relu6);
    // read by two, so the pooling is one of its own
    let x = b.pool(early, 2, 2);
    let x = b.convolution(x, (40, 3, 1, 1), Activation::Relu);
    let x = b.pool(x, 2, 1);
    let x = b.convolution(x, (40, 3, 1, 40), Activation::Leaky);
    let x = b.convolution(x, (32, 1, 1, 1), Activation::Mish);
    let x = b.convolution(x, (32, 3, 1, 2), Activation::Swish);
    let y = b.convolution(x, (32, 1, 1, 1), Activation::Logistic);
    let shape = b.0.shape(x);
    let x = b.add(Operation::Add(Activation::Elu), &[x, y], shape);
    let first = b.convolution(x, (21, 1, 1, 1), Activation::Linear);
    let some = Shape { channels: 7, ..shape };
    let x = b.add(Operation::Channels { first: 9 }, &[x], some);
    let large = Shape { height: 2 * some.height, width: 2 * some.width, ..some };
    let x = b.add(Operation::Upsample { stride: 2 }, &[x], large);
    let x = b.block(x, (24, 7, 3, 1), true);
    let joined = Shape { channels: 40, ..large };
    let x = b.add(Operation::Concat, &[x, early], joined);
    let x = b.convolution(x, (17, 3, 1, 1), Activation::Tanh);
    let x = b.convolution(x, (48, 3, 2, 1), Activation::Leaky);
    let x = b.block(x, (40, 33, 5, 2), false);
    // what is within is read by somebody else, too
    let y = b.convolution(x, (50, 1, 1, 1), Activation::Leaky);
    let z = b.convolution(y, (50, 3, 1, 50), Activation::Leaky);
    let shape = b.0.shape(z);
    let y = b.add(Operation::Add(Activation::Linear), &[z, y], shape);
    let x = b.convolution(y, (33, 1, 1, 1), Activation::Linear);
    let second = b.convolution(x, (255, 1, 1, 1), Activation::Linear);
    builder.0.outputs = vec![first, second, early];
    builder.0
}

fn outputs(options: Options, batch: usize) -> Vec<Vec<f32>> {
    let network = Tract::new(options).open(Network::Graph(graph())).unwrap();
    let mut runner = network.program(batch).unwrap().runner().unwrap();
    let mut last = Vec::new();
    // the second run works in the memory of the first
    for seed in [7, 1] {
        runner.fill(&mut |input| input.copy_from_slice(&numbers(input.len(), seed))).unwrap();
        last = runner.run().unwrap().into_iter().map(<[f32]>::to_vec).collect();
    }
    last
}

fn agree(found: &[Vec<f32>], wanted: &[Vec<f32>], allowed: f32, what: &str) {
    assert_eq!(found.len(), wanted.len());
    for (index, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert_eq!(found.len(), wanted.len());
        for (found, wanted) in found.iter().zip(wanted) {
            let close = (found - wanted).abs() <= allowed * (1.0 + wanted.abs());
            assert!(close, "{what}: output {index} has {found} where tract has {wanted}");
        }
    }
}

#[test]
fn a_graph_gives_what_tract_gives() {
    for batch in [1, 3] {
        let plain = Options { kernels: Kernels::Tract, ..Options::default() };
        let wanted = outputs(plain, batch);
        for isa in Isa::available() {
            for (kernels, threads) in
                [(Kernels::Table, 1), (Kernels::Small, 1), (Kernels::Table, 3)]
            {
                let team = Team::of(threads).unwrap();
                let ours = Options { kernels, team, isa: Some(isa), bfloat16: false };
                let found = outputs(ours, batch);
                let what = format!("{kernels:?}, {}, {threads} threads", isa.name());
                agree(&found, &wanted, 2e-4, &what);
            }
        }
    }
}

#[test]
fn in_bfloat16_a_graph_gives_nearly_what_tract_gives() {
    let plain = Options { kernels: Kernels::Tract, ..Options::default() };
    for batch in [1, 3] {
        let wanted = outputs(plain.clone(), batch);
        for isa in Isa::available() {
            for (kernels, threads) in [(Kernels::Auto, 2), (Kernels::Small, 1)] {
                let team = Team::of(threads).unwrap();
                let ours = Options { kernels, team, isa: Some(isa), bfloat16: true };
                let found = outputs(ours, batch);
                let what = format!("bfloat16, {kernels:?}, {}", isa.name());
                agree(&found, &wanted, 3e-2, &what);
                // a kernel that rounds nothing would be closer
                let apart = |(a, b): (&f32, &f32)| (a - b).abs();
                let apart = found[1].iter().zip(&wanted[1]).map(apart).fold(0.0, f32::max);
                assert!(apart > 1e-3, "{what}: only {apart} apart");
            }
        }
    }
    let program = Tract::default().open_bfloat16(Network::Graph(graph())).unwrap();
    let operators = program.program(1).unwrap().operators();
    let narrow = operators.iter().filter(|operator| operator.contains("bfloat16")).count();
    assert_eq!(narrow, 13, "{operators:?}");
}

#[test]
fn what_cannot_run_in_bfloat16_is_refused() {
    let refused = |engine: Tract, network: Network| {
        let opened = engine.open_bfloat16(network).and_then(|network| network.program(1));
        let Err(error) = opened else { panic!("it runs") };
        error.to_string()
    };
    let plain = Options { kernels: Kernels::Tract, ..Options::default() };
    let by_tract = refused(Tract::new(plain), Network::Graph(graph()));
    assert!(by_tract.contains("tract's were chosen"), "{by_tract}");
    let both = refused(Tract::default(), Network::Int8(graph(), vec![]));
    assert!(both.contains("int8 in bfloat16"), "{both}");
    // nothing but a first layer, which is thin
    let mut thin = graph();
    thin.nodes.truncate(1);
    thin.outputs = vec![Value::Node(0)];
    let none = refused(Tract::default(), Network::Graph(thin));
    assert!(none.contains("no convolution"), "{none}");
}

#[test]
fn convolutions_take_up_what_follows_them() {
    let table = Options { kernels: Kernels::Table, ..Options::default() };
    let network = Tract::new(table).open(Network::Graph(graph())).unwrap();
    let program = network.program(1).unwrap();
    let told = program.operators();
    let steps = program.runner().unwrap().profile().unwrap();
    let run: Vec<String> = steps.iter().map(|step| step.operator.clone()).collect();
    assert!(run.iter().all(|operator| told.contains(operator)), "{run:?} of {told:?}");
    let operators = |node: &str| {
        let of = steps.iter().filter(|step| step.node == node);
        of.map(|step| step.operator.clone()).collect::<Vec<_>>()
    };
    let isa = Isa::best().name();
    assert_eq!(operators("layer0"), [format!("planar {isa} + max pool 2×2")]);
    assert_eq!(operators("layer2"), [format!("winograd F(4,3) {isa} + max pool 2×2")]);
    assert_eq!(operators("layer4"), [format!("winograd F(2,3) {isa}")]);
    assert_eq!(operators("layer5"), ["max pool"]);
    assert_eq!(operators("layer8"), [format!("depthwise {isa}")]);
    let blocks = steps.iter().filter(|step| step.operator == format!("inverted residual {isa}"));
    assert_eq!(blocks.count(), 2, "{steps:?}");
    // the addition belongs to it, but not where others read what lies within
    assert!(operators("layer19").is_empty(), "{steps:?}");
    assert_eq!(operators("layer28"), ["OptAddUnicast"]);
    // two groups are tract's
    assert!(operators("layer10").iter().all(|operator| !operator.contains(isa)), "{steps:?}");
    // no step for an activation that a convolution applies
    let taken = |step: &&engine::OperatorTime| {
        ["layer0.", "layer2.", "layer4.", "layer6.", "layer8."]
            .iter()
            .any(|name| step.node.starts_with(name) && step.operator != "pixels to planes")
    };
    assert_eq!(steps.iter().filter(taken).count(), 0, "{steps:?}");
}
