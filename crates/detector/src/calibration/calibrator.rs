//! Watching a network on photos.

use super::Calibration;
use super::histogram::Histogram;
use crate::letterbox::Letterboxer;
use crate::{Description, DetectError, ModelError, checksum};
use engine::{Engine, EngineError, Network, Range, Runner, Value};
use engine_tract::Tract;
use frame::{ImageSize, RgbImage};

/// How a layer's range follows from its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RangeRule {
    /// From the least to the largest value.
    Extremes,
    /// Without the outermost values on each side that leave this share of all, 0 to 1.
    Percentile(f64),
    /// What leaves the least mean square error in 255 steps.
    LeastError,
}

/// Runs a network in float32 and keeps how often each layer puts out which values.
pub struct Calibrator {
    weights: String,
    input: ImageSize,
    letterboxer: Letterboxer,
    runner: Box<dyn Runner>,
    photos: usize,
    layers: Vec<(String, Histogram)>,
}

impl Calibrator {
    /// Loads a model with every layer as an output.
    ///
    /// # Errors
    /// When the model cannot be loaded, or its format has the engine read the network.
    pub fn new(description: &Description) -> Result<Self, ModelError> {
        let weights = checksum::verify(description)?;
        let read = description.format().read(description)?;
        let refused = |error: EngineError| ModelError::network(description, error);
        let Network::Graph(mut graph) = read.network else {
            return Err(ModelError::network(description, "int8 is only for Darknet models"));
        };
        graph.outputs = (0..graph.nodes.len()).map(Value::Node).collect();
        let layers = graph.nodes.iter().map(|node| (node.name.clone(), Histogram::new()));
        let layers = layers.collect();
        let opened = Tract::default().open(Network::Graph(graph)).map_err(refused)?;
        let runner = opened.program(1).and_then(|program| program.runner()).map_err(refused)?;
        let resize = description.resize().unwrap_or(read.resize);
        Ok(Self {
            weights,
            input: read.input,
            letterboxer: Letterboxer::new(resize),
            runner,
            photos: 0,
            layers,
        })
    }

    /// Runs the network on a photo.
    ///
    /// # Errors
    /// When the network fails.
    pub fn observe(&mut self, photo: &RgbImage) -> Result<(), DetectError> {
        let (letterboxer, input) = (&mut self.letterboxer, self.input);
        self.runner.fill(&mut |values| {
            letterboxer.fill(photo, input, values);
        })?;
        for ((_, histogram), values) in self.layers.iter_mut().zip(self.runner.run()?) {
            histogram.add(values);
        }
        self.photos += 1;
        Ok(())
    }

    /// What was seen.
    #[must_use]
    pub fn calibration(&self, rule: RangeRule) -> Calibration {
        let range = |histogram: &Histogram| -> Range {
            match rule {
                RangeRule::Extremes => histogram.extremes(),
                RangeRule::Percentile(share) => histogram.percentile(share),
                RangeRule::LeastError => histogram.least_error(),
            }
        };
        let layers = self.layers.iter().map(|(name, seen)| (name.clone(), range(seen))).collect();
        Calibration { weights: self.weights.clone(), photos: self.photos, layers }
    }
}
