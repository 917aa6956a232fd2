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

impl Outputs {
    /// Whether the network's outputs, by their shapes, can be read this way.
    pub(crate) fn check(&self, shapes: &[Vec<usize>], batch: usize) -> Result<(), String> {
        let expected: Vec<(Vec<Option<usize>>, &str)> = match self {
            Self::Heads(heads) => {
                let shape = |head: &YoloHead| {
                    (
                        vec![Some(batch), Some(head.channels()), None, None],
                        "channels by height by width",
                    )
                };
                heads.iter().map(shape).collect()
            }
            Self::Yolov8 { classes } => vec![(
                vec![Some(batch), Some(yolov8::BOX_ROWS + classes), None],
                "4 + classes by boxes",
            )],
        };
        if shapes.len() != expected.len() {
            return Err(format!(
                "the network has {} outputs where {} are expected",
                shapes.len(),
                expected.len()
            ));
        }
        for (index, (shape, (wanted, words))) in shapes.iter().zip(expected).enumerate() {
            let fits = |(found, wanted): (&usize, &Option<usize>)| {
                wanted.is_none_or(|wanted| wanted == *found)
            };
            if shape.len() != wanted.len() || !shape.iter().zip(&wanted).all(fits) {
                return Err(format!(
                    "output {index} has the shape {shape:?}; expected are batch {batch} by {words}, {}",
                    shown(&wanted)
                ));
            }
        }
        Ok(())
    }

    /// Reads one image's part of output `index`, whose shape without the batch is `shape`.
    pub(crate) fn read(
        &self,
        index: usize,
        shape: &[usize],
        values: &[f32],
        view: &View,
        found: &mut Vec<Proposal>,
    ) {
        match (self, shape) {
            (Self::Heads(heads), [_, height, width]) => {
                let grid = Grid { values, width: *width, height: *height };
                if let Some(head) = heads.get(index) {
                    head.read(grid, view.input, (view.letterbox, view.confidence), found);
                }
            }
            (Self::Yolov8 { .. }, [_, boxes]) => {
                yolov8::read(values, *boxes, (view.letterbox, view.confidence), found)
            }
            // `check` has refused every other shape when the model was loaded
            _ => {}
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

fn shown(shape: &[Option<usize>]) -> String {
    let sides: Vec<String> =
        shape.iter().map(|side| side.map_or("any".into(), |side| side.to_string())).collect();
    format!("[{}]", sides.join(", "))
}
