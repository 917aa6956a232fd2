//! What an edge model and a cloud model found in the same images.

use crate::rows;
use frame::{Detection, ImageSize, ModelInfo};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{self, BufRead, Write};

/// The file's content; the crate's own documentation shows its form.
#[derive(Clone, PartialEq, Debug)]
pub struct DetectionsFile {
    /// What holds for all images.
    pub header: Header,
    /// The images, in the order of the file.
    pub images: Vec<ImageRecord>,
}

/// What holds for all images of a detections file.
#[derive(Clone, PartialEq, Debug)]
pub struct Header {
    /// The classes' names by index, the same for both models.
    pub classes: Vec<String>,
    /// Detections were written down above this confidence.
    pub from_confidence: f32,
    /// The edge's model.
    pub edge: ModelEntry,
    /// The cloud's.
    pub cloud: ModelEntry,
}

/// A model, and the thresholds that it has in the units.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ModelEntry {
    /// Which model.
    #[serde(flatten)]
    pub info: ModelInfo,
    /// Above this confidence something is a detection.
    pub confidence: f32,
    /// Above this one it is a weak detection, if the model tells them.
    pub weak: Option<f32>,
    /// Which boxes competed, `objectness` or `class`.
    pub nms: String,
}

/// An image and what was found in it.
#[derive(Clone, PartialEq, Debug)]
pub struct ImageRecord {
    /// The file's name, without a folder.
    pub file: String,
    /// Its pixels, upright.
    pub size: ImageSize,
    /// The encoded file's bytes.
    pub bytes: u64,
    /// How long decoding took, in milliseconds.
    pub decode_ms: f64,
    /// What the edge's model found.
    pub edge: Answer,
    /// What the cloud's model found.
    pub cloud: Answer,
}

/// What a model found in an image.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// Letterbox, network and boxes, in milliseconds.
    pub service_ms: f64,
    /// Everything that was written down, most confident first.
    pub detections: Vec<Detection>,
}

/// A model's answer as its unit gives it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Thresholded<'a> {
    /// What counts as found.
    pub confident: &'a [Detection],
    /// What was found with less confidence.
    pub weak: &'a [Detection],
}

/// Why a detections file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DetectionsError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is something else.
    #[error("it is no detections file (`mlvi simulate detections` makes them)")]
    NotOurs,
    /// It is of another version.
    #[error(
        "it is a detections file of version {found}, known is {known}: \
         make it anew with `mlvi simulate detections`"
    )]
    Version {
        /// The file's.
        found: u32,
        /// The one that is known here.
        known: u32,
    },
    /// A line is malformed.
    #[error("line {line}: {problem}")]
    Line {
        /// Which, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

impl DetectionsFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is none, or names the first line that is malformed.
    pub fn read(from: impl BufRead) -> Result<Self, DetectionsError> {
        let mut lines = from.lines();
        let first = lines.next().ok_or(DetectionsError::NotOurs)?;
        let first = first.map_err(|error| match error.kind() {
            // bytes that are no text
            io::ErrorKind::InvalidData => DetectionsError::NotOurs,
            _ => error.into(),
        })?;
        let header = rows::read_header(text::without_mark(&first))?;
        let mut images: Vec<ImageRecord> = Vec::new();
        let mut lines_of = HashMap::new();
        for (number, line) in (2..).zip(lines) {
            let line = line.map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => DetectionsError::Line {
                    line: number,
                    problem: "it is not text in UTF-8".into(),
                },
                _ => error.into(),
            })?;
            if !line.trim().is_empty() {
                let wrong = |problem: String| DetectionsError::Line { line: number, problem };
                let image = rows::read_image(&line, &header.classes)
                    .map_err(|error| wrong(error.to_string()))?;
                if let Some(earlier) = lines_of.insert(image.file.clone(), number) {
                    return Err(wrong(format!(
                        "the image '{}' is there a second time, first in line {earlier}",
                        image.file
                    )));
                }
                images.push(image);
            }
        }
        Ok(Self { header, images })
    }

    /// Writes a file.
    ///
    /// # Errors
    /// As the writer does.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        writeln!(to, "{}", rows::header_line(&self.header))?;
        for image in &self.images {
            writeln!(to, "{}", rows::image_line(image))?;
        }
        to.flush()
    }
}

impl Answer {
    /// The answer as the model's unit gives it. This is exact: a model finds the same above its
    /// threshold whether or not it is asked for what is below.
    #[must_use]
    pub fn thresholded(&self, model: &ModelEntry) -> Thresholded<'_> {
        let above =
            |threshold: f32| self.detections.partition_point(|found| found.confidence > threshold);
        let confident = above(model.confidence);
        let weak = model.weak.map_or(confident, above).max(confident);
        Thresholded {
            confident: &self.detections[..confident],
            weak: &self.detections[confident..weak],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::BoundingBox;
    use proptest::prelude::*;

    fn model() -> ModelEntry {
        let info = ModelInfo {
            name: "small".into(),
            version: "1a".into(),
            input: "32x32".into(),
            resize: None,
        };
        ModelEntry { info, confidence: 0.25, weak: Some(0.05), nms: "class".into() }
    }

    fn header() -> Header {
        let classes = vec!["cup".into(), "dog".into()];
        Header {
            classes,
            from_confidence: 0.005,
            edge: model(),
            cloud: ModelEntry { weak: None, ..model() },
        }
    }

    /// Left, top, width, height.
    fn any_sides() -> [std::ops::Range<f32>; 4] {
        [-900.0..900.0, -900.0..900.0, 0.0..90.0, 0.0..90.0]
    }

    prop_compose! {
        fn any_answer()(
            service_ms in 0.0f64..1e6,
            found in prop::collection::vec((0u32..2, 0.0f32..=1.0, any_sides()), 0..6),
        ) -> Answer {
            let detection = |(class_id, confidence, sides): (u32, f32, [f32; 4])| {
                let [x, y, width, height] = sides;
                Detection {
                    class: header().classes[class_id as usize].clone(),
                    class_id,
                    confidence,
                    bounding_box: BoundingBox { x, y, width, height }, zones: None }
            };
            let mut detections: Vec<Detection> = found.into_iter().map(detection).collect();
            detections.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
            Answer { service_ms, detections }
        }
    }

    prop_compose! {
        fn any_image()(
            file in ".{0,9}", width in 1u32.., height in 1u32..,
            bytes in 0u64..1 << 32, decode_ms in 0.0f64..1e6,
            edge in any_answer(), cloud in any_answer(),
        ) -> ImageRecord {
            ImageRecord { file, size: ImageSize { width, height }, bytes, decode_ms, edge, cloud }
        }
    }

    fn written(file: &DetectionsFile) -> String {
        let mut bytes = Vec::new();
        file.write(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(mut images in prop::collection::vec(any_image(), 0..4)) {
            // no image is there twice
            for (index, image) in images.iter_mut().enumerate() {
                image.file = format!("{index}{}", image.file);
            }
            let file = DetectionsFile { header: header(), images };
            let read = DetectionsFile::read(written(&file).as_bytes()).unwrap();
            prop_assert_eq!(&read.header, &file.header);
            prop_assert_eq!(read.images.len(), file.images.len());
            for (read, image) in read.images.iter().zip(&file.images) {
                // a double comes back from text to its last bit, which may differ
                let (read_ms, written_ms) = (read.edge.service_ms, image.edge.service_ms);
                prop_assert!((read_ms - written_ms).abs() <= written_ms * 2.0 * f64::EPSILON);
                let (edge, cloud) = (image.edge.clone(), image.cloud.clone());
                let image = ImageRecord {
                    decode_ms: read.decode_ms,
                    edge: Answer { service_ms: read.edge.service_ms, ..edge },
                    cloud: Answer { service_ms: read.cloud.service_ms, ..cloud },
                    ..image.clone()
                };
                prop_assert_eq!(read, &image);
            }
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".{0,80}") {
            prop_assert!(DetectionsFile::read(text.as_bytes()).is_err());
        }
    }

    #[test]
    fn a_units_answer_is_cut_at_its_thresholds() {
        let detection = |confidence| Detection {
            class: "cup".into(),
            class_id: 0,
            confidence,
            bounding_box: BoundingBox { x: 0.0, y: 0.0, width: 1.0, height: 1.0 },
            zones: None,
        };
        let answer = Answer {
            service_ms: 1.0,
            detections: [0.9, 0.25, 0.1, 0.05, 0.01].map(detection).to_vec(),
        };
        let seen = answer.thresholded(&model());
        assert_eq!(
            (seen.confident.len(), seen.weak.len()),
            (1, 2),
            "both thresholds are exclusive"
        );
        let seen = answer.thresholded(&ModelEntry { weak: None, ..model() });
        assert_eq!((seen.confident.len(), seen.weak.len()), (1, 0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let file = DetectionsFile { header: header(), images: vec![] };
        let text = written(&file);
        let refused = |text: &str| DetectionsFile::read(text.as_bytes()).unwrap_err();
        assert!(matches!(refused(""), DetectionsError::NotOurs));
        assert!(matches!(refused("{\"images\": []}"), DetectionsError::NotOurs));
        assert!(matches!(
            refused(&text.replace("\"version\":1,\"cl", "\"version\":2,\"cl")),
            DetectionsError::Version { found: 2, known: 1 }
        ));
        assert!(matches!(
            refused(&text.replace("classes", "clases")),
            DetectionsError::Line { line: 1, .. }
        ));
        let image = |row: &str| {
            let answer = r#"{"service_ms":1,"detections":[]}"#;
            format!(
                "{text}\n{{\"file\":\"a\",\"width\":1,\"height\":1,\"bytes\":1,\"decode_ms\":1,\
                 \"edge\":{},\"cloud\":{answer}}}\n",
                answer.replace("[]", row)
            )
        };
        assert_eq!(
            DetectionsFile::read(image("[[0,0.5,1,1,1,1]]").as_bytes()).unwrap().images.len(),
            1
        );
        let text = image("[]");
        let again = text.lines().last().unwrap();
        assert!(
            refused(&format!("{text}{again}\n"))
                .to_string()
                .contains("line 4: the image 'a' is there a second time, first in line 3")
        );
        DetectionsFile::read(format!("\u{feff}{text}").as_bytes()).unwrap();
        assert!(refused(&format!("{text}\n\n{{")).to_string().starts_with("line 6: "));
        for (from, to, parts) in [
            ("\"decode_ms\":1", "\"decode_ms\":1e999", ["line 3", "number out of range at column"]),
            ("\"decode_ms\":1", "\"decode_ms\":1e300", ["line 3", "`decode_ms`"]),
            ("\"decode_ms\":1", "\"decode_ms\":-1", ["line 3", "`decode_ms`"]),
            (
                "\"service_ms\":1",
                "\"service_ms\":1e999",
                ["line 3", "number out of range at column"],
            ),
            ("\"service_ms\":1", "\"service_ms\":1e308", ["line 3", "`edge.service_ms`"]),
            ("\"bytes\":1", "\"bytes\":18446744073709551615", ["line 3", "`bytes`"]),
            (
                "\"from_confidence\":0.005",
                "\"from_confidence\":1e99",
                ["line 1", "`from_confidence`"],
            ),
            ("\"confidence\":0.25", "\"confidence\":25", ["line 1", "`edge.confidence`"]),
            ("\"weak\":0.05", "\"weak\":-1", ["line 1", "`edge.weak`"]),
        ] {
            assert!(text.contains(from), "{from}");
            let error = refused(&text.replacen(from, to, 1)).to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{to}: {error}");
        }
        for (row, word) in [
            ("[[0,0.5,1,1,1,1],[0,0.5,1,1,-1,1]]", "edge.detections[1]: a box of -1x1"),
            ("[[0,0.5,1e9,1,1,1]]", "far outside"),
            ("[[0,0.5,1,1,3e38,3e38]]", "far outside"),
            ("[[0,0.5,1,1e999,1,1]]", "out of range"),
            ("[[0,1e39,1,1,1,1]]", "0 to 1"),
            ("[[0,null,1,1,1,1]]", "null"),
            ("[[0,NaN,1,1,1,1]]", "column"),
            ("[[2,0.5,1,1,1,1]]", "class 2"),
            ("[[0,1.5,1,1,1,1]]", "0 to 1"),
            ("[[0,0.5,1]]", "length"),
            ("[[0,0.5,1,1,1,1e99]]", ""),
        ] {
            let error = refused(&image(row));
            assert!(
                matches!(
                    &error,
                    DetectionsError::Line { line: 3, problem } if problem.contains(word)
                ),
                "{row}: {error}"
            );
        }
    }
}
