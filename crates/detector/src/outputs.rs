//! The outputs of a network: which shapes they must have, and how detections are read off them.

use crate::letterbox::Letterbox;
use crate::nms::Proposal;
use crate::yolo::{Grid, YoloHead};
use crate::yolov8;
use frame::ImageSize;

/// How all outputs of a network are read.
#[derive(Clone, Debug)]
pub(crate) enum Outputs {
    /// Raw heads `[batch, channels, height, width]`.
    Heads(Vec<YoloHead>),
    /// One output `[batch, 4 + classes, boxes]`.
    Yolov8 {
        /// Number of classes.
        classes: usize,
    },
}

/// How one output, whose shape is known, is read.
#[derive(Clone, Debug)]
pub(crate) enum Reader {
    Head { head: YoloHead, height: usize, width: usize },
    Yolov8 { boxes: usize },
}

/// Outputs of shapes that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutputsError {
    #[error("the network has {found} outputs where {expected} are expected")]
    Count { found: usize, expected: usize },
    #[error("output {index} has the shape {shape:?}; expected are batch {batch} by {expected}")]
    Shape { index: usize, shape: Vec<usize>, batch: usize, expected: String },
}

impl Outputs {
    /// A reader for each of the network's outputs, whose `shapes` are for one image; `batch` is
    /// for the error's text.
    pub(crate) fn readers(
        &self,
        shapes: &[Vec<usize>],
        batch: usize,
    ) -> Result<Vec<Reader>, OutputsError> {
        let expected = match self {
            Self::Heads(heads) => heads.len(),
            Self::Yolov8 { .. } => 1,
        };
        if shapes.len() != expected {
            return Err(OutputsError::Count { found: shapes.len(), expected });
        }
        let refused = |index: usize, expected: String| OutputsError::Shape {
            index,
            shape: std::iter::once(batch).chain(shapes[index].iter().copied()).collect(),
            batch,
            expected,
        };
        match self {
            Self::Heads(heads) => {
                let reader = |(index, head): (usize, &YoloHead)| match shapes[index][..] {
                    [channels, height, width] if channels == head.channels() => {
                        Ok(Reader::Head { head: head.clone(), height, width })
                    }
                    _ => Err(refused(
                        index,
                        format!(
                            "channels by height by width, [{batch}, {}, any, any]",
                            head.channels()
                        ),
                    )),
                };
                heads.iter().enumerate().map(reader).collect()
            }
            Self::Yolov8 { classes } => match shapes[0][..] {
                [rows, boxes] if rows == yolov8::BOX_ROWS + classes => {
                    Ok(vec![Reader::Yolov8 { boxes }])
                }
                _ => {
                    let rows = yolov8::BOX_ROWS + classes;
                    Err(refused(0, format!("4 + classes by boxes, [{batch}, {rows}, any]")))
                }
            },
        }
    }
}

impl Reader {
    /// Adds what one image's part of the output holds.
    pub(crate) fn read(&self, values: &[f32], view: &View, found: &mut Vec<Proposal>) {
        match self {
            Self::Head { head, height, width } => {
                let grid = Grid { values, width: *width, height: *height };
                head.read(grid, view.input, (view.letterbox, view.confidence), found);
            }
            Self::Yolov8 { boxes } => {
                yolov8::read(values, *boxes, (view.letterbox, view.confidence), found);
            }
        }
    }
}

/// How the network saw an image, and what counts.
pub(crate) struct View {
    /// The network's input, pixels.
    pub(crate) input: ImageSize,
    /// Where the image lies in it.
    pub(crate) letterbox: Letterbox,
    /// The least confidence, exclusive.
    pub(crate) confidence: f32,
}
