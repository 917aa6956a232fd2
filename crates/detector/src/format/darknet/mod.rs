//! Darknet models: a `.cfg` that says what the network is, and a `.weights` file of bare numbers.

mod activation;
mod fork;
mod graph;
mod keys;
mod layers;
mod network;
mod section;
mod syntax;
mod weights;

use super::{Keys, ReadNetwork};
use crate::description::{Description, FieldError};
use crate::outputs::Outputs;
use crate::yolo::YoloHead;
use crate::{Fork, ModelError, Resize};
use engine::Graph;
use frame::ImageSize;
use std::path::{Path, PathBuf};

/// What a description says of a Darknet model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The network; the weights file holds numbers only.
    config: PathBuf,
    /// Whose Darknet it is for, if the description says so.
    pub(crate) fork: Option<Fork>,
}

impl Settings {
    pub(super) fn of(keys: &Keys<'_>) -> Result<Self, FieldError> {
        let config = keys.config.ok_or_else(|| FieldError::Missing {
            field: "config",
            needed: "the format \"darknet\" needs the path of a .cfg".into(),
        })?;
        Ok(Self { config: keys.dir.join(config), fork: keys.darknet })
    }

    pub(super) fn read(&self, description: &Description) -> Result<ReadNetwork, ModelError> {
        let weights = &description.weights().path;
        let darknet = Darknet::read(&self.config, weights, description.input(), self.fork)?;
        Ok(ReadNetwork {
            input: darknet.input(),
            resize: darknet.resize(),
            outputs: Outputs::Heads(darknet.heads()),
            remarks: darknet.remarks(&self.config),
            network: engine::Network::Graph(darknet.into_graph()),
            any_batch: true,
        })
    }
}

/// A Darknet model in memory.
#[derive(Clone)]
pub(crate) struct Darknet {
    network: network::Network,
    weights: Vec<weights::Folded>,
    fork: Fork,
    /// Whether the description names the fork, or the `.cfg` tells it.
    named: bool,
}

impl Darknet {
    /// Reads both files; `input` overrides the size that the `.cfg` names, `fork` what the `.cfg`
    /// tells of the Darknet that it is for.
    fn read(
        config: &Path,
        weights: &Path,
        input: Option<ImageSize>,
        fork: Option<Fork>,
    ) -> Result<Self, ModelError> {
        // Darknet ignores the encoding; comments may be in any
        let text = text::read_or_latin1(config)
            .map_err(|source| ModelError::Unreadable { path: config.into(), source })?;
        let network = network::Network::parse(&text, input).map_err(|wrong| {
            ModelError::Config { path: config.into(), line: wrong.line, problem: wrong.text }
        })?;
        let told = if network.mark.is_some() { Fork::Alexeyab } else { Fork::Pjreddie };
        let named = fork.is_some();
        let fork = fork.unwrap_or(told);
        let weights = weights::read(weights, &network, fork)?;
        Ok(Self { network, weights, fork, named })
    }

    /// How its Darknet brings a picture to the network's size.
    fn resize(&self) -> Resize {
        match self.fork {
            Fork::Alexeyab if !self.network.letter_box => Resize::Stretch,
            Fork::Alexeyab | Fork::Pjreddie => Resize::Letterbox,
        }
    }

    /// What was assumed, and what was passed over, a sentence each.
    fn remarks(&self, config: &Path) -> Vec<String> {
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
            .map(|warning| format!("{file}:{}: {}", warning.line, warning.text));
        std::iter::once(assumed).chain(passed_over).collect()
    }

    /// What the network takes in, pixels.
    fn input(&self) -> ImageSize {
        // the .cfg reader bounds both sides far below 2³²
        ImageSize {
            width: self.network.input.width as u32,
            height: self.network.input.height as u32,
        }
    }

    /// How each output is read.
    fn heads(&self) -> Vec<YoloHead> {
        self.network.heads().cloned().collect()
    }

    /// What an engine is given.
    fn into_graph(self) -> Graph {
        graph::build(self.network, self.weights)
    }
}

#[cfg(test)]
mod tests;
