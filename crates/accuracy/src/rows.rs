//! The lines of a detections file as JSON.

use crate::{Answer, DetectionsError, Header, ImageRecord, ModelEntry};
use frame::{BoundingBox, Detection, ImageSize};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// What is wrong with a line; the caller knows which.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    #[error("{0}")]
    Json(String),
    #[error("an image of {width}x{height} pixels")]
    NoPixels { width: u32, height: u32 },
    #[error("`{name}` is {value}; it must be {least} to {most}")]
    Range { name: String, value: f64, least: f64, most: f64 },
    #[error("{tier}.detections[{index}]: {source}")]
    Detection { tier: &'static str, index: usize, source: DetectionError },
}

/// What is wrong with a detection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DetectionError {
    #[error("a detection of class {class_id} where there are {classes} classes")]
    Class { class_id: u32, classes: usize },
    #[error("a detection of confidence {0}; it must be 0 to 1")]
    Confidence(f32),
    #[error("a box with a side that is no finite number")]
    NotFinite,
    #[error("a box of {width}x{height} pixels")]
    Negative { width: f32, height: f32 },
    #[error(
        "a box at {},{} of {}x{} pixels is far outside of an image of {}x{}",
        found.x, found.y, found.width, found.height, image.width, image.height
    )]
    Outside { found: BoundingBox, image: ImageSize },
}

/// What the first line calls itself.
const FORMAT: &str = "mlvi-detections";
/// Counts up whenever an older reader would misread the file.
const VERSION: u32 = 1;
/// The longest time that a model or a decoder may take for an image, a day in milliseconds.
const MAX_MS: f64 = 86_400_000.0;
/// The largest image file, in bytes.
const MAX_BYTES: u64 = 1 << 32;
/// How far a box may reach, in sides of its image: networks answer with boxes that go beyond the
/// edge, and unsure ones far beyond.
const MAX_SIDES: f64 = 1000.0;

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

/// Only what tells whether this is a file of ours, so that a file of another version is named as
/// such.
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
    let answer = |answer: &Answer| AnswerEntry {
        service_ms: answer.service_ms,
        detections: answer.detections.iter().map(row).collect(),
    };
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
    let malformed = |problem: String| DetectionsError::Line { line: 1, problem };
    let Ok(mark) = serde_json::from_str::<Mark>(line) else { return Err(DetectionsError::NotOurs) };
    if mark.format != FORMAT {
        return Err(DetectionsError::NotOurs);
    }
    if mark.version != VERSION {
        return Err(DetectionsError::Version { found: mark.version, known: VERSION });
    }
    let line: HeaderLine = serde_json::from_str(line).map_err(|error| malformed(words(&error)))?;
    let share = |name: &str, value: f32| {
        within(name, f64::from(value), 0.0..=1.0).map_err(|error| malformed(error.to_string()))
    };
    share("from_confidence", line.from_confidence)?;
    for (tier, model) in [("edge", &line.edge), ("cloud", &line.cloud)] {
        share(&format!("{tier}.confidence"), model.confidence)?;
        if let Some(weak) = model.weak {
            share(&format!("{tier}.weak"), weak)?;
        }
    }
    Ok(Header {
        classes: line.classes,
        from_confidence: line.from_confidence,
        edge: line.edge,
        cloud: line.cloud,
    })
}

/// An image with its answers.
pub(crate) fn read_image(line: &str, classes: &[String]) -> Result<ImageRecord, RowError> {
    let line: ImageLine =
        serde_json::from_str(line).map_err(|error| RowError::Json(words(&error)))?;
    if line.width == 0 || line.height == 0 {
        return Err(RowError::NoPixels { width: line.width, height: line.height });
    }
    within("bytes", line.bytes as f64, 0.0..=MAX_BYTES as f64)?;
    within("decode_ms", line.decode_ms, 0.0..=MAX_MS)?;
    let size = ImageSize { width: line.width, height: line.height };
    let answer = |tier: &'static str, entry: AnswerEntry| -> Result<Answer, RowError> {
        within(&format!("{tier}.service_ms"), entry.service_ms, 0.0..=MAX_MS)?;
        let rows = entry.detections.iter().enumerate();
        let read = rows.map(|(index, row)| {
            detection(row, classes, size).map_err(|source| RowError::Detection {
                tier,
                index,
                source,
            })
        });
        let mut detections = read.collect::<Result<Vec<_>, _>>()?;
        detections.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        Ok(Answer { service_ms: entry.service_ms, detections })
    };
    Ok(ImageRecord {
        file: line.file,
        size,
        bytes: line.bytes,
        decode_ms: line.decode_ms,
        edge: answer("edge", line.edge)?,
        cloud: answer("cloud", line.cloud)?,
    })
}

/// Sums of what is beyond these would say nothing, or be no numbers.
fn within(name: &str, value: f64, range: RangeInclusive<f64>) -> Result<(), RowError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(RowError::Range { name: name.to_owned(), value, least, most })
}

/// Without the line, which is 1 for each of these documents of one line; the column is right.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((text, _)) => format!("{text} at column {}", error.column()),
        None => text,
    }
}

fn row(found: &Detection) -> Row {
    let BoundingBox { x, y, width, height } = found.bounding_box;
    Row(found.class_id, found.confidence, x, y, width, height)
}

fn detection(row: &Row, classes: &[String], image: ImageSize) -> Result<Detection, DetectionError> {
    let Row(class_id, confidence, x, y, width, height) = *row;
    let class = classes.get(class_id as usize).cloned();
    let class = class.ok_or(DetectionError::Class { class_id, classes: classes.len() })?;
    if !(0.0..=1.0).contains(&confidence) {
        return Err(DetectionError::Confidence(confidence));
    }
    if ![x, y, width, height].into_iter().all(f32::is_finite) {
        return Err(DetectionError::NotFinite);
    }
    if width < 0.0 || height < 0.0 {
        return Err(DetectionError::Negative { width, height });
    }
    let bounding_box = BoundingBox { x, y, width, height };
    let far = |start: f32, length: f32, side: u32| {
        // in double precision: sides may be as long as single precision reaches
        let (start, length, reach) =
            (f64::from(start), f64::from(length), MAX_SIDES * f64::from(side));
        start < -reach || start + length > reach
    };
    if far(x, width, image.width) || far(y, height, image.height) {
        return Err(DetectionError::Outside { found: bounding_box, image });
    }
    Ok(Detection { class, class_id, confidence, bounding_box, zones: None })
}

fn to_json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("plain structures of text and numbers are always JSON")
}
