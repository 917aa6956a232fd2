//! A description as it stands in its file.

use super::weights::Weights;
use super::{FieldError, Fork, MAX_INPUT_SIDE, Precision, Resize};
use crate::format::{Format, FormatName, Keys, OnnxSection};
use crate::nms::Rule;
use frame::ImageSize;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: String,
    format: FormatName,
    config: Option<PathBuf>,
    darknet: Option<Fork>,
    pub(super) resize: Option<Resize>,
    #[serde(default)]
    pub(super) precision: Precision,
    pub(super) calibration: Option<PathBuf>,
    pub(super) names: PathBuf,
    input: Option<Input>,
    #[serde(default)]
    pub(super) thresholds: Thresholds,
    pub(super) weights: Weights,
    onnx: Option<OnnxSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    width: u32,
    height: u32,
}

/// What counts as a detection.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thresholds {
    /// The least confidence, 0 to 1, exclusive.
    #[serde(default = "default_confidence")]
    pub(crate) confidence: f32,
    /// From which confidence on what is no detection is told all the same, exclusive; below
    /// `confidence`.
    pub(crate) weak: Option<f32>,
    /// The largest overlap (intersection over union) of two boxes of a class, 0 to 1.
    #[serde(default = "default_nms_iou")]
    pub(crate) nms_iou: f32,
    /// Which boxes compete; what fits the output's kind when it is not said.
    pub(crate) nms: Option<Rule>,
}

/// From which confidence on YOLO shows objects by default (<https://pjreddie.com/darknet/yolo/>).
fn default_confidence() -> f32 {
    0.25
}

/// What Darknet's detector takes.
fn default_nms_iou() -> f32 {
    0.45
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { confidence: default_confidence(), weak: None, nms_iou: default_nms_iou(), nms: None }
    }
}

impl File {
    /// Input size in pixels, if it is said.
    pub(super) fn input(&self) -> Option<ImageSize> {
        self.input.as_ref().map(|input| ImageSize { width: input.width, height: input.height })
    }

    /// The format, with the keys that only it has.
    pub(super) fn format(&self, dir: &Path) -> Result<Format, FieldError> {
        self.format.with(&Keys {
            dir,
            input: self.input(),
            config: self.config.as_deref(),
            darknet: self.darknet,
            onnx: self.onnx.as_ref(),
            data: self.weights.has_data(),
        })
    }

    /// Whether the file has the name of its model, `name`, and its numbers are in their ranges.
    pub(super) fn check(&self, name: &str) -> Result<(), FieldError> {
        if self.name != name {
            return Err(FieldError::Value {
                field: "name",
                value: format!("'{}'", self.name),
                allowed: format!("the file's own name, '{name}'"),
            });
        }
        for (field, value) in self
            .input
            .iter()
            .flat_map(|input| [("input.width", input.width), ("input.height", input.height)])
        {
            if !(1..=MAX_INPUT_SIDE).contains(&value) {
                let allowed = format!("1 to {MAX_INPUT_SIDE} pixels");
                return Err(FieldError::Value { field, value: value.to_string(), allowed });
            }
        }
        self.thresholds.check()
    }
}

impl Thresholds {
    fn check(&self) -> Result<(), FieldError> {
        let Self { confidence, weak, nms_iou, nms: _ } = *self;
        for (field, value) in
            [("thresholds.confidence", confidence), ("thresholds.nms_iou", nms_iou)]
        {
            if !(0.0..=1.0).contains(&value) {
                let allowed = "0 to 1".into();
                return Err(FieldError::Value { field, value: value.to_string(), allowed });
            }
        }
        match weak {
            Some(weak) if !(0.0..confidence).contains(&weak) => Err(FieldError::Value {
                field: "thresholds.weak",
                value: weak.to_string(),
                allowed: format!("0 or more and below `thresholds.confidence`, {confidence}"),
            }),
            Some(_) | None => Ok(()),
        }
    }
}
