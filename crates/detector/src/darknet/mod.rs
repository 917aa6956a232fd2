//! Darknet models: a `.cfg` that says what the network is, and a `.weights` file of bare numbers.

mod activation;
mod graph;
mod layers;
mod syntax;
mod weights;
mod without_effect;

use crate::ModelError;
use crate::yolo::YoloHead;
use frame::ImageSize;
use std::path::Path;
use tract_onnx::prelude::{TractResult, TypedModel};

/// A Darknet model in memory, from which tract models of any batch size are built.
pub(crate) struct Darknet {
    network: layers::Network,
    weights: Vec<weights::Folded>,
}

impl Darknet {
    /// Reads both files; `input` overrides the size that the `.cfg` names.
    pub(crate) fn read(config: &Path, weights: &Path, input: Option<ImageSize>) -> Result<Self, ModelError> {
        let text = std::fs::read_to_string(config).map_err(|source| ModelError::Unreadable { path: config.into(), source })?;
        let network = layers::Network::parse(&text, input).map_err(|problem| ModelError::Config {
            path: config.into(),
            line: problem.line,
            problem: problem.text,
        })?;
        let weights = weights::read(weights, &network)?;
        Ok(Self { network, weights })
    }

    /// What the network takes in, pixels.
    pub(crate) fn input(&self) -> ImageSize {
        // the .cfg reader bounds both sides far below 2³²
        ImageSize { width: self.network.input.width as u32, height: self.network.input.height as u32 }
    }

    /// How each output is read.
    pub(crate) fn heads(&self) -> Vec<YoloHead> {
        self.network.heads().cloned().collect()
    }

    /// The model for `batch` images at once.
    pub(crate) fn model(&self, batch: usize) -> TractResult<TypedModel> {
        graph::build(&self.network, &self.weights, batch)
    }
}

#[cfg(test)]
mod tests;
