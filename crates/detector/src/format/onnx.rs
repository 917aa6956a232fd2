//! ONNX models: the weights file is the network, which the engine reads itself; the description
//! says how its outputs are read.

use super::{Keys, ReadNetwork};
use crate::Resize;
use crate::description::{Description, FieldError};
use crate::nms::Rule;
use crate::outputs::Outputs;
use crate::yolo::YoloHead;
use engine::{Network, OnnxFile, Shape};
use frame::ImageSize;
use serde::Deserialize;

/// What white may be in a network's input: 1 and 255 are usual, 16 bits are the most that a picture
/// has.
const MIN_SCALE: f32 = 0.001;
const MAX_SCALE: f32 = 65_535.0;

/// What a description says of an ONNX model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    input: ImageSize,
    output: Output,
    /// What white is in the network's input, if the description says so.
    input_scale: Option<f32>,
}

/// How the outputs of the network are read.
#[derive(Clone, Debug, PartialEq)]
enum Output {
    /// Raw convolution outputs `[n, anchors·(5+classes), h, w]`, one head per entry, in the order
    /// of the network's outputs.
    YoloHeads(Vec<HeadEntry>),
    /// One output `[n, 4+classes, boxes]`: centre x, y, width, height in input pixels, then a
    /// probability per class.
    Yolov8,
}

/// `[onnx]` of a description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    output: OutputKind,
    input_scale: Option<f32>,
    #[serde(default)]
    heads: Vec<HeadEntry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OutputKind {
    YoloHeads,
    Yolov8,
}

/// One head of the network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadEntry {
    /// Width and height in input pixels, per anchor.
    anchors: Vec<[f32; 2]>,
    /// Darknet's `scale_x_y`.
    #[serde(default = "one")]
    scale_x_y: f32,
}

fn one() -> f32 {
    1.0
}

impl Settings {
    pub(super) fn of(keys: &Keys<'_>) -> Result<Self, FieldError> {
        let section = keys.onnx.ok_or_else(|| FieldError::Missing {
            field: "onnx.output",
            needed: "\"yolo-heads\" or \"yolov8\"".into(),
        })?;
        let input = keys.input.ok_or_else(|| FieldError::Missing {
            field: "input",
            needed: "the format \"onnx\" needs its width and height".into(),
        })?;
        Ok(Self { input, output: section.checked()?, input_scale: section.scale()? })
    }

    pub(super) fn read(&self, description: &Description) -> ReadNetwork {
        let classes = description.names().len();
        let outputs = match &self.output {
            Output::YoloHeads(entries) => {
                let head = |entry: &HeadEntry| YoloHead {
                    anchors: entry.anchors.clone(),
                    classes,
                    scale_x_y: entry.scale_x_y,
                };
                Outputs::Heads(entries.iter().map(head).collect())
            }
            Output::Yolov8 => Outputs::Yolov8 { classes },
        };
        let ImageSize { width, height } = self.input;
        let file = OnnxFile {
            path: description.weights().path.clone(),
            input: Shape { channels: 3, height: height as usize, width: width as usize },
            input_scale: self.input_scale,
        };
        ReadNetwork {
            network: Network::Onnx(file),
            any_batch: false,
            input: self.input,
            resize: Resize::Letterbox,
            outputs,
            remarks: Vec::new(),
        }
    }

    pub(super) fn nms(&self) -> Rule {
        match self.output {
            Output::YoloHeads(_) => Rule::Objectness,
            Output::Yolov8 => Rule::Class,
        }
    }
}

impl Section {
    fn scale(&self) -> Result<Option<f32>, FieldError> {
        match self.input_scale {
            Some(scale) if !(MIN_SCALE..=MAX_SCALE).contains(&scale) => Err(FieldError::Value {
                field: "onnx.input_scale",
                value: scale.to_string(),
                allowed: format!("{MIN_SCALE} to {MAX_SCALE}, what white is in the input"),
            }),
            scale => Ok(scale),
        }
    }

    fn checked(&self) -> Result<Output, FieldError> {
        match self.output {
            OutputKind::Yolov8 if self.heads.is_empty() => Ok(Output::Yolov8),
            OutputKind::Yolov8 => {
                Err(FieldError::OnlyFor { field: "onnx.heads", of: "output \"yolo-heads\"".into() })
            }
            OutputKind::YoloHeads if self.heads.is_empty() => Err(FieldError::Missing {
                field: "onnx.heads",
                needed: "the output \"yolo-heads\" needs the anchors of each head".into(),
            }),
            OutputKind::YoloHeads => {
                self.heads.iter().try_for_each(HeadEntry::check)?;
                Ok(Output::YoloHeads(self.heads.clone()))
            }
        }
    }
}

impl HeadEntry {
    fn check(&self) -> Result<(), FieldError> {
        let positive = |value: f32| value.is_finite() && value > 0.0;
        if self.anchors.is_empty() || !self.anchors.iter().flatten().all(|side| positive(*side)) {
            return Err(FieldError::Malformed {
                field: "onnx.heads.anchors",
                allowed: "[width, height] pairs in input pixels, above 0",
            });
        }
        if !positive(self.scale_x_y) {
            return Err(FieldError::Value {
                field: "onnx.heads.scale_x_y",
                value: self.scale_x_y.to_string(),
                allowed: "a number above 0".into(),
            });
        }
        Ok(())
    }
}
