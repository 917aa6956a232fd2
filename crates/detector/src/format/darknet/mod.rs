//! Darknet models: a `.cfg` that says what the network is, and a `.weights` file of bare numbers.

mod activation;
mod fork;
mod graph;
mod layers;
mod syntax;
mod weights;
mod without_effect;

use crate::yolo::YoloHead;
use crate::{Fork, ModelError, Resize};
use frame::ImageSize;
use std::path::Path;
use tract_onnx::prelude::{TractResult, TypedModel};

/// A Darknet model in memory, from which tract models of any batch size are built.
pub(crate) struct Darknet {
    network: layers::Network,
    weights: Vec<weights::Folded>,
    fork: Fork,
    /// Whether the description names the fork, or the `.cfg` tells it.
    named: bool,
}

impl Darknet {
    /// Reads both files; `input` overrides the size that the `.cfg` names, `fork` what the `.cfg`
    /// tells of the Darknet that it is for.
    pub(crate) fn read(
        config: &Path,
        weights: &Path,
        input: Option<ImageSize>,
        fork: Option<Fork>,
    ) -> Result<Self, ModelError> {
        // Darknet never looked at the encoding, and comments are in anybody's
        let text = text::read_or_latin1(config)
            .map_err(|source| ModelError::Unreadable { path: config.into(), source })?;
        let network = layers::Network::parse(&text, input).map_err(|problem| {
            ModelError::Config { path: config.into(), line: problem.line, problem: problem.text }
        })?;
        let told = if network.mark.is_some() { Fork::Alexeyab } else { Fork::Pjreddie };
        let named = fork.is_some();
        let fork = fork.unwrap_or(told);
        let weights = weights::read(weights, &network, fork)?;
        Ok(Self { network, weights, fork, named })
    }

    /// How its Darknet brings a picture to the network's size.
    pub(crate) fn resize(&self) -> Resize {
        match self.fork {
            Fork::Alexeyab if !self.network.letter_box => Resize::Stretch,
            Fork::Alexeyab | Fork::Pjreddie => Resize::Letterbox,
        }
    }

    /// What was assumed, and what was passed over, a sentence each.
    pub(crate) fn remarks(&self, config: &Path) -> Vec<String> {
        let fork = self.fork.word();
        let why = match (&self.network.mark, self.named) {
            (_, true) => "as the description says".to_owned(),
            (Some(mark), false) => {
                format!("which alone knows {} in line {} of the .cfg", mark.what, mark.line)
            }
            (None, false) => "since nothing in the .cfg is AlexeyAB's alone".to_owned(),
        };
        let formula = match self.fork {
            Fork::Pjreddie => "scale / (√variance + 1e-6)",
            Fork::Alexeyab => "scale / √(variance + 1e-5)",
        };
        let advice =
            if self.named { "" } else { "; `darknet = \"…\"` in the description overrides it" };
        let assumed = format!(
            "read as {fork}'s Darknet does, {why}: batch normalisation is {formula}{advice}"
        );
        let file = config.display();
        let passed_over = self
            .network
            .warnings
            .iter()
            .map(|problem| format!("{file}:{}: {}", problem.line, problem.text));
        std::iter::once(assumed).chain(passed_over).collect()
    }

    /// What the network takes in, pixels.
    pub(crate) fn input(&self) -> ImageSize {
        // the .cfg reader bounds both sides far below 2³²
        ImageSize {
            width: self.network.input.width as u32,
            height: self.network.input.height as u32,
        }
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
