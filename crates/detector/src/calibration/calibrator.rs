//! Watching a network on photos.

use super::equalize;
use super::file::{Calibration, Layer};
use super::histogram::Histogram;
use crate::letterbox::Letterboxer;
use crate::{Description, DetectError, ModelError, checksum};
use engine::{Engine, EngineError, Network, Range, Runner, Shape, Value};
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
    layers: Vec<Seen>,
}

/// What a layer has put out.
struct Seen {
    name: String,
    values: Histogram,
    /// Of each channel, where channels can be divided; empty elsewhere, and before the first photo.
    channels: Vec<Range>,
    divisible: bool,
    shape: Shape,
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
        let divisible = equalize::divisible(&graph);
        graph.outputs = (0..graph.nodes.len()).map(Value::Node).collect();
        let layers = graph.nodes.iter().zip(divisible).map(|(node, divisible)| Seen {
            name: node.name.clone(),
            values: Histogram::new(),
            channels: Vec::new(),
            divisible,
            shape: node.shape,
        });
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
        for (seen, values) in self.layers.iter_mut().zip(self.runner.run()?) {
            seen.add(values);
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
        let layer = |seen: &Seen| {
            // each channel gets the whole range, so that what lies outside is rare in none
            let range = if seen.divisible { seen.values.extremes() } else { range(&seen.values) };
            let shares = equalize::shares(range, &seen.channels);
            Layer { name: seen.name.clone(), range, shares }
        };
        let layers = self.layers.iter().map(layer).collect();
        Calibration { weights: self.weights.clone(), photos: self.photos, layers }
    }
}

impl Seen {
    /// Counts an image's values, channel by channel.
    fn add(&mut self, values: &[f32]) {
        self.values.add(values);
        if !self.divisible {
            return;
        }
        self.channels.resize(self.shape.channels, Range::ZERO);
        let planes = values.chunks_exact(self.shape.height * self.shape.width);
        for (channel, plane) in self.channels.iter_mut().zip(planes) {
            for value in plane.iter().copied().filter(|value| value.is_finite()) {
                *channel = channel.with(Range { low: value, high: value });
            }
        }
    }
}
