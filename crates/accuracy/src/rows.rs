//! How the lines of a detections file look as JSON.

use crate::{Answer, DetectionsError, Header, ImageRecord, ModelEntry};
use frame::{BoundingBox, Detection, ImageSize};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

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
const MOST_SIDES: f64 = 1000.0;

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
    let share =
        |name: &str, value: f32| within(name, f64::from(value), 0.0..=1.0).map_err(malformed);
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

/// What is wrong with it in words.
pub(crate) fn read_image(line: &str, classes: &[String]) -> Result<ImageRecord, String> {
    let line: ImageLine = serde_json::from_str(line).map_err(|error| words(&error))?;
    if line.width == 0 || line.height == 0 {
        return Err(format!("an image of {}x{} pixels", line.width, line.height));
    }
    if line.bytes > MAX_BYTES {
        return Err(format!("`bytes` is {}; it must be 0 to {MAX_BYTES}", line.bytes));
    }
    within("decode_ms", line.decode_ms, 0.0..=MAX_MS)?;
    let size = ImageSize { width: line.width, height: line.height };
    let answer = |tier: &str, entry: AnswerEntry| -> Result<Answer, String> {
        within(&format!("{tier}.service_ms"), entry.service_ms, 0.0..=MAX_MS)?;
        let rows = entry.detections.iter().enumerate();
        let read = rows.map(|(index, row)| {
            detection(row, classes, size)
                .map_err(|problem| format!("{tier}.detections[{index}]: {problem}"))
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
fn within(name: &str, value: f64, range: RangeInclusive<f64>) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(format!("`{name}` is {value}; it must be {} to {}", range.start(), range.end()))
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

fn detection(row: &Row, classes: &[String], image: ImageSize) -> Result<Detection, String> {
    let Row(class_id, confidence, x, y, width, height) = *row;
    let class = classes.get(class_id as usize).cloned();
    let class = class.ok_or_else(|| {
        format!("a detection of class {class_id} where there are {} classes", classes.len())
    })?;
    if !(0.0..=1.0).contains(&confidence) {
        return Err(format!("a detection of confidence {confidence}; it must be 0 to 1"));
    }
    if ![x, y, width, height].into_iter().all(f32::is_finite) {
        return Err("a box with a side that is no finite number".into());
    }
    if width < 0.0 || height < 0.0 {
        return Err(format!("a box of {width}x{height} pixels"));
    }
    let far = |start: f32, length: f32, side: u32| {
        // in double precision: sides may be as long as single precision reaches
        let (start, length, reach) =
            (f64::from(start), f64::from(length), MOST_SIDES * f64::from(side));
        start < -reach || start + length > reach
    };
    if far(x, width, image.width) || far(y, height, image.height) {
        let ImageSize { width: wide, height: high } = image;
        return Err(format!(
            "a box at {x},{y} of {width}x{height} pixels is far outside of an image of {wide}x{high}"
        ));
    }
    Ok(Detection { class, class_id, confidence, bounding_box: BoundingBox { x, y, width, height } })
}

fn to_json(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("plain structures of text and numbers are always JSON")
}
