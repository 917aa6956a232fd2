//! ONNX files as exporters write them, made here from `tiny-yolov8.onnx`: inputs of every kind,
//! numbers in files of their own, and files that are damaged.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use detector::{Description, Detector, LoadOptions, ModelError};
use frame::{Detection, ImageSize, RgbImage};
use prost::Message;
use std::path::Path;
use tempfile::TempDir;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Side};
use tract_onnx::pb::type_proto::{Tensor, Value};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
};

const SIDE: u32 = 32;

fn fixture() -> ModelProto {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-yolov8.onnx");
    ModelProto::decode(&*std::fs::read(path).unwrap()).unwrap()
}

fn graph(proto: &mut ModelProto) -> &mut GraphProto {
    proto.graph.as_mut().unwrap()
}

/// A folder with this network as the model `tiny`; `onnx` and `weights` go into the description.
fn model(proto: &ModelProto, onnx: &str, weights: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tiny.onnx"), proto.encode_to_vec()).unwrap();
    std::fs::write(dir.path().join("tiny.names"), "red\ngreen\nblue\n").unwrap();
    let text = format!(
        "name = \"tiny\"\nformat = \"onnx\"\nnames = \"tiny.names\"\n[input]\nwidth = {SIDE}\n\
         height = {SIDE}\n\
         [thresholds]\nconfidence = 0.01\n[onnx]\noutput = \"yolov8\"\n{onnx}\n[weights]\n\
         file = \"tiny.onnx\"\n{weights}\n"
    );
    std::fs::write(dir.path().join("tiny.toml"), text).unwrap();
    dir
}

fn load(dir: &TempDir) -> Result<Detector, ModelError> {
    Detector::load(&Description::load(dir.path(), "tiny").unwrap(), LoadOptions::default())
}

fn picture() -> RgbImage {
    RgbImage::new(
        ImageSize { width: SIDE, height: SIDE },
        [201, 33, 90].repeat((SIDE * SIDE) as usize),
    )
    .unwrap()
}

fn detect(detector: &Detector) -> Vec<Detection> {
    detector.session().unwrap().detect(&[&picture()]).unwrap().remove(0).detections
}

fn node(operator: &str, input: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    let input = input.iter().map(|name| (*name).into()).collect();
    NodeProto {
        name: output.into(),
        op_type: operator.into(),
        input,
        output: vec![output.into()],
        attribute,
        ..Default::default()
    }
}

fn cast(to: DataType) -> Vec<AttributeProto> {
    vec![AttributeProto {
        name: "to".into(),
        r#type: AttributeType::Int as i32,
        i: to as i64,
        ..Default::default()
    }]
}

fn value(name: &str, kind: DataType, sides: &[i64]) -> ValueInfoProto {
    let side = |side: &i64| Dimension { value: Some(Side::DimValue(*side)), ..Default::default() };
    let shape = Some(TensorShapeProto { dim: sides.iter().map(side).collect() });
    let kind = TypeProto {
        value: Some(Value::TensorType(Tensor { elem_type: kind as i32, shape })),
        ..Default::default()
    };
    ValueInfoProto { name: name.into(), r#type: Some(kind), ..Default::default() }
}

/// The network with another input, and what brings that to the one which it had.
fn with_input(kind: DataType, sides: &[i64], steps: &[(&str, Vec<AttributeProto>)]) -> ModelProto {
    let mut proto = fixture();
    let graph = graph(&mut proto);
    let inner = std::mem::replace(&mut graph.input[0], value("raw", kind, sides)).name;
    let small = TensorProto {
        name: "small".into(),
        data_type: DataType::Float as i32,
        float_data: vec![1.0 / 255.0],
        ..Default::default()
    };
    graph.initializer.push(small);
    let mut from = "raw".to_owned();
    let mut nodes = Vec::new();
    for (index, (operator, attributes)) in steps.iter().enumerate() {
        let to = if index + 1 == steps.len() { inner.clone() } else { format!("step{index}") };
        let inputs =
            if *operator == "Mul" { vec![from.as_str(), "small"] } else { vec![from.as_str()] };
        nodes.push(node(operator, &inputs, &to, attributes.clone()));
        from = to;
    }
    nodes.append(&mut graph.node);
    graph.node = nodes;
    proto
}

fn assert_alike(found: &[Detection], wanted: &[Detection], tolerance: f32, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, wanted) in found.iter().zip(wanted) {
        let near = (found.confidence - wanted.confidence).abs() <= tolerance;
        assert!(near && found.class == wanted.class, "{what}: {found:?} instead of {wanted:?}");
    }
}

#[test]
fn inputs_of_every_kind_see_the_same_picture() {
    let wanted = detect(&load(&model(&fixture(), "", "")).unwrap());
    assert!(wanted.len() > 1 && wanted[0].confidence > 0.5);
    let (first, last) = ([1, 3, 32, 32], [1, 32, 32, 3]);
    let transpose = || {
        let order = AttributeProto {
            name: "perm".into(),
            r#type: AttributeType::Ints as i32,
            ints: vec![0, 3, 1, 2],
            ..Default::default()
        };
        ("Transpose", vec![order])
    };
    let float = || ("Cast", cast(DataType::Float));
    let cases = [
        (with_input(DataType::Uint8, &first, &[float(), ("Mul", vec![])]), "", "uint8", 1e-5),
        (
            with_input(DataType::Uint8, &first, &[float(), ("Mul", vec![])]),
            "input_scale = 255",
            "uint8",
            1e-5,
        ),
        (
            with_input(DataType::Uint8, &last, &[transpose(), float(), ("Mul", vec![])]),
            "",
            "channels last",
            1e-5,
        ),
        (
            with_input(DataType::Float, &first, &[("Mul", vec![])]),
            "input_scale = 255",
            "0 to 255",
            1e-5,
        ),
        (with_input(DataType::Float, &last, &[transpose()]), "", "channels last", 1e-5),
        (with_input(DataType::Double, &first, &[float()]), "", "double", 1e-5),
        (with_input(DataType::Float16, &first, &[float()]), "", "float16", 2e-3),
        (
            with_input(DataType::Float16, &last, &[transpose(), float(), ("Mul", vec![])]),
            "input_scale = 255",
            "float16",
            2e-3,
        ),
    ];
    for (proto, onnx, word, tolerance) in cases {
        let detector =
            load(&model(&proto, onnx, "")).unwrap_or_else(|error| panic!("{onnx} {word}: {error}"));
        assert!(detector.remarks()[0].contains(word), "{:?}", detector.remarks());
        assert_alike(&detect(&detector), &wanted, tolerance, &format!("{onnx} {word}"));
    }
}

#[test]
fn an_output_of_16_bits_is_read() {
    let wanted = detect(&load(&model(&fixture(), "", "")).unwrap());
    let mut proto = fixture();
    let graph = graph(&mut proto);
    let inner =
        std::mem::replace(&mut graph.output[0], value("half", DataType::Float16, &[1, 7, 3])).name;
    graph.node.push(node("Cast", &[&inner], "half", cast(DataType::Float16)));
    assert_alike(&detect(&load(&model(&proto, "", "")).unwrap()), &wanted, 2e-3, "float16");
}

#[test]
fn inputs_that_cannot_be_fed_are_refused_in_words() {
    let float = || ("Cast", cast(DataType::Float));
    let cases = [
        (with_input(DataType::Int8, &[1, 3, 32, 32], &[float()]), "", "its input is int8"),
        (with_input(DataType::Int32, &[1, 3, 32, 32], &[float()]), "", "its input is int32"),
        (
            with_input(DataType::Float, &[1, 1, 32, 32], &[("Identity", vec![])]),
            "",
            "[1, 1, 32, 32]",
        ),
        (with_input(DataType::Float, &[1, 3, 32], &[("Identity", vec![])]), "", "[1, 3, 32]"),
        (
            with_input(DataType::Uint8, &[1, 3, 32, 32], &[float()]),
            "input_scale = 1",
            "white is 255",
        ),
    ];
    for (proto, onnx, words) in cases {
        let error = load(&model(&proto, onnx, "")).unwrap_err().to_string();
        assert!(
            error.contains("the model tiny cannot be loaded") && error.contains(words),
            "{words}: {error}"
        );
    }
    for scale in ["0", "-1", "nan", "1e99", "inf"] {
        let dir = model(&fixture(), &format!("input_scale = {scale}"), "");
        let error = Description::load(dir.path(), "tiny").unwrap_err().to_string();
        assert!(error.contains("input_scale"), "{error}");
    }
}

/// The network with its factors in another file.
fn with_data(place: &str) -> ModelProto {
    let mut proto = fixture();
    let factors =
        graph(&mut proto).initializer.iter_mut().find(|number| number.name == "factors").unwrap();
    factors.raw_data.clear();
    factors.float_data.clear();
    factors.data_location = Some(DataLocation::External as i32);
    let entry =
        |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
    factors.external_data =
        vec![entry("location", place), entry("offset", "4"), entry("length", "12")];
    proto
}

fn write_data(dir: &TempDir, place: &str, factors: [f32; 3]) {
    let path = dir.path().join(place);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(
        path,
        [0.0].into_iter().chain(factors).flat_map(f32::to_le_bytes).collect::<Vec<u8>>(),
    )
    .unwrap();
}

const FACTORS: [f32; 3] = [0.9, 0.85, 0.5];

#[test]
fn external_weights_are_versioned_and_verified() {
    for place in ["tiny.onnx.data", "parts/numbers.bin"] {
        let dir = model(&with_data(place), "", "");
        assert!(matches!(
            load(&dir),
            Err(ModelError::WeightsMissing { path, .. }) if path.ends_with(place)
        ));
        write_data(&dir, place, FACTORS);
        let whole = load(&dir).unwrap();
        assert_alike(
            &detect(&whole),
            &detect(&load(&model(&fixture(), "", "")).unwrap()),
            1e-6,
            place,
        );
        let remark = whole
            .remarks()
            .iter()
            .find(|remark| remark.contains("[[weights.data]]"))
            .unwrap()
            .clone();
        assert!(remark.contains(place), "{remark}");
        // what the remark advises
        let sha256 = remark.split('"').find(|word| word.len() == 64).unwrap();
        let listed =
            format!("[[weights.data]]\nfile = \"{place}\"\nsize_bytes = 16\nsha256 = \"{sha256}\"");
        let verified = model(&with_data(place), "", &listed);
        write_data(&verified, place, FACTORS);
        let detector = load(&verified).unwrap();
        assert_eq!(detector.info().version, whole.info().version);
        assert!(
            detector.remarks().iter().all(|remark| !remark.contains("[[weights.data]]")),
            "{:?}",
            detector.remarks()
        );

        for dir in [&dir, &verified] {
            write_data(dir, place, [0.0, 0.85, 0.5]);
        }
        assert_ne!(load(&dir).unwrap().info().version, whole.info().version);
        assert!(matches!(
            load(&verified),
            Err(ModelError::WrongChecksum { path, .. }) if path.ends_with(place)
        ));
        std::fs::write(verified.path().join(place), [0; 17]).unwrap();
        assert!(matches!(
            load(&verified),
            Err(ModelError::WrongSize { expected: 16, actual: 17, .. })
        ));
        std::fs::write(dir.path().join(place), [0; 15]).unwrap();
        assert!(load(&dir).unwrap_err().to_string().contains("cannot be loaded"));
    }
}

#[test]
fn external_weights_outside_the_folder_are_refused() {
    for place in ["../secret", "/etc/passwd", "a/../../secret", "", ".", "..\\secret"] {
        let dir = model(&with_data(place), "", "");
        std::fs::write(dir.path().join("secret"), [0; 16]).unwrap();
        let error = load(&dir).unwrap_err().to_string();
        assert!(error.contains("within its own folder"), "{place}: {error}");
        assert!(Description::load(dir.path(), "tiny").unwrap().data_files().is_err());
    }
    let dir = model(&with_data("link"), "", "");
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
    assert!(load(&dir).unwrap_err().to_string().contains("outside"));
    for place in ["../secret", "/etc/passwd"] {
        let dir = model(&fixture(), "", &format!("[[weights.data]]\nfile = \"{place}\""));
        assert!(
            Description::load(dir.path(), "tiny")
                .unwrap_err()
                .to_string()
                .contains("weights.data.file"),
            "{place}"
        );
    }
    let dir = model(&fixture(), "", "[[weights.data]]\nfile = \"unused\"");
    assert!(load(&dir).unwrap_err().to_string().contains("'unused'"));
}

/// Every byte of the file in three other ways: loading ends, with a model or with words, and so
/// does looking.
#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let dir = model(&fixture(), "", "");
    let path = dir.path().join("tiny.onnx");
    let whole = std::fs::read(&path).unwrap();
    let mut panicked = 0;
    for index in 0..whole.len() {
        for mask in [0x01, 0x40, 0xff] {
            let mut bytes = whole.clone();
            bytes[index] ^= mask;
            std::fs::write(&path, &bytes).unwrap();
            match load(&dir) {
                Ok(detector) => {
                    let _ = detector.session().map(|mut session| session.detect(&[&picture()]));
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(
                        text.contains("the model tiny cannot be loaded: "),
                        "byte {index} ^ {mask}: {text}"
                    );
                    panicked += usize::from(text.contains("tract panicked"));
                }
            }
        }
    }
    println!("{panicked} of {} files made tract panic", 3 * whole.len());
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(load(&dir).is_err(), "{length} bytes");
    }
}

/// A concatenation along an axis that is not there makes tract index beyond a shape.
#[test]
fn what_makes_tract_panic_is_told() {
    let mut proto = fixture();
    let concat = graph(&mut proto).node.iter_mut().find(|node| node.op_type == "Concat").unwrap();
    concat.attribute[0].i = 9;
    let error = load(&model(&proto, "", "")).unwrap_err();
    assert!(
        matches!(&error, ModelError::Network { .. })
            && error.to_string().contains("the model tiny cannot be loaded: "),
        "{error}"
    );
}
