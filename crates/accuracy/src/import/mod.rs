//! Other people's detections: one model's, in a file of theirs, become an answer in a detections
//! file.

mod coco_results;
mod rohe;

pub use coco_results::{CocoIndex, coco_results};
pub use rohe::rohe;

use crate::{Answer, DetectionsFile, Header, ImageRecord, ModelEntry};
use frame::{Detection, ImageSize, ModelInfo};
use std::collections::{BTreeMap, BTreeSet};

/// What one model found, by the images' names.
pub type Found = BTreeMap<String, ImportedAnswer>;

/// What one model found in an image.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ImportedAnswer {
    /// Its boxes.
    pub boxes: Vec<ImportedBox>,
    /// How long it took, in milliseconds; 0 where that is not told.
    pub service_ms: f64,
}

/// A box.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ImportedBox {
    /// The class by its index.
    pub class_id: u32,
    /// From 0 to 1.
    pub confidence: f32,
    /// Left, top, width and height, in pixels, or in shares of the image where its size is not
    /// known.
    pub sides: [f32; 4],
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// A column is missing in the first line.
    #[error("line 1: there is no column `{0}`")]
    Column(&'static str),
    /// A value is none of its kind.
    #[error("line {line}: `{field}`: '{value}' is not {allowed}")]
    Value {
        /// Counted from 1.
        line: usize,
        /// The column's or field's name.
        field: &'static str,
        /// What is there.
        value: String,
        /// What may be there.
        allowed: &'static str,
    },
    /// A line has more or fewer values than there are columns.
    #[error("line {line}: {found} values where there are {wanted} columns")]
    Values {
        /// Counted from 1.
        line: usize,
        /// How many are there.
        found: usize,
        /// How many columns there are.
        wanted: usize,
    },
    /// It is not JSON of this form; the text names line, column and field.
    #[error("{0}")]
    Json(String),
    /// An entry has a value that cannot be.
    #[error("entry {entry}, `{field}`: {value} is not {allowed}")]
    Entry {
        /// Counted from 1.
        entry: usize,
        /// The field's name.
        field: &'static str,
        /// What is there.
        value: String,
        /// What may be there.
        allowed: &'static str,
    },
}

/// What is said of a model whose detections are imported.
#[derive(Clone, PartialEq, Debug)]
pub struct ImportedModel {
    /// What it is called.
    pub name: String,
    /// Above this confidence a box is a detection.
    pub confidence: f32,
    /// Above this one a weak one; `None`: it tells none.
    pub weak: Option<f32>,
}

/// Both models' detections as a detections file: of each image that either found something in, or
/// that `sizes` names. An image without a size is as large as boxes reach in it, or, where these are
/// in shares, a square of 1000 pixels.
#[must_use]
pub fn together(
    [edge, cloud]: [(ImportedModel, Found); 2],
    classes: Vec<String>,
    sizes: Option<&BTreeMap<String, ImageSize>>,
    in_shares: bool,
) -> DetectionsFile {
    let names: BTreeSet<&String> = edge
        .1
        .keys()
        .chain(cloud.1.keys())
        .chain(sizes.into_iter().flat_map(|of| of.keys()))
        .collect();
    let none = ImportedAnswer::default();
    let image = |name: &&String| {
        let [edge, cloud] = [&edge.1, &cloud.1].map(|found| found.get(*name).unwrap_or(&none));
        let known = sizes.and_then(|sizes| sizes.get(*name)).copied();
        let size = match (known, in_shares) {
            (Some(size), _) => size,
            (None, true) => ImageSize { width: NOMINAL, height: NOMINAL },
            (None, false) => reach(edge.boxes.iter().chain(&cloud.boxes)),
        };
        let answer = |of: &ImportedAnswer| answer(of, size, in_shares, &classes);
        ImageRecord {
            file: (*name).clone(),
            size,
            bytes: 0,
            decode_ms: 0.0,
            edge: answer(edge),
            cloud: answer(cloud),
        }
    };
    let images = names.iter().map(image).collect();
    let [edge, cloud] = [edge.0, cloud.0].map(entry);
    DetectionsFile { header: Header { classes, from_confidence: 0.0, edge, cloud }, images }
}

/// The side of an image whose size is not known, in pixels.
const NOMINAL: u32 = 1000;

fn entry(model: ImportedModel) -> ModelEntry {
    let ImportedModel { name, confidence, weak } = model;
    let info =
        ModelInfo { name, version: "imported".into(), input: "unknown".into(), resize: None };
    ModelEntry { info, confidence, weak, nms: "unknown".into() }
}

fn reach<'a>(boxes: impl Iterator<Item = &'a ImportedBox>) -> ImageSize {
    let (mut width, mut height) = (1.0f32, 1.0f32);
    for ImportedBox { sides: [x, y, w, h], .. } in boxes {
        width = width.max(x + w);
        height = height.max(y + h);
    }
    ImageSize { width: width.ceil() as u32, height: height.ceil() as u32 }
}

fn answer(of: &ImportedAnswer, size: ImageSize, in_shares: bool, classes: &[String]) -> Answer {
    let scale = if in_shares { [size.width as f32, size.height as f32] } else { [1.0, 1.0] };
    let detection = |found: &ImportedBox| {
        let [x, y, width, height] = found.sides;
        Detection {
            class: classes.get(found.class_id as usize).cloned().unwrap_or_default(),
            class_id: found.class_id,
            confidence: found.confidence,
            bounding_box: frame::BoundingBox { x, y, width, height }.scaled(scale[0], scale[1]),
            zones: None,
        }
    };
    let mut detections: Vec<Detection> = of.boxes.iter().map(detection).collect();
    detections.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    Answer { service_ms: of.service_ms, detections }
}

/// How many classes a file can have; an index beyond it is no class.
pub(crate) const MAX_CLASSES: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> ImportedModel {
        ImportedModel { name: name.into(), confidence: 0.4, weak: Some(0.0) }
    }

    fn found(name: &str, confidence: f32, sides: [f32; 4]) -> (String, ImportedAnswer) {
        let boxes = vec![ImportedBox { class_id: 0, confidence, sides }];
        (name.into(), ImportedAnswer { boxes, service_ms: 2.0 })
    }

    #[test]
    fn an_image_that_one_model_saw_nothing_in_is_there_with_no_detections() {
        let edge = Found::from([found("a", 0.3, [0.25, 0.5, 0.5, 0.25])]);
        let cloud = Found::from([found("b", 0.9, [0.0, 0.0, 1.0, 1.0])]);
        let both = [(model("small"), edge), (model("large"), cloud)];
        let file = together(both, vec!["cup".into()], None, true);
        let counts: Vec<_> = (file.images.iter())
            .map(|image| {
                (image.file.as_str(), image.edge.detections.len(), image.cloud.detections.len())
            })
            .collect();
        assert_eq!(counts, [("a", 1, 0), ("b", 0, 1)]);
        let found = &file.images[0].edge.detections[0];
        let frame::BoundingBox { x, y, width, height } = found.bounding_box;
        assert_eq!(
            ([x, y, width, height], found.class.as_str()),
            ([250., 500., 500., 250.], "cup")
        );
        let weak = file.images[0].edge.thresholded(&file.header.edge).weak;
        assert_eq!(weak.len(), 1, "what is below the threshold is a weak detection");
        // it can be written and read like any other
        let mut text = Vec::new();
        file.write(&mut text).unwrap();
        assert_eq!(DetectionsFile::read(text.as_slice()).unwrap(), file);
    }

    #[test]
    fn images_are_as_large_as_they_are_said_to_be_or_as_boxes_reach() {
        let edge = Found::from([found("a", 0.5, [10.0, 20.0, 30.5, 5.0])]);
        let sizes = BTreeMap::from([("b".to_owned(), ImageSize { width: 64, height: 48 })]);
        let both = [(model("small"), edge), (model("large"), Found::new())];
        let file = together(both, vec!["cup".into()], Some(&sizes), false);
        assert_eq!(file.images[0].size, ImageSize { width: 41, height: 25 });
        assert_eq!(file.images[1].size, ImageSize { width: 64, height: 48 });
        assert!(file.images[1].edge.detections.is_empty());
    }
}
