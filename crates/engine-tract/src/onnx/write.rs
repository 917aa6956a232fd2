//! A graph of plain data as an ONNX file, so that other runtimes can run the same network.

use super::adapt::node;
use engine::{Activation, Convolution, Graph, MaxPool, Operation, Shape, Value};
use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Side};
use tract_onnx::pb::type_proto::{Tensor, Value as Kind};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
};

/// The version of the operators: the lowest that has all of these in their present form, since
/// older runtimes read it too.
const OPERATORS: i64 = 13;
/// The version of the file format that came with these operators.
const FORMAT: i64 = 7;
const INPUT: &str = "images";

/// The bytes of an ONNX file that computes what the graph does, for `batch` images at once: input
/// `images`, `[batch, channels, height, width]`, and one output of that order for each of the
/// graph's, in its order.
///
/// # Panics
/// When a layer reads what is not there, or has too few inputs; [`Graph::check`] finds both.
#[must_use]
pub fn to_onnx(graph: &Graph, batch: usize) -> Vec<u8> {
    let mut writer = Writer { graph, batch, nodes: Vec::new(), numbers: Vec::new() };
    for index in 0..graph.nodes.len() {
        writer.layer(index);
    }
    let output = (0..graph.outputs.len()).map(|place| writer.output(place)).collect();
    let proto = GraphProto {
        name: "network".into(),
        input: vec![value(INPUT, batch, graph.input)],
        output,
        node: writer.nodes,
        initializer: writer.numbers,
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: FORMAT,
        producer_name: "mlvi".into(),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPERATORS }],
        graph: Some(proto),
        ..Default::default()
    };
    model.encode_to_vec()
}

struct Writer<'a> {
    graph: &'a Graph,
    batch: usize,
    nodes: Vec<NodeProto>,
    /// Weights and other constants.
    numbers: Vec<TensorProto>,
}

impl Writer<'_> {
    fn name(&self, value: Value) -> String {
        match value {
            Value::Input => INPUT.into(),
            Value::Node(index) => self.graph.nodes[index].name.clone(),
        }
    }

    /// What the layer puts out has the layer's name.
    fn layer(&mut self, index: usize) {
        let layer = &self.graph.nodes[index];
        let inputs: Vec<String> = layer.inputs.iter().map(|input| self.name(*input)).collect();
        let from = self.graph.shape(layer.inputs[0]);
        let name = layer.name.as_str();
        match &layer.operation {
            Operation::Convolution(convolution) => {
                self.convolution(name, convolution, inputs, from.channels);
            }
            Operation::MaxPool(pool) => {
                let attributes = pool_attributes(pool, from, layer.shape);
                self.add(name, "MaxPool", inputs, attributes);
            }
            Operation::Concat => self.add(name, "Concat", inputs, vec![int("axis", 1)]),
            Operation::Channels { first } => {
                let last = first + layer.shape.channels;
                let bounds = [("starts", *first), ("ends", last), ("axes", 1)];
                let bounds = bounds.map(|(what, number)| self.integer(name, what, number));
                self.add(name, "Slice", [inputs, bounds.to_vec()].concat(), vec![]);
            }
            Operation::Add(activation) => {
                let sum = self.before(name, *activation);
                self.add(&sum, "Add", inputs, vec![]);
                self.activation(name, *activation, sum);
            }
            Operation::Upsample { stride } => {
                let side = *stride as f32;
                let scales = self.floats(format!("{name}.scales"), &[4], &[1.0, 1.0, side, side]);
                let attributes = vec![
                    word("mode", "nearest"),
                    word("coordinate_transformation_mode", "asymmetric"),
                    word("nearest_mode", "floor"),
                ];
                // the second input is a region, which this mode does not have
                let inputs = [inputs, vec![String::new(), scales]].concat();
                self.add(name, "Resize", inputs, attributes);
            }
        }
    }

    fn convolution(
        &mut self,
        name: &str,
        layer: &Convolution,
        mut inputs: Vec<String>,
        channels: usize,
    ) {
        let kernel = [layer.filters(), channels / layer.groups, layer.size, layer.size];
        inputs.push(self.floats(format!("{name}.kernel"), &kernel, &layer.kernel));
        inputs.push(self.floats(format!("{name}.bias"), &[layer.filters()], &layer.bias));
        let attributes = vec![
            ints("kernel_shape", &[layer.size; 2]),
            ints("strides", &[layer.strides.0, layer.strides.1]),
            ints("dilations", &[layer.dilation; 2]),
            ints("pads", &[layer.padding; 4]),
            int("group", layer.groups),
        ];
        let sum = self.before(name, layer.activation);
        self.add(&sum, "Conv", inputs, attributes);
        self.activation(name, layer.activation, sum);
    }

    /// The name of what an activation reads; without one it is the layer's own.
    fn before(&self, name: &str, activation: Activation) -> String {
        match activation {
            Activation::Linear => name.into(),
            Activation::Leaky
            | Activation::Relu
            | Activation::Relu6
            | Activation::Elu
            | Activation::Logistic
            | Activation::Tanh
            | Activation::Swish
            | Activation::Mish => format!("{name}.sum"),
        }
    }

    fn activation(&mut self, name: &str, activation: Activation, x: String) {
        match activation {
            Activation::Linear => {}
            Activation::Leaky => {
                self.add(name, "LeakyRelu", vec![x], vec![float("alpha", Activation::LEAK)]);
            }
            Activation::Relu => self.add(name, "Relu", vec![x], vec![]),
            Activation::Relu6 => {
                let least = self.floats(format!("{name}.least"), &[], &[0.0]);
                let most = self.floats(format!("{name}.most"), &[], &[6.0]);
                self.add(name, "Clip", vec![x, least, most], vec![]);
            }
            Activation::Elu => self.add(name, "Elu", vec![x], vec![float("alpha", 1.0)]),
            Activation::Logistic => self.add(name, "Sigmoid", vec![x], vec![]),
            Activation::Tanh => self.add(name, "Tanh", vec![x], vec![]),
            Activation::Swish => {
                let gate = format!("{name}.gate");
                self.add(&gate, "Sigmoid", vec![x.clone()], vec![]);
                self.add(name, "Mul", vec![x, gate], vec![]);
            }
            Activation::Mish => {
                let (soft, gate) = (format!("{name}.soft"), format!("{name}.gate"));
                self.add(&soft, "Softplus", vec![x.clone()], vec![]);
                self.add(&gate, "Tanh", vec![soft], vec![]);
                self.add(name, "Mul", vec![x, gate], vec![]);
            }
        }
    }

    /// Outputs need names of their own: one that is an input, or an output already, gets another.
    fn output(&mut self, place: usize) -> ValueInfoProto {
        let source = self.graph.outputs[place];
        let shape = self.graph.shape(source);
        let fresh = source != Value::Input && !self.graph.outputs[..place].contains(&source);
        let mut name = self.name(source);
        if !fresh {
            let copy = format!("output{place}");
            self.add(&copy, "Identity", vec![name], vec![]);
            name = copy;
        }
        value(&name, self.batch, shape)
    }

    fn add(&mut self, name: &str, operator: &str, inputs: Vec<String>, with: Vec<AttributeProto>) {
        self.nodes.push(node(name, operator, inputs, name, with));
    }

    fn floats(&mut self, name: String, sides: &[usize], numbers: &[f32]) -> String {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constant(name, DataType::Float, sides, bytes)
    }

    fn integer(&mut self, layer: &str, what: &str, number: usize) -> String {
        let bytes = (number as i64).to_le_bytes().to_vec();
        self.constant(format!("{layer}.{what}"), DataType::Int64, &[1], bytes)
    }

    fn constant(
        &mut self,
        name: String,
        kind: DataType,
        sides: &[usize],
        bytes: Vec<u8>,
    ) -> String {
        self.numbers.push(TensorProto {
            name: name.clone(),
            data_type: kind as i32,
            dims: sides.iter().map(|side| *side as i64).collect(),
            raw_data: bytes,
            ..Default::default()
        });
        name
    }
}

/// Only as much padding as the last window reaches into: an exporter would write no more, and
/// runtimes have quicker paths without.
fn pool_attributes(pool: &MaxPool, from: Shape, to: Shape) -> Vec<AttributeProto> {
    let before = pool.padding.0;
    let after = |from: usize, to: usize, stride: usize| {
        ((to - 1) * stride + pool.size).saturating_sub(from + before)
    };
    let below = after(from.height, to.height, pool.strides.0);
    let right = after(from.width, to.width, pool.strides.1);
    vec![
        ints("kernel_shape", &[pool.size; 2]),
        ints("strides", &[pool.strides.0, pool.strides.1]),
        ints("pads", &[before, before, below, right]),
    ]
}

fn value(name: &str, batch: usize, shape: Shape) -> ValueInfoProto {
    let side =
        |side: usize| Dimension { value: Some(Side::DimValue(side as i64)), ..Default::default() };
    let dim = [batch, shape.channels, shape.height, shape.width].map(side).to_vec();
    let tensor =
        Tensor { elem_type: DataType::Float as i32, shape: Some(TensorShapeProto { dim }) };
    let kind = TypeProto { value: Some(Kind::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: name.into(), r#type: Some(kind), ..Default::default() }
}

fn int(name: &str, number: usize) -> AttributeProto {
    AttributeProto { i: number as i64, ..attribute(name, AttributeType::Int) }
}

fn ints(name: &str, numbers: &[usize]) -> AttributeProto {
    let ints = numbers.iter().map(|number| *number as i64).collect();
    AttributeProto { ints, ..attribute(name, AttributeType::Ints) }
}

fn float(name: &str, number: f32) -> AttributeProto {
    AttributeProto { f: number, ..attribute(name, AttributeType::Float) }
}

fn word(name: &str, word: &str) -> AttributeProto {
    AttributeProto { s: word.into(), ..attribute(name, AttributeType::String) }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: kind as i32, ..Default::default() }
}
