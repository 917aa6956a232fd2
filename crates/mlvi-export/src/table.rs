//! The two tables, column by column.

use crate::column::{Cell, Column, Kind, Row};
use frame::{Decision, FrameResult, TimingsMs};
use std::fmt;

/// What is a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum TableKind {
    /// A detection
    Detections,
    /// A frame
    Frames,
}

impl fmt::Display for TableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Detections => "detections",
            Self::Frames => "frames",
        })
    }
}

impl TableKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Detections, Self::Frames];

    /// In a line.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Detections => "a row for each detection; frames without any have none",
            Self::Frames => "a row for each frame",
        }
    }

    /// Its columns, from left to right.
    pub fn columns(self) -> impl Iterator<Item = &'static Column> {
        let rest = match self {
            Self::Detections => DETECTIONS,
            Self::Frames => FRAMES,
        };
        BOTH.iter().chain(rest)
    }

    /// The rows that a result has.
    pub(crate) fn rows(self, result: &FrameResult) -> Vec<Row<'_>> {
        match self {
            Self::Frames => vec![Row { result, found: None }],
            Self::Detections => {
                let found = result.detections.iter().enumerate();
                found.map(|found| Row { result, found: Some(found) }).collect()
            }
        }
    }
}

macro_rules! columns {
    ($($name:literal $kind:ident $about:literal $read:expr,)*) => {
        &[$(Column { name: $name, kind: Kind::$kind, about: $about, read: $read },)*]
    };
}

const BOTH: &[Column] = columns! {
    "frame_id" Text "the frame, a UUIDv7" |row| Cell::Text(row.result.frame_id.to_string()),
    "received_at" Time "when it was received; exact to the millisecond" |row| {
        let ms = row.result.frame_id.made_at_ms().and_then(|ms| i64::try_from(ms).ok());
        ms.and_then(|ms| ms.checked_mul(1_000)).map_or(Cell::Nothing, Cell::Time)
    },
    "camera" Text "of which camera; unnamed is any without a name"
        |row| Cell::Text(row.result.camera.to_string()),
    "sequence" Integer "its number at the camera" |row| whole(row.result.sequence),
    "status" Text "done, failed, expired, skipped, or provisional: the cloud's answer was to come"
        |row| Some(row.result.status.as_str()).into(),
    "destination" Text "edge or cloud; none without a decision"
        |row| decided(row, |decision| Some(decision.destination.as_str())),
    "reason" Text "why it was sent there" |row| decided(row, |decision| Some(&decision.reason)),
    "policy" Text "who decided" |row| decided(row, |decision| Some(&decision.policy)),
    "model" Text "which model ran"
        |row| row.result.model.as_ref().map(|model| &*model.name).into(),
    "end_to_end_ms" Real "from receipt to the result, milliseconds"
        |row| timing(row, |timings| timings.end_to_end),
};

const DETECTIONS: &[Column] = columns! {
    "ordinal" Integer "its place among the frame's; the surest is 0"
        |row| row.found.map_or(Cell::Nothing, |(ordinal, _)| whole(ordinal as u64)),
    "class" Text "what was found, by name" |row| row.found.map(|(_, found)| &*found.class).into(),
    "class_id" Integer "its index in the model's list of names"
        |row| row.found.map(|(_, found)| found.class_id).into(),
    "confidence" Single "objectness x class probability, 0 to 1"
        |row| single(row.found.map(|(_, found)| found.confidence)),
    "x" Single "left edge, pixels of the upright picture"
        |row| single(row.found.map(|(_, found)| found.bounding_box.x)),
    "y" Single "top edge, pixels" |row| single(row.found.map(|(_, found)| found.bounding_box.y)),
    "width" Single "pixels" |row| single(row.found.map(|(_, found)| found.bounding_box.width)),
    "height" Single "pixels" |row| single(row.found.map(|(_, found)| found.bounding_box.height)),
    "zones" Text "the names of the zones that it is in, with a semicolon between them; none where \
                  its camera has no zones" |row| {
        let zones = row.found.and_then(|(_, found)| found.zones.as_ref());
        zones.map_or(Cell::Nothing, |zones| Cell::Text(zones.join(";")))
    },
};

const FRAMES: &[Column] = columns! {
    "detections" Integer "how many were found" |row| whole(row.result.detections.len() as u64),
    "image_width" Integer "pixels of the upright picture"
        |row| row.result.image.map(|image| image.width).into(),
    "image_height" Integer "pixels" |row| row.result.image.map(|image| image.height).into(),
    "contract" Text "the contract of its camera" |row| decided(row, |by| by.contract.as_deref()),
    "predicted_edge_ms" Real "in how many milliseconds the edge was expected to answer"
        |row| number(row, |result| result.decision.as_ref()?.predicted_ms.edge),
    "predicted_cloud_ms" Real "and the cloud, the way there and back included"
        |row| number(row, |result| result.decision.as_ref()?.predicted_ms.cloud),
    "took_ms" Real "from the decision to the result"
        |row| number(row, |result| result.decision.as_ref()?.took_ms),
    "attempt" Integer "which sending to a tier the result comes from" |row| row.result.attempt.into(),
    "hardness" Real "how hard it was for the edge, by the measure of the cascade"
        |row| number(row, |result| result.hardness.as_ref()?.score),
    "model_version" Text "the first 12 digits of the weights' sha256"
        |row| row.result.model.as_ref().map(|model| &*model.version).into(),
    "model_input" Text "width x height of the model's input, pixels"
        |row| row.result.model.as_ref().map(|model| &*model.input).into(),
    "unit" Text "which unit gave the result" |row| Some(&*row.result.served_by.unit).into(),
    "pod" Text "in which pod, or on which host" |row| row.result.served_by.pod.as_deref().into(),
    "node" Text "on which node" |row| row.result.served_by.node.as_deref().into(),
    "same_as" Text "the earlier frame that it equals, when it was skipped"
        |row| id(row.result.same_as),
    "overtaken_by" Text "the newer frame that was served in its place"
        |row| id(row.result.overtaken_by),
    "error" Text "why it failed or expired, e.g. /problems/undecodable-frame"
        |row| row.result.error.as_ref().map(|error| &*error.kind).into(),
    "error_detail" Text "what happened" |row| row.result.error.as_ref().map(|e| &*e.detail).into(),
    "upload_ms" Real "until it was handed to the producer" |row| timing(row, |of| of.upload),
    "queue_frames_ms" Real "in the frames topic" |row| timing(row, |of| of.queue_frames),
    "preprocess_ms" Real "decoding, sharpening, deciding" |row| timing(row, |of| of.preprocess),
    "queue_inference_ms" Real "in the tier's topic and the worker's queue"
        |row| timing(row, |of| of.queue_inference),
    "decode_ms" Real "decoding before the inference" |row| timing(row, |of| of.decode),
    "inference_ms" Real "letterbox and network" |row| timing(row, |of| of.inference),
    "postprocess_ms" Real "reading boxes off the heads" |row| timing(row, |of| of.postprocess),
};

fn whole(number: u64) -> Cell {
    i64::try_from(number).map_or(Cell::Nothing, Cell::Integer)
}

fn single(number: Option<f32>) -> Cell {
    number.map_or(Cell::Nothing, Cell::Single)
}

fn decided(row: Row<'_>, part: impl FnOnce(&Decision) -> Option<&str>) -> Cell {
    row.result.decision.as_ref().and_then(part).into()
}

fn number(row: Row<'_>, of: impl FnOnce(&FrameResult) -> Option<f64>) -> Cell {
    of(row.result).into()
}

fn timing(row: Row<'_>, of: impl FnOnce(&TimingsMs) -> Option<f64>) -> Cell {
    of(&row.result.timings_ms).into()
}

fn id(id: Option<frame::FrameId>) -> Cell {
    id.map_or(Cell::Nothing, |id| Cell::Text(id.to_string()))
}
