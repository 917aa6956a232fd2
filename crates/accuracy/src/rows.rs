//! How the lines of a detections file look as JSON.

use crate::{Answer, DetectionsError, Header, ImageRecord, ModelEntry};
use frame::{BoundingBox, Detection, ImageSize};
use serde::{Deserialize, Serialize};

/// What the first line calls itself.
const FORMAT: &str = "mlvi-detections";
/// Counts up whenever an older reader would misread the file.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct HeaderLine {
    format: String,
    version: u32,
    classes: Vec<String>,
    from_confidence: f32,
    edge: ModelEntry,
    cloud: ModelEntry,
}

#[derive(Serialize, Deserialize)]
struct ImageLine {
    file: String,
    width: u32,
    height: u32,
    bytes: u64,
    decode_ms: f64,
    edge: AnswerEntry,
    cloud: AnswerEntry,
}

#[derive(Serialize, Deserialize)]
struct AnswerEntry {
    service_ms: f64,
    detections: Vec<Row>,
}

/// Class, confidence, left, top, width, height.
#[derive(Serialize, Deserialize, Clone, Copy)]
struct Row(u32, f32, f32, f32, f32, f32);

/// Only what tells whether this is a file of ours, so that a file of another version is named as such.
#[derive(Deserialize)]
struct Mark {
    format: String,
    version: u32,
}

pub(crate) fn header_line(header: &Header) -> String {
    let line = HeaderLine {
        format: FORMAT.into(),
        version: VERSION,
        classes: header.classes.clone(),
        from_confidence: header.from_confidence,
        edge: header.edge.clone(),
        cloud: header.cloud.clone(),
    };
    to_json(&line)
}

pub(crate) fn image_line(image: &ImageRecord) -> String {
    let answer =
        |answer: &Answer| AnswerEntry { service_ms: answer.service_ms, detections: answer.detections.iter().map(row).collect() };
    let line = ImageLine {
        file: image.file.clone(),
        width: image.size.width,
        height: image.size.height,
        bytes: image.bytes,
        decode_ms: image.decode_ms,
        edge: answer(&image.edge),
        cloud: answer(&image.cloud),
    };
    to_json(&line)
}

pub(crate) fn read_header(line: &str) -> Result<Header, DetectionsError> {
    let malformed = |error: serde_json::Error| DetectionsError::Line { line: 1, problem: error.to_string() };
    let Ok(mark) = serde_json::from_str::<Mark>(line) else { return Err(DetectionsError::NotOurs) };
    if mark.format != FORMAT {
        return Err(DetectionsError::NotOurs);
    }
    if mark.version != VERSION {
        return Err(DetectionsError::Version { found: mark.version, known: VERSION });
    }
    let line: HeaderLine = serde_json::from_str(line).map_err(malformed)?;
    Ok(Header { classes: line.classes, from_confidence: line.from_confidence, edge: line.edge, cloud: line.cloud })
}

/// What is wrong with it in words.
pub(crate) fn read_image(line: &str, classes: &[String]) -> Result<ImageRecord, String> {
    let line: ImageLine = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if line.width == 0 || line.height == 0 {
        return Err(format!("an image of {}x{} pixels", line.width, line.height));
    }
    let answer = |entry: AnswerEntry| -> Result<Answer, String> {
        if !(entry.service_ms.is_finite() && entry.service_ms >= 0.0) {
            return Err(format!("`service_ms` is {}; it must be 0 or more", entry.service_ms));
        }
        let mut detections = entry.detections.iter().map(|row| detection(row, classes)).collect::<Result<Vec<_>, _>>()?;
        detections.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        Ok(Answer { service_ms: entry.service_ms, detections })
    };
    Ok(ImageRecord {
        file: line.file,
        size: ImageSize { width: line.width, height: line.height },
        bytes: line.bytes,
        decode_ms: line.decode_ms,
        edge: answer(line.edge)?,
        cloud: answer(line.cloud)?,
    })
}

fn row(found: &Detection) -> Row {
    let BoundingBox { x, y, width, height } = found.bounding_box;
    Row(found.class_id, found.confidence, x, y, width, height)
}

fn detection(row: &Row, classes: &[String]) -> Result<Detection, String> {
    let Row(class_id, confidence, x, y, width, height) = *row;
    let class = classes.get(class_id as usize).cloned();
    let class = class.ok_or_else(|| format!("a detection of class {class_id} where there are {} classes", classes.len()))?;
    if !(0.0..=1.0).contains(&confidence) {
        return Err(format!("a detection of confidence {confidence}; it must be 0 to 1"));
    }
    if ![x, y, width, height].into_iter().all(f32::is_finite) {
        return Err("a box with a side that is no finite number".into());
    }
    Ok(Detection { class, class_id, confidence, bounding_box: BoundingBox { x, y, width, height } })
}

fn to_json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("plain structures of text and numbers are always JSON")
}
