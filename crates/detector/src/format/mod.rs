//! The formats of models: one file or folder each, and this table, which is all that the rest knows
//! of them.
//!
//! A format of its own file is added by a name, a variant, and what the compiler then asks for;
//! whatever keys it alone has in a description stand in [`Keys`].

mod darknet;
mod onnx;

use crate::description::{Description, FieldError};
use crate::nms::Rule;
use crate::outputs::Outputs;
use crate::{DataFile, Fork, ModelError, Resize};
use engine::{Engine, Network};
use frame::ImageSize;
pub(crate) use onnx::Section as OnnxSection;
use serde::Deserialize;
use std::path::Path;

/// A format, as a description names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FormatName {
    Darknet,
    Onnx,
}

/// A format, with what a description says that only it needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Format {
    Darknet(darknet::Settings),
    Onnx(onnx::Settings),
}

/// A description's keys that not every format has.
pub(crate) struct Keys<'a> {
    /// The folder that paths are relative to.
    pub(crate) dir: &'a Path,
    pub(crate) input: Option<ImageSize>,
    pub(crate) config: Option<&'a Path>,
    pub(crate) darknet: Option<Fork>,
    pub(crate) onnx: Option<&'a OnnxSection>,
    /// Whether `weights.data` is there.
    pub(crate) data: bool,
}

/// A model's files, read.
pub(crate) struct ReadNetwork {
    pub(crate) network: Network,
    /// Whether it runs for any number of images; exported networks often have a batch of one
    /// written into them, and still do their work one by one.
    pub(crate) any_batch: bool,
    /// What the network takes in, pixels.
    pub(crate) input: ImageSize,
    /// How a picture is brought to that size, unless the description says otherwise.
    pub(crate) resize: Resize,
    pub(crate) outputs: Outputs,
    /// What was assumed and what was passed over, a sentence each.
    pub(crate) remarks: Vec<String>,
}

impl FormatName {
    fn word(self) -> &'static str {
        match self {
            Self::Darknet => "darknet",
            Self::Onnx => "onnx",
        }
    }

    /// The format with its keys.
    ///
    /// # Errors
    /// When a key is missing or has a value that is not allowed, or one of another format is there.
    pub(crate) fn with(self, keys: &Keys<'_>) -> Result<Format, FieldError> {
        let foreign = keys.present().into_iter().find(|(_, owner)| *owner != self);
        if let Some((field, owner)) = foreign {
            return Err(FieldError::OnlyFor { field, of: format!("format \"{}\"", owner.word()) });
        }
        match self {
            Self::Darknet => darknet::Settings::of(keys).map(Format::Darknet),
            Self::Onnx => onnx::Settings::of(keys).map(Format::Onnx),
        }
    }
}

impl Keys<'_> {
    /// Those that are there and belong to one format.
    fn present(&self) -> Vec<(&'static str, FormatName)> {
        let Self { dir: _, input: _, config, darknet, onnx, data } = self;
        let all = [
            ("config", config.is_some(), FormatName::Darknet),
            ("darknet", darknet.is_some(), FormatName::Darknet),
            ("onnx", onnx.is_some(), FormatName::Onnx),
            ("weights.data", *data, FormatName::Onnx),
        ];
        let present = all.into_iter().filter(|(_, there, _)| *there);
        present.map(|(key, _, owner)| (key, owner)).collect()
    }
}

impl Format {
    /// Reads the model's files, as far as this is not the engine's part.
    pub(crate) fn read(&self, description: &Description) -> Result<ReadNetwork, ModelError> {
        match self {
            Self::Darknet(settings) => settings.read(description),
            Self::Onnx(settings) => Ok(settings.read(description)),
        }
    }

    /// Which boxes compete, unless the description says so.
    pub(crate) fn nms(&self) -> Rule {
        match self {
            Self::Darknet(_) => Rule::Objectness,
            Self::Onnx(settings) => settings.nms(),
        }
    }

    /// The further files that the weights are in, which the engine tells where it reads the format
    /// itself.
    pub(crate) fn data_files(
        &self,
        description: &Description,
        engine: &dyn Engine,
    ) -> Result<Vec<DataFile>, ModelError> {
        match self {
            Self::Darknet(_) => Ok(Vec::new()),
            Self::Onnx(settings) => {
                let opened = engine
                    .open(settings.read(description).network)
                    .map_err(|error| ModelError::network(description, error))?;
                described(description, opened.data_files())
            }
        }
    }

    /// Runs the model as another Darknet would; other formats have no Darknet.
    pub(crate) fn set_fork(&mut self, fork: Fork) {
        match self {
            Self::Darknet(settings) => settings.fork = Some(fork),
            Self::Onnx(_) => {}
        }
    }
}

/// The files that a network keeps numbers in, with what the description says of each.
pub(crate) fn described(
    description: &Description,
    files: &[String],
) -> Result<Vec<DataFile>, ModelError> {
    let known = &description.weights().data;
    if let Some(unused) = known.iter().find(|data| !files.contains(&data.file)) {
        return Err(ModelError::network(
            description,
            format!(
                "the description's `weights.data` lists '{}', where the network keeps nothing",
                unused.file
            ),
        ));
    }
    let file = |place: &String| {
        known.iter().find(|data| data.file == *place).cloned().unwrap_or_else(|| DataFile {
            file: place.clone(),
            size_bytes: None,
            sha256: None,
            url: None,
        })
    };
    Ok(files.iter().map(file).collect())
}
