//! Has an ONNX network take pictures as this crate makes them, and put out 32-bit numbers.
//!
//! Networks are exported with inputs of 8 or 16 bits, with white as 1 or 255, with channels first
//! or last. A few operators before the network's own bring `[batch, 3, height, width]` from 0 to 1
//! to what it wants.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Side;
use tract_onnx::pb::type_proto::{Tensor, Value};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
};
use tract_onnx::prelude::TractResult;
use tract_onnx::tract_core::internal::format_err;

/// What the network's input is called when operators come before it; no exporter uses the name.
const PIXELS: &str = "mlvi.pixels";
/// What white is in 8 bits.
const WHITE: f32 = 255.0;

/// What comes between the pixels and the network's own input.
#[derive(Debug, PartialEq)]
struct Steps {
    /// Factor, when it is not 1.
    scale: Option<f32>,
    /// To whole numbers.
    round: bool,
    /// To channels last.
    transpose: bool,
    /// To the network's type, when it is not 32-bit numbers.
    cast: Option<DataType>,
}

/// Changes the network; `input_scale` is what the description says white is. Returns what was done
/// in sentences.
pub(super) fn adapt(proto: &mut ModelProto, input_scale: Option<f32>) -> TractResult<Vec<String>> {
    let graph = proto.graph.as_mut().ok_or_else(|| format_err!("it holds no network"))?;
    let index = the_input(graph)?;
    let steps = steps(&graph.input[index], input_scale)?;
    let white = steps.scale.unwrap_or(1.0);
    let mut remarks =
        vec![format!("its input takes red, green, blue from 0 to {white}{}", steps.words())];
    if input_scale.is_none() && !steps.round {
        remarks.push(
            "a network that wants 0 to 255 needs `onnx.input_scale = 255` in the description"
                .into(),
        );
    }
    steps.insert(graph, index);
    widen_outputs(graph);
    Ok(remarks)
}

/// The index of the one input that is no number of the network's own.
fn the_input(graph: &GraphProto) -> TractResult<usize> {
    let own =
        |input: &ValueInfoProto| graph.initializer.iter().any(|number| number.name == input.name);
    let inputs: Vec<usize> =
        (0..graph.input.len()).filter(|index| !own(&graph.input[*index])).collect();
    match inputs[..] {
        [input] => Ok(input),
        _ => Err(format_err!("the network has {} inputs where one is expected", inputs.len())),
    }
}

fn tensor_of(value: &ValueInfoProto) -> Option<&Tensor> {
    let Value::TensorType(tensor) = value.r#type.as_ref()?.value.as_ref()?;
    Some(tensor)
}

fn steps(input: &ValueInfoProto, input_scale: Option<f32>) -> TractResult<Steps> {
    let tensor = tensor_of(input);
    let stated = tensor.map_or(DataType::Float as i32, |tensor| tensor.elem_type);
    let scale = input_scale.filter(|scale| *scale != 1.0);
    let transpose = tensor.map_or(Ok(false), channels_last)?;
    match DataType::try_from(stated) {
        Ok(DataType::Float | DataType::Undefined) => {
            Ok(Steps { scale, round: false, transpose, cast: None })
        }
        Ok(wide @ (DataType::Float16 | DataType::Double)) => {
            Ok(Steps { scale, round: false, transpose, cast: Some(wide) })
        }
        Ok(DataType::Uint8) => match input_scale {
            None | Some(WHITE) => Ok(Steps {
                scale: Some(WHITE),
                round: true,
                transpose,
                cast: Some(DataType::Uint8),
            }),
            Some(other) => Err(format_err!(
                "its input is uint8, in which white is 255; `onnx.input_scale` is {other}"
            )),
        },
        Ok(other) => {
            let name = other.as_str_name().to_lowercase();
            Err(format_err!(
                "its input is {name}; inputs of float32, float16, float64 and uint8 are supported"
            ))
        }
        Err(_) => Err(format_err!("its input has the type {stated}, which ONNX does not know")),
    }
}

/// By the sides that the file names; unless it says otherwise, channels come first.
fn channels_last(tensor: &Tensor) -> TractResult<bool> {
    let Some(shape) = &tensor.shape else { return Ok(false) };
    let sides: Vec<Option<i64>> = shape
        .dim
        .iter()
        .map(|side| match side.value {
            Some(Side::DimValue(side)) if side > 0 => Some(side),
            _ => None,
        })
        .collect();
    match sides[..] {
        [_, Some(3), _, _] => Ok(false),
        [_, _, _, Some(3)] => Ok(true),
        [_, None, _, _] => Ok(false),
        _ => {
            let shown: Vec<String> = sides
                .iter()
                .map(|side| side.map_or("any".into(), |side| side.to_string()))
                .collect();
            Err(format_err!(
                "its input has the shape [{}]; expected are batch by 3 by height by width, \
                 or batch by height by width by 3",
                shown.join(", ")
            ))
        }
    }
}

impl Steps {
    fn words(&self) -> String {
        let order = if self.transpose { ", channels last" } else { "" };
        let kind = self
            .cast
            .map_or(String::new(), |kind| format!(", as {}", kind.as_str_name().to_lowercase()));
        format!("{order}{kind}")
    }

    /// Puts the operators before the network's own, which go on reading the input's old name.
    fn insert(&self, graph: &mut GraphProto, input: usize) {
        let mut chain: Vec<(&str, Vec<AttributeProto>, Option<f32>)> = Vec::new();
        if let Some(scale) = self.scale {
            chain.push(("Mul", vec![], Some(scale)));
        }
        if self.round {
            chain.extend([("Add", vec![], Some(0.5)), ("Floor", vec![], None)]);
        }
        if self.transpose {
            let order = AttributeProto {
                name: "perm".into(),
                r#type: AttributeType::Ints as i32,
                ints: vec![0, 2, 3, 1],
                ..Default::default()
            };
            chain.push(("Transpose", vec![order], None));
        }
        if let Some(kind) = self.cast {
            chain.push(("Cast", vec![to(kind)], None));
        }
        let Some(last) = chain.len().checked_sub(1) else { return };
        let old = std::mem::replace(&mut graph.input[input], pixels()).name;
        let mut from = PIXELS.to_owned();
        let mut nodes = Vec::with_capacity(chain.len() + graph.node.len());
        for (index, (operator, attributes, number)) in chain.into_iter().enumerate() {
            let name = format!("{PIXELS}.{index}");
            let mut inputs = vec![from];
            if let Some(number) = number {
                let constant = format!("{name}.number");
                graph.initializer.push(scalar(&constant, number));
                inputs.push(constant);
            }
            let output = if index == last { old.clone() } else { name.clone() };
            nodes.push(node(&name, operator, inputs, &output, attributes));
            from = output;
        }
        nodes.append(&mut graph.node);
        graph.node = nodes;
    }
}

/// Outputs of 16 and 64 bits become such of 32.
fn widen_outputs(graph: &mut GraphProto) {
    for index in 0..graph.output.len() {
        let kind = tensor_of(&graph.output[index]).map(|tensor| tensor.elem_type);
        if kind == Some(DataType::Float16 as i32) || kind == Some(DataType::Double as i32) {
            let name = format!("mlvi.output.{index}");
            let old =
                std::mem::replace(&mut graph.output[index], value(&name, DataType::Float)).name;
            graph.node.push(node(&name, "Cast", vec![old], &name, vec![to(DataType::Float)]));
        }
    }
}

fn pixels() -> ValueInfoProto {
    value(PIXELS, DataType::Float)
}

fn value(name: &str, kind: DataType) -> ValueInfoProto {
    let tensor = Value::TensorType(Tensor { elem_type: kind as i32, shape: None });
    let kind = tract_onnx::pb::TypeProto { value: Some(tensor), ..Default::default() };
    ValueInfoProto { name: name.into(), r#type: Some(kind), ..Default::default() }
}

fn to(kind: DataType) -> AttributeProto {
    AttributeProto {
        name: "to".into(),
        r#type: AttributeType::Int as i32,
        i: kind as i64,
        ..Default::default()
    }
}

fn scalar(name: &str, number: f32) -> TensorProto {
    TensorProto {
        name: name.into(),
        data_type: DataType::Float as i32,
        float_data: vec![number],
        ..Default::default()
    }
}

pub(super) fn node(
    name: &str,
    operator: &str,
    input: Vec<String>,
    output: &str,
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        name: name.into(),
        op_type: operator.into(),
        input,
        output: vec![output.into()],
        attribute,
        ..Default::default()
    }
}
