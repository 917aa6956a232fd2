//! A second engine behind the contract: nothing but its own code is needed to run a model with it.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as tests do")]

use detector::{Description, Detector, LoadOptions, ModelError, Precision};
use engine::{
    Engine, EngineError, Graph, Network, OpenNetwork, Operation, OperatorTime, Program, Runner,
};
use frame::{ImageSize, RgbImage};
use std::sync::Arc;
use tempfile::TempDir;

/// Runs graphs of a single convolution of single cells.
struct Plain;

struct PlainNetwork(Arc<Graph>);

struct PlainProgram {
    graph: Arc<Graph>,
    batch: usize,
    outputs: Vec<Vec<usize>>,
}

struct PlainRunner {
    program: Arc<PlainProgram>,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Engine for Plain {
    fn open(&self, network: Network) -> Result<Box<dyn OpenNetwork>, EngineError> {
        match network {
            Network::Graph(graph) => Ok(Box::new(PlainNetwork(Arc::new(graph)))),
            Network::Int8(..) => Err(EngineError::Unsupported { engine: "plain", kind: "int8" }),
            Network::Onnx(_) => Err(EngineError::Unsupported { engine: "plain", kind: "ONNX" }),
        }
    }
}

impl OpenNetwork for PlainNetwork {
    fn data_files(&self) -> &[String] {
        &[]
    }

    fn remarks(&self) -> Result<&[String], EngineError> {
        Ok(&[])
    }

    fn program(&self, batch: usize) -> Result<Arc<dyn Program>, EngineError> {
        let shape = self.0.shape(self.0.outputs[0]);
        let outputs = vec![vec![shape.channels, shape.height, shape.width]];
        Ok(Arc::new(PlainProgram { graph: Arc::clone(&self.0), batch, outputs }))
    }
}

impl Program for PlainProgram {
    fn batch(&self) -> usize {
        self.batch
    }

    fn outputs(&self) -> &[Vec<usize>] {
        &self.outputs
    }

    fn runner(self: Arc<Self>) -> Result<Box<dyn Runner>, EngineError> {
        let cells = self.graph.input.height * self.graph.input.width;
        let input = vec![0.0; self.batch * self.graph.input.channels * cells];
        Ok(Box::new(PlainRunner { program: self, input, output: Vec::new() }))
    }
}

impl Runner for PlainRunner {
    fn fill(&mut self, write: &mut dyn FnMut(&mut [f32])) -> Result<(), EngineError> {
        write(&mut self.input);
        Ok(())
    }

    fn run(&mut self) -> Result<Vec<&[f32]>, EngineError> {
        let graph = &self.program.graph;
        let [node] = &graph.nodes[..] else { panic!("one layer") };
        let Operation::Convolution(layer) = &node.operation else { panic!("a convolution") };
        let (channels, cells) = (graph.input.channels, graph.input.height * graph.input.width);
        self.output.clear();
        for image in self.input.chunks_exact(channels * cells) {
            for (weights, bias) in layer.kernel.chunks_exact(channels).zip(&layer.bias) {
                let value = |cell: usize| {
                    let products = weights.iter().enumerate();
                    bias + products.map(|(c, w)| w * image[c * cells + cell]).sum::<f32>()
                };
                self.output.extend((0..cells).map(value));
            }
        }
        Ok(vec![&self.output])
    }

    fn profile(&mut self) -> Result<Vec<OperatorTime>, EngineError> {
        self.run()?;
        let (node, operator) = (self.program.graph.nodes[0].name.clone(), "plain".to_owned());
        Ok(vec![OperatorTime { node, operator, milliseconds: 0.0 }])
    }
}

/// A folder with a Darknet model of one convolution, and an ONNX model that is no file.
fn models() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write =
        |name: &str, content: &[u8]| std::fs::write(dir.path().join(name), content).unwrap();
    let common = "names = \"names\"\n[weights]\nfile = \"weights\"\n";
    let darknet = format!("name = \"darknet\"\nformat = \"darknet\"\nconfig = \"cfg\"\n{common}");
    write("darknet.toml", darknet.as_bytes());
    let onnx = format!("name = \"onnx\"\nformat = \"onnx\"\n{common}[onnx]\noutput = \"yolov8\"\n");
    write("onnx.toml", format!("{onnx}[input]\nwidth = 32\nheight = 32\n").as_bytes());
    write("names", b"thing\n");
    let layer = "[convolutional]\nfilters=6\nactivation=linear\n";
    let head = "[yolo]\nclasses=1\nnum=1\nanchors=8,8\n";
    write("cfg", format!("[net]\nwidth=8\nheight=8\n{layer}{head}").as_bytes());
    let header = [0u32, 2, 0, 0, 0].into_iter().flat_map(u32::to_le_bytes);
    let biases = [0.1f32, 0.2, 0.3, -0.4, 2.0, 1.0];
    let kernel = (0..18).map(|index| index as f32 / 18.0 - 0.4);
    let numbers = biases.into_iter().chain(kernel).flat_map(f32::to_le_bytes);
    write("weights", &header.chain(numbers).collect::<Vec<u8>>());
    dir
}

fn image(shade: u8) -> RgbImage {
    let data = (0..8 * 8 * 3).map(|index: u8| index.wrapping_mul(shade)).collect();
    RgbImage::new(ImageSize { width: 8, height: 8 }, data).unwrap()
}

#[test]
fn another_engine_finds_the_same() {
    let dir = models();
    let description = Description::load(dir.path(), "darknet").unwrap();
    let options = LoadOptions { max_batch: 2, ..LoadOptions::default() };
    let mut tract = Detector::load(&description, options).unwrap().session().unwrap();
    let mut plain = Detector::load_with(&Plain, &description, options).unwrap().session().unwrap();
    let images = [image(37), image(91), image(5)];
    let images: Vec<&RgbImage> = images.iter().collect();
    let (these, those) = (tract.detect(&images).unwrap(), plain.detect(&images).unwrap());
    for (these, those) in these.iter().zip(&those) {
        assert!(!these.detections.is_empty());
        assert_eq!(these.detections.len(), those.detections.len());
        for (this, that) in these.detections.iter().zip(&those.detections) {
            assert!((this.confidence - that.confidence).abs() < 1e-5, "{this:?} {that:?}");
        }
    }
    assert_eq!(plain.profile(images[0]).unwrap()[0].node, "layer0");
}

#[test]
fn a_format_that_an_engine_does_not_run_is_named() {
    let dir = models();
    let description = Description::load(dir.path(), "onnx").unwrap();
    let error = Detector::load_with(&Plain, &description, LoadOptions::default()).unwrap_err();
    assert!(matches!(error, ModelError::Network { .. }), "{error}");
    assert!(error.to_string().contains("the engine plain does not run ONNX"), "{error}");
    let darknet = Description::load(dir.path(), "darknet").unwrap();
    let bfloat16 = darknet.with_precision(Precision::Bfloat16);
    let error = Detector::load_with(&Plain, &bfloat16, LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("does not run bfloat16"), "{error}");
}
