//! Tiny networks against a plain implementation of each layer, and files that are wrong.

mod forks;
mod layers;
mod plain;
mod refusals;

use super::Darknet;
use crate::{Fork, ModelError};
use engine::{Engine, Network};
use engine_tract::Tract;
use plain::Map;

/// Numbers that look random and are the same every time, from -1 to 1.
struct Dice(u32);

impl Dice {
    fn next(&mut self) -> f32 {
        // the constants of Numerical Recipes' linear congruential generator
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    fn list(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// A head of one anchor and one class, which takes 6 channels.
const HEAD: &str = "[yolo]\nclasses=1\nnum=1\nanchors=4,4\n";

/// `[net]`, the layers given, and the head.
fn config(width: usize, height: usize, layers: &str) -> String {
    format!("[net]\nwidth={width}\nheight={height}\n{layers}\n{HEAD}")
}

/// A weights file: version 0.2 and the numbers given.
fn weights(numbers: &[f32]) -> Vec<u8> {
    let header = [0u32, 2, 0, 0, 0].into_iter().flat_map(u32::to_le_bytes);
    header.chain(numbers.iter().flat_map(|number| number.to_le_bytes())).collect()
}

fn read(config: &str, weights: &[u8]) -> Result<Darknet, ModelError> {
    read_as(config.as_bytes(), weights, None)
}

fn read_as(config: &[u8], weights: &[u8], fork: Option<Fork>) -> Result<Darknet, ModelError> {
    let dir = tempfile::tempdir().unwrap();
    let (config_path, weights_path) =
        (dir.path().join("test.cfg"), dir.path().join("test.weights"));
    std::fs::write(&config_path, config).unwrap();
    std::fs::write(&weights_path, weights).unwrap();
    Darknet::read(&config_path, &weights_path, None, fork)
}

/// What the layer before the head puts out for each image, through tract.
fn run(darknet: &Darknet, images: &[Map]) -> Vec<Map> {
    let network = Tract::default().open(Network::Graph(darknet.clone().into_graph())).unwrap();
    let program = network.program(images.len()).unwrap();
    let [channels, height, width] = program.outputs()[0][..] else { panic!("three sides") };
    let mut runner = program.runner().unwrap();
    let values: Vec<f32> = images.iter().flat_map(|image| image.values.clone()).collect();
    runner.fill(&mut |input| input.copy_from_slice(&values)).unwrap();
    let outputs = runner.run().unwrap();
    let values = outputs[0].chunks_exact(channels * height * width);
    values.map(|values| Map { channels, height, width, values: values.to_vec() }).collect()
}

/// Runs the layers on one image and on two at once, and compares with what is expected of each.
fn assert_layers(
    layers: &str,
    numbers: &[f32],
    (width, height): (usize, usize),
    expected: impl Fn(&Map) -> Map,
) {
    let darknet = read(&config(width, height, layers), &weights(numbers)).unwrap();
    let mut dice = Dice(7);
    let mut image = || Map { channels: 3, height, width, values: dice.list(3 * width * height) };
    let images = [image(), image()];
    for batch in [&images[..1], &images[..]] {
        for (image, found) in batch.iter().zip(run(&darknet, batch)) {
            let expected = expected(image);
            let sides = |map: &Map| (map.channels, map.height, map.width);
            assert_eq!(sides(&found), sides(&expected), "{layers}");
            for (found, expected) in found.values.iter().zip(&expected.values) {
                assert!(
                    (found - expected).abs() <= 1e-4 * (1.0 + expected.abs()),
                    "{found} instead of {expected} in\n{layers}"
                );
            }
        }
    }
}
